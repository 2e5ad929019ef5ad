"""What the contract tests share. All of it is derived from the botocore that is installed; nothing lists operations."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

import rocamadre.api.endpoints  # noqa: F401  (registers every handler)
from rocamadre.api.handlers import HANDLERS
from rocamadre.api.wire.models import SERVICES, load_models
from rocamadre.api.wire.operations import Service
from rocamadre.api.wire.routes import Router
from rocamadre.core.settings import load_settings
from rocamadre.testing.examples import Examples
from rocamadre.testing.inprocess import ADDRESS, InProcessServer
from rocamadre.testing.models import OwnModels

MODELS = load_models()
OPERATIONS = [(service, operation) for service in SERVICES for operation in MODELS[service]["operations"]]


SERVICES_READ = {name: Service(name, model) for name, model in MODELS.items()}


def _operation(name):
    return SERVICES_READ[name[0]].operations[name[1]]


SENDABLE = [name for name in OPERATIONS if not _operation(name).takes_events]  # The other needs HTTP/2; boto3 lacks it.
HANDLED = [name for name in OPERATIONS if name in HANDLERS]


def _has_body(name):
    """Whether its request is a JSON object of members."""
    model = MODELS[name[0]]
    shape = model["shapes"].get(model["operations"][name[1]].get("input", {}).get("shape"), {"members": {}})
    return "payload" not in shape and any("location" not in reference for reference in shape["members"].values())


CASES = {
    "each": OPERATIONS,
    "sendable": SENDABLE,
    "labelled": [name for name in OPERATIONS if "{" in _operation(name).uri],
    "streaming": [name for name in SENDABLE if _operation(name).stream_member],
    "answering": [name for name in SENDABLE if not _operation(name).stream_member],
    "handled": HANDLED,
    "tokened": [name for name in HANDLED if _operation(name).token_member and not _operation(name).stream_member],
    "bodied": [name for name in HANDLED if _has_body(name)],
    "absent": [name for name in OPERATIONS if name not in HANDLERS],
}
"""Arguments of tests, and the operations that each of them runs through."""


def pytest_generate_tests(metafunc):
    for argument, names in CASES.items():
        if argument in metafunc.fixturenames:
            metafunc.parametrize(argument, names, ids=[":".join(name) for name in names])


@pytest.fixture(scope="session")
def models():
    return MODELS


@pytest.fixture(scope="session")
def services():
    return SERVICES_READ


@pytest.fixture(scope="session")
def router(services):
    return Router(services)


@pytest.fixture(scope="session")
def examples():
    return {name: Examples(model["shapes"]) for name, model in MODELS.items()}


@pytest.fixture(scope="session")
def official():
    """botocore's own models of the services."""
    loader = Loader()
    return {name: ServiceModel(loader.load_service_model(name, "service-2"), name) for name in SERVICES}


@pytest.fixture(scope="session")
def serializer(official):
    return create_serializer("rest-json", include_validation=True)


@pytest.fixture(scope="session")
def parser():
    return create_parser("rest-json")


# -- handlers: a server in this process ----------------------------------------------------------------------------

FAKE = "rocamadre.fake-v1:0"
CONVERSE = {"modelId": FAKE, "messages": [{"role": "user", "content": [{"text": "Hello"}]}]}
NOVA = {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}
SIZES = ("lite", "pro")
RERANK = {
    "queries": [{"type": "TEXT", "textQuery": {"text": "a red fox"}}],
    "sources": [
        {"type": "INLINE", "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": "A fox is red."}}}
    ],
    "rerankingConfiguration": {
        "type": "BEDROCK_RERANKING_MODEL",
        "bedrockRerankingConfiguration": {
            "modelConfiguration": {"modelArn": "arn:aws:bedrock:us-east-1::foundation-model/amazon.rerank-v1:0"}
        },
    },
}
BODY = {"modelId": "amazon.nova-lite-v1:0", "body": json.dumps(NOVA).encode()}


def _profile(client):
    """An application inference profile's ARN, made for one test."""
    answer = client("bedrock").create_inference_profile(
        inferenceProfileName=f"contract-{uuid4().hex[:12]}",
        modelSource={"copyFrom": f"arn:aws:bedrock:us-east-1::foundation-model/{FAKE}"},
    )
    return answer["inferenceProfileArn"]


