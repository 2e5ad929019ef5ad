"""Converse through a prompt router says which model answered."""

import pytest

from rocamadre.core.settings import load_settings
from rocamadre.testing.inprocess import ADDRESS, InProcessServer


@pytest.fixture(scope="module")
def connect(tmp_path_factory):
    import boto3

    models = {"default_model": "rocamadre.fake-v1:0", "default_embedder": "rocamadre.fake-embed-v1:0"}
    server = InProcessServer(
        load_settings(home=tmp_path_factory.mktemp("home"), server={"strict": True}, catalog=models)
    )
    session = boto3.Session(aws_access_key_id="AKIATESTING", aws_secret_access_key="testing")

    def make(service):
        return server.attach(session.client(service, region_name="us-east-1", endpoint_url=f"{ADDRESS}/{service}"))

    yield make
    server.close()


def test_the_trace_names_the_model_that_answered(connect):
    routers = connect("bedrock").list_prompt_routers()["promptRouterSummaries"]
    arn, models = routers[0]["promptRouterArn"], {each["modelArn"] for each in routers[0]["models"]}
    asked = {"modelId": arn, "messages": [{"role": "user", "content": [{"text": "Hello"}]}]}
    runtime = connect("bedrock-runtime")
    assert runtime.converse(**asked)["trace"]["promptRouter"]["invokedModelId"] in models
    events = list(runtime.converse_stream(**asked)["stream"])
    assert events[-1]["metadata"]["trace"]["promptRouter"]["invokedModelId"] in models
    plain = runtime.converse(**{**asked, "modelId": "rocamadre.fake-v1:0"})
    assert "trace" not in plain
