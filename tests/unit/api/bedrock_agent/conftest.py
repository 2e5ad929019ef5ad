"""A server in this process with the fake embedder: shared words are near. Nobody does its jobs."""

from __future__ import annotations

import asyncio
from itertools import count

import boto3
import numpy as np
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from rocamadre.catalog.operations import find_model
from rocamadre.core.settings import load_settings
from rocamadre.engines.fake import FakeEngine
from rocamadre.knowledge.languages import analyse
from rocamadre.knowledge.stores import open_store
from rocamadre.knowledge.tables import select_base
from rocamadre.store.vectors.protocol import Chunk, Replacement, chunk_id
from rocamadre.testing.inprocess import ADDRESS, InProcessServer

ROLE = "arn:aws:iam::123456789012:role/knowledge"
TITAN = "arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-embed-text-v2:0"
_numbers = count(1)


def vector(model=TITAN, **embedding):
    """A configuration of type VECTOR."""
    given = {"embeddingModelArn": model}
    if embedding:
        given["embeddingModelConfiguration"] = {"bedrockEmbeddingModelConfiguration": embedding}
    return {"type": "VECTOR", "vectorKnowledgeBaseConfiguration": given}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    models = {"default_model": "fake", "default_embedder": "fake-embed"}
    made = InProcessServer(load_settings(home=tmp_path_factory.mktemp("home"), server={"strict": True}, catalog=models))
    yield made
    made.close()


@pytest.fixture(scope="module")
def connect(server):
    def make(service, account="AKIATESTING"):
        session = boto3.Session(aws_access_key_id=account, aws_secret_access_key="testing")
        config = Config(retries={"total_max_attempts": 1})
        return server.attach(session.client(service, region_name="us-east-1", endpoint_url=ADDRESS, config=config))

    return make


@pytest.fixture(scope="module")
def agent(connect):
    return connect("bedrock-agent")


@pytest.fixture(scope="module")
def runtime(connect):
    return connect("bedrock-agent-runtime")


@pytest.fixture
def new_base(agent):
    """`new_base(...)`: a knowledge base's id; members of the request may be given."""

    def make(**members):
        wish = {"name": f"base-{next(_numbers)}", "roleArn": ROLE, "knowledgeBaseConfiguration": vector()} | members
        return agent.create_knowledge_base(**wish)["knowledgeBase"]["knowledgeBaseId"]

    return make


@pytest.fixture
def new_source(agent, new_base):
    """`new_source(kind, ...)`: a data source's place, of a new knowledge base unless one is given."""

    def make(kind="S3", base=None, **members):
        configuration = {"type": kind}
        if kind == "S3":
            configuration["s3Configuration"] = {"bucketArn": "arn:aws:s3:::documents"}
        wish = {"name": f"source-{next(_numbers)}", "dataSourceConfiguration": configuration} | members
        made = agent.create_data_source(knowledgeBaseId=base or new_base(), **wish)["dataSource"]
        return {"knowledgeBaseId": made["knowledgeBaseId"], "dataSourceId": made["dataSourceId"]}

    return make


@pytest.fixture
def fill(server):
    """`fill(place, {id: text}, metadata={id: {...}})`: put documents into the store, one chunk each."""

    def put(place, texts, metadata=None):
        with server.platform.sql.connect() as connection:
            base = select_base(connection, place["knowledgeBaseId"])
        model = find_model(server.platform, base.embedder)
        embeddings = asyncio.run(
            FakeEngine(model.load_spec, server.platform.settings.engines, server.platform.settings.home).embed(
                list(texts.values())
            )
        )
        source, items = place["dataSourceId"], []
        for (name, text), embedding in zip(texts.items(), embeddings.vectors, strict=True):
            own = {
                "x-amz-bedrock-kb-source-uri": name,
                "x-amz-bedrock-kb-data-source-id": source,
                **(metadata or {}).get(name, {}),
            }
            chunk = Chunk(
                chunk_id(source, name, 0, len(text), text),
                name,
                text,
                0,
                len(text),
                "en",
                " ".join(analyse(text, "en")),
                own,
                embedding=np.asarray(embedding, np.float32),
            )
            items.append(Replacement(name, source, "hash", [chunk], text))
        store = open_store(server.platform, base)
        store.replace_many(items)
        store.close()

    return put


@pytest.fixture
def refused():
    """`refused(code, call, **members)`: the message with which a call is refused."""

    def check(code, call, **members):
        with pytest.raises(ClientError) as error:
            call(**members)
        answer = error.value.response["Error"]
        assert answer["Code"] == code, answer
        return answer["Message"]

    return check