def _new_profile(client):
    return {
        "inferenceProfileName": f"contract-{uuid4().hex[:12]}",
        "modelSource": {"copyFrom": f"arn:aws:bedrock:us-east-1::foundation-model/{FAKE}"},
    }


def _new_router(client):
    models = [{"modelArn": f"arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-{size}-v1:0"} for size in SIZES]
    return {
        "promptRouterName": f"contract-{uuid4().hex[:12]}",
        "models": models,
        "fallbackModel": models[-1],
        "routingCriteria": {"responseQualityDifference": 25},
    }


def _router(client):
    """A prompt router's ARN, made for one test."""
    return client("bedrock").create_prompt_router(**_new_router(client))["promptRouterArn"]


def _new_batch(client):
    return {
        "jobName": f"contract-{uuid4().hex[:12]}",
        "roleArn": "arn:aws:iam::123456789012:role/batch",
        "modelId": FAKE,
        "inputDataConfig": {"s3InputDataConfig": {"s3Uri": "s3://contract/in/"}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://contract/out/"}},
    }


def _batch(client):
    """A batch job's ARN, made for one test."""
    return client("bedrock").create_model_invocation_job(**_new_batch(client))["jobArn"]


def _bucket(client):
    """A bucket of this test's own."""
    name = f"contract-{uuid4().hex[:12]}"
    client("s3").create_bucket(Bucket=name)
    return name


def _new_async(client):
    text = {"truncationMode": "END", "value": "A text.", "segmentationConfig": {}}
    params = {"embeddingPurpose": "GENERIC_INDEX", "text": text}
    return {
        "modelId": "amazon.nova-2-multimodal-embeddings-v1:0",
        "modelInput": {"taskType": "SEGMENTED_EMBEDDING", "segmentedEmbeddingParams": params},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": f"s3://{_bucket(client)}"}},
    }


def _async(client):
    """An asynchronous call's ARN, made for one test."""
    return client("bedrock-runtime").start_async_invoke(**_new_async(client))["invocationArn"]


def _custom_model(client):
    """A custom model's ARN, registered for one test as its job would."""
    return client.register(f"contract-{uuid4().hex[:12]}")


def _source():
    return {"s3DataSource": {"s3Uri": "s3://contract/model/"}}


def _new_custom_model(client):
    return {"modelName": f"contract-{uuid4().hex[:12]}", "modelSourceConfig": _source()}


def _new_deployment(client):
    return {"modelDeploymentName": f"contract-{uuid4().hex[:12]}", "modelArn": _custom_model(client)}


def _deployment(client):
    """A deployment's ARN, made for one test."""
    return client("bedrock").create_custom_model_deployment(**_new_deployment(client))["customModelDeploymentArn"]


def _updated_deployment(client):
    arn = _deployment(client)
    client.finish(arn)
    return {"customModelDeploymentIdentifier": arn, "modelArn": _custom_model(client)}


def _new_throughput(client):
    return {"provisionedModelName": f"contract-{uuid4().hex[:12]}", "modelId": FAKE, "modelUnits": 1}


def _throughput(client):
    """Provisioned throughput's ARN, made for one test."""
    return client("bedrock").create_provisioned_model_throughput(**_new_throughput(client))["provisionedModelArn"]


def _new_import(client):
    return {
        "jobName": f"contract-{uuid4().hex[:12]}",
        "importedModelName": f"contract-{uuid4().hex[:12]}",
        "roleArn": "arn:aws:iam::123456789012:role/import",
        "modelDataSource": _source(),
    }


def _import(client):
    """An import job's ARN, made for one test."""
    return client("bedrock").create_model_import_job(**_new_import(client))["jobArn"]


def _new_copy(client):
    return {"sourceModelArn": _custom_model(client), "targetModelName": f"contract-{uuid4().hex[:12]}"}


def _copy(client):
    """A copy job's ARN, made for one test."""
    return client("bedrock").create_model_copy_job(**_new_copy(client))["jobArn"]


def _new_customization(client):
    bucket = _bucket(client)
    line = json.dumps({"prompt": "Hello", "completion": "Good day"}).encode()
    client("s3").put_object(Bucket=bucket, Key="train.jsonl", Body=line)
    return {
        "jobName": f"contract-{uuid4().hex[:12]}",
        "customModelName": f"contract-{uuid4().hex[:12]}",
        "roleArn": "arn:aws:iam::123456789012:role/training",
        "baseModelIdentifier": "rocamadre.roca-mini-v1:0",
        "trainingDataConfig": {"s3Uri": f"s3://{bucket}/train.jsonl"},
        "outputDataConfig": {"s3Uri": f"s3://{bucket}/out"},
    }


def _customization(client):
    """A customization job's ARN, made for one test."""
    return client("bedrock").create_model_customization_job(**_new_customization(client))["jobArn"]


KNOWLEDGE_ROLE = "arn:aws:iam::123456789012:role/knowledge"
EMBEDDER = "arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-embed-text-v2:0"


def _new_base(client):
    return {
        "name": f"contract-{uuid4().hex[:12]}",
        "roleArn": KNOWLEDGE_ROLE,
        "knowledgeBaseConfiguration": {
            "type": "VECTOR",
            "vectorKnowledgeBaseConfiguration": {"embeddingModelArn": EMBEDDER},
        },
    }


def _base(client):
    """A knowledge base's id, made for one test."""
    return client("bedrock-agent").create_knowledge_base(**_new_base(client))["knowledgeBase"]["knowledgeBaseId"]


def _base_arn(client):
    return f"arn:aws:bedrock:us-east-1:123456789012:knowledge-base/{_base(client)}"


def _answer(client):
    configuration = {"knowledgeBaseId": _base(client), "modelArn": FAKE}
    return {
        "input": {"text": "What is a red fox?"},
        "retrieveAndGenerateConfiguration": {
            "type": "KNOWLEDGE_BASE",
            "knowledgeBaseConfiguration": configuration,
        },
    }


def _query(client):
    storage = {"type": "REDSHIFT", "redshiftConfiguration": {"databaseName": "contract"}}
    engine = {
        "type": "PROVISIONED",
        "provisionedConfiguration": {"clusterIdentifier": "contract", "authConfiguration": {"type": "IAM"}},
    }
    redshift = {"storageConfigurations": [storage], "queryEngineConfiguration": engine}
    arn = client("bedrock-agent").create_knowledge_base(
        name=f"contract-{uuid4().hex[:12]}",
        roleArn=KNOWLEDGE_ROLE,
        knowledgeBaseConfiguration={
            "type": "SQL",
            "sqlKnowledgeBaseConfiguration": {"type": "REDSHIFT", "redshiftConfiguration": redshift},
        },
    )["knowledgeBase"]["knowledgeBaseArn"]
    text_to_sql = {"type": "KNOWLEDGE_BASE", "knowledgeBaseConfiguration": {"knowledgeBaseArn": arn}}
    return {
        "queryGenerationInput": {"type": "TEXT", "text": "How many foxes are there?"},
        "transformationConfiguration": {"mode": "TEXT_TO_SQL", "textToSqlConfiguration": text_to_sql},
    }


def _new_source(client, kind="S3"):
    bucket = {"bucketArn": "arn:aws:s3:::contract-documents"}
    configuration = {"type": "S3", "s3Configuration": bucket} if kind == "S3" else {"type": "CUSTOM"}
    name = f"contract-{uuid4().hex[:12]}"
    return {"knowledgeBaseId": _base(client), "name": name, "dataSourceConfiguration": configuration}


def _data_source(client, kind="S3"):
    """A data source of its own knowledge base, made for one test."""
    made = client("bedrock-agent").create_data_source(**_new_source(client, kind))["dataSource"]
    return {"knowledgeBaseId": made["knowledgeBaseId"], "dataSourceId": made["dataSourceId"]}


def _ingestion(client):
    """An ingestion job, made for one test."""
    source = _data_source(client)
    job = client("bedrock-agent").start_ingestion_job(**source)["ingestionJob"]
    return {**source, "ingestionJobId": job["ingestionJobId"]}


def _new_documents(client):
    content = {
        "dataSourceType": "CUSTOM",
        "custom": {
            "customDocumentIdentifier": {"id": "fox"},
            "sourceType": "IN_LINE",
            "inlineContent": {"type": "TEXT", "textContent": {"data": "A fox is red."}},
        },
    }
    return {**_data_source(client, "CUSTOM"), "documents": [{"content": content}]}


def _documents(client):
    """Where one document was brought."""
    wish = _new_documents(client)
    client("bedrock-agent").ingest_knowledge_base_documents(**wish)
    place = {name: wish[name] for name in ("knowledgeBaseId", "dataSourceId")}
    return {**place, "documentIdentifiers": [{"dataSourceType": "CUSTOM", "custom": {"id": "fox"}}]}


def _three_sources(client):
    base = _base(client)
    for _ in range(3):
        client("bedrock-agent").create_data_source(**{**_new_source(client), "knowledgeBaseId": base})
    return {"knowledgeBaseId": base}


def _three_ingestions(client):
    source = _data_source(client)
    for _ in range(3):
        job = client("bedrock-agent").start_ingestion_job(**source)["ingestionJob"]
        client("bedrock-agent").stop_ingestion_job(**source, ingestionJobId=job["ingestionJobId"])
    return source


def _three_documents(client):
    wish = _new_documents(client)
    for name in ("fox", "owl", "hare"):
        wish["documents"][0]["content"]["custom"]["customDocumentIdentifier"]["id"] = name
        client("bedrock-agent").ingest_knowledge_base_documents(**wish)
    return {name: wish[name] for name in ("knowledgeBaseId", "dataSourceId")}


def _updated_source(client):
    source = _data_source(client)
    configuration = {"type": "S3", "s3Configuration": {"bucketArn": "arn:aws:s3:::contract-others"}}
    return {**source, "name": f"contract-{uuid4().hex[:12]}", "dataSourceConfiguration": configuration}


def _new_guardrail(client):
    return {
        "name": f"contract-{uuid4().hex[:12]}",
        "blockedInputMessaging": "Not that.",
        "blockedOutputsMessaging": "Not that either.",
        "wordPolicyConfig": {"wordsConfig": [{"text": "basilisk"}]},
    }


def _guardrail(client):
    """A guardrail's id, made for one test."""
    return client("bedrock").create_guardrail(**_new_guardrail(client))["guardrailId"]


def _applied(client):
    return {
        "guardrailIdentifier": _guardrail(client),
        "guardrailVersion": "DRAFT",
        "source": "INPUT",
        "content": [{"text": {"text": "a basilisk"}}],
    }


def _unenforced(client):
    """Nothing enforced; the version that is to be."""
    for each in client("bedrock").list_enforced_guardrails_configuration()["guardrailsConfig"]:
        client("bedrock").delete_enforced_guardrail_configuration(configId=each["configId"])
    name = _guardrail(client)
    client("bedrock").create_guardrail_version(guardrailIdentifier=name)
    return {"guardrailInferenceConfig": {"guardrailIdentifier": name, "guardrailVersion": "1"}}


def _enforced(client):
    """Id of an enforced configuration, made for one test."""
    return client("bedrock").put_enforced_guardrail_configuration(**_unenforced(client))["configId"]


def _checked():
    email = {"entities": [{"type": "EMAIL"}]}
    return {
        "messages": [{"role": "user", "content": [{"text": "Hello"}]}],
        "checks": {"sensitiveInformation": email},
    }


WORKING = {
    ("bedrock-agent", "CreateKnowledgeBase"): _new_base,
    ("bedrock-agent", "GetKnowledgeBase"): lambda client: {"knowledgeBaseId": _base(client)},
    ("bedrock-agent", "ListKnowledgeBases"): lambda client: {},
    ("bedrock-agent", "UpdateKnowledgeBase"): lambda client: {"knowledgeBaseId": _base(client), **_new_base(client)},
    ("bedrock-agent", "DeleteKnowledgeBase"): lambda client: {"knowledgeBaseId": _base(client)},
    ("bedrock-agent", "CreateDataSource"): _new_source,
    ("bedrock-agent", "GetDataSource"): _data_source,
    ("bedrock-agent", "ListDataSources"): _three_sources,
    ("bedrock-agent", "UpdateDataSource"): _updated_source,
    ("bedrock-agent", "DeleteDataSource"): _data_source,
    ("bedrock-agent", "StartIngestionJob"): _data_source,
    ("bedrock-agent", "GetIngestionJob"): _ingestion,
    ("bedrock-agent", "ListIngestionJobs"): _three_ingestions,
    ("bedrock-agent", "StopIngestionJob"): _ingestion,
    ("bedrock-agent", "IngestKnowledgeBaseDocuments"): _new_documents,
    ("bedrock-agent", "GetKnowledgeBaseDocuments"): _documents,
    ("bedrock-agent", "ListKnowledgeBaseDocuments"): _three_documents,
    ("bedrock-agent", "DeleteKnowledgeBaseDocuments"): _documents,
    ("bedrock-agent", "TagResource"): lambda client: {"resourceArn": _base_arn(client), "tags": {}},
    ("bedrock-agent", "UntagResource"): lambda client: {"resourceArn": _base_arn(client), "tagKeys": ["owner"]},
    ("bedrock-agent", "ListTagsForResource"): lambda client: {"resourceArn": _base_arn(client)},
    ("bedrock", "CreateModelCustomizationJob"): _new_customization,
    ("bedrock", "GetModelCustomizationJob"): lambda client: {"jobIdentifier": _customization(client)},
    ("bedrock", "ListModelCustomizationJobs"): lambda client: {},
    ("bedrock", "StopModelCustomizationJob"): lambda client: {"jobIdentifier": _customization(client)},
    ("bedrock", "CreateCustomModel"): _new_custom_model,
    ("bedrock", "GetCustomModel"): lambda client: {"modelIdentifier": _custom_model(client)},
    ("bedrock", "ListCustomModels"): lambda client: {},
    ("bedrock", "DeleteCustomModel"): lambda client: {"modelIdentifier": _custom_model(client)},
    ("bedrock", "CreateCustomModelDeployment"): _new_deployment,
    ("bedrock", "GetCustomModelDeployment"): lambda client: {"customModelDeploymentIdentifier": _deployment(client)},
    ("bedrock", "ListCustomModelDeployments"): lambda client: {},
    ("bedrock", "UpdateCustomModelDeployment"): _updated_deployment,
    ("bedrock", "DeleteCustomModelDeployment"): lambda client: {"customModelDeploymentIdentifier": _deployment(client)},
    ("bedrock", "CreateProvisionedModelThroughput"): _new_throughput,
    ("bedrock", "GetProvisionedModelThroughput"): lambda client: {"provisionedModelId": _throughput(client)},
    ("bedrock", "ListProvisionedModelThroughputs"): lambda client: {},
    ("bedrock", "UpdateProvisionedModelThroughput"): lambda client: {
        "provisionedModelId": _throughput(client),
        "desiredProvisionedModelName": f"contract-{uuid4().hex[:12]}",
    },
    ("bedrock", "DeleteProvisionedModelThroughput"): lambda client: {"provisionedModelId": _throughput(client)},
    ("bedrock", "CreateModelImportJob"): _new_import,
    ("bedrock", "GetModelImportJob"): lambda client: {"jobIdentifier": _import(client)},
    ("bedrock", "ListModelImportJobs"): lambda client: {},
    ("bedrock", "GetImportedModel"): lambda client: {"modelIdentifier": client.register_imported()},
    ("bedrock", "ListImportedModels"): lambda client: [client.register_imported() for _ in range(3)] and {},
    ("bedrock", "DeleteImportedModel"): lambda client: {"modelIdentifier": client.register_imported()},
    ("bedrock", "CreateModelCopyJob"): _new_copy,
    ("bedrock", "GetModelCopyJob"): lambda client: {"jobArn": _copy(client)},
    ("bedrock", "ListModelCopyJobs"): lambda client: {},
    ("bedrock", "CreateModelInvocationJob"): _new_batch,
    ("bedrock", "GetModelInvocationJob"): lambda client: {"jobIdentifier": _batch(client)},
    ("bedrock", "ListModelInvocationJobs"): lambda client: {},
    ("bedrock", "StopModelInvocationJob"): lambda client: {"jobIdentifier": _batch(client)},
    ("bedrock", "ListFoundationModels"): lambda client: {},
    ("bedrock", "GetFoundationModel"): lambda client: {"modelIdentifier": FAKE},
    ("bedrock", "GetFoundationModelAvailability"): lambda client: {"modelId": FAKE},
    ("bedrock", "CreateInferenceProfile"): _new_profile,
    ("bedrock", "ListInferenceProfiles"): lambda client: {},
    ("bedrock", "GetInferenceProfile"): lambda client: {"inferenceProfileIdentifier": _profile(client)},
    ("bedrock", "DeleteInferenceProfile"): lambda client: {"inferenceProfileIdentifier": _profile(client)},
    ("bedrock", "CreatePromptRouter"): _new_router,
    ("bedrock", "ListPromptRouters"): lambda client: {},
    ("bedrock", "GetPromptRouter"): lambda client: {"promptRouterArn": _router(client)},
    ("bedrock", "DeletePromptRouter"): lambda client: {"promptRouterArn": _router(client)},
    ("bedrock", "CreateGuardrail"): _new_guardrail,
    ("bedrock", "GetGuardrail"): lambda client: {"guardrailIdentifier": _guardrail(client)},
    ("bedrock", "ListGuardrails"): lambda client: {},
    ("bedrock", "UpdateGuardrail"): lambda client: {
        "guardrailIdentifier": _guardrail(client),
        **_new_guardrail(client),
    },
    ("bedrock", "DeleteGuardrail"): lambda client: {"guardrailIdentifier": _guardrail(client)},
    ("bedrock", "CreateGuardrailVersion"): lambda client: {"guardrailIdentifier": _guardrail(client)},
    ("bedrock", "PutEnforcedGuardrailConfiguration"): _unenforced,
    ("bedrock", "ListEnforcedGuardrailsConfiguration"): lambda client: {},
    ("bedrock", "DeleteEnforcedGuardrailConfiguration"): lambda client: {"configId": _enforced(client)},
    ("bedrock", "TagResource"): lambda client: {"resourceARN": _profile(client), "tags": []},
    ("bedrock", "UntagResource"): lambda client: {"resourceARN": _profile(client), "tagKeys": []},
    ("bedrock", "ListTagsForResource"): lambda client: {"resourceARN": _profile(client)},
    ("bedrock", "PutModelInvocationLoggingConfiguration"): lambda client: {
        "loggingConfig": {"s3Config": {"bucketName": _bucket(client)}}
    },
    ("bedrock", "GetModelInvocationLoggingConfiguration"): lambda client: {},
    ("bedrock", "DeleteModelInvocationLoggingConfiguration"): lambda client: {},
    ("bedrock-agent-runtime", "Rerank"): lambda client: RERANK,
    ("bedrock-agent-runtime", "Retrieve"): lambda client: {
        "knowledgeBaseId": _base(client),
        "retrievalQuery": {"text": "a red fox"},
    },
    ("bedrock-agent-runtime", "RetrieveAndGenerate"): _answer,
    ("bedrock-agent-runtime", "RetrieveAndGenerateStream"): _answer,
    ("bedrock-agent-runtime", "GenerateQuery"): _query,
    ("bedrock-runtime", "ApplyGuardrail"): _applied,
    ("bedrock-runtime", "InvokeGuardrailChecks"): lambda client: _checked(),
    ("bedrock-runtime", "StartAsyncInvoke"): _new_async,
    ("bedrock-runtime", "GetAsyncInvoke"): lambda client: {"invocationArn": _async(client)},
    ("bedrock-runtime", "ListAsyncInvokes"): lambda client: {},
    ("bedrock-runtime", "Converse"): lambda client: CONVERSE,
    ("bedrock-runtime", "ConverseStream"): lambda client: CONVERSE,
    ("bedrock-runtime", "InvokeModel"): lambda client: BODY,
    ("bedrock-runtime", "InvokeModelWithResponseStream"): lambda client: BODY,
    ("bedrock-runtime", "CountTokens"): lambda client: {
        "modelId": FAKE,
        "input": {"converse": {"messages": CONVERSE["messages"]}},
    },
}
"""For every operation that has a handler: a request with as little as works, given a function that makes clients.

A new handler needs its line here; a test says so.
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """A server in this process that checks every answer against its shape."""
    models = {"default_model": FAKE, "default_embedder": "rocamadre.fake-embed-v1:0"}
    home = tmp_path_factory.mktemp("home")
    with closing(sqlite3.connect(home / "contract.sqlite")) as database:
        database.execute("CREATE TABLE foxes (name TEXT, age INTEGER)")
    connections = {"contract": f"sqlite:///{home}/contract.sqlite"}
    server = InProcessServer(
        load_settings(home=home, server={"strict": True}, catalog=models, sql={"connections": connections})
    )
    yield server
    server.close()


@pytest.fixture(scope="module")
def connect(live):
    """`connect("bedrock")`: a boto3 client of the server in this process."""
    clients = {}

    def make(service):
        if service not in clients:
            clients[service] = live.attach(
                boto3.Session(aws_access_key_id="AKIATESTING", aws_secret_access_key="testing").client(
                    service,
                    region_name="us-east-1",
                    endpoint_url=f"{ADDRESS}/{service}",
                    config=Config(retries={"total_max_attempts": 1}),
                )
            )
        return clients[service]

    models = OwnModels(live.platform)
    make.register, make.register_imported, make.finish = models.custom, models.imported, models.finish
    return make


@pytest.fixture(scope="session")
def working():
    return WORKING
