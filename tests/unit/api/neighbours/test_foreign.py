from __future__ import annotations

import pytest
from botocore.exceptions import ClientError


@pytest.mark.parametrize(
    ("service", "call", "arguments"),
    [
        ("dynamodb", "list_tables", {}),
        ("sns", "list_topics", {}),
        ("ec2", "describe_instances", {}),
        ("sagemaker-runtime", "invoke_endpoint", {"EndpointName": "e", "Body": b"{}"}),
        ("kendra", "list_indices", {}),
    ],
)
def test_services_that_are_not_here_are_refused_by_name(client_of, service, call, arguments):
    with pytest.raises(ClientError) as caught:
        getattr(client_of(service), call)(**arguments)
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert "Rocamadre has no service" in answer["Error"]["Message"]
    assert "AWS_ENDPOINT_URL_" in answer["Error"]["Message"]


def test_bedrock_is_not_foreign(client_of):
    assert "modelSummaries" in client_of("bedrock").list_foundation_models()
