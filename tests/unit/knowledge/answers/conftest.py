"""A server with the fake models, and a knowledge base whose chunks are put straight into its store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import uuid4

import boto3
import numpy as np
import pytest
from botocore.config import Config

from rocamadre.core.context import Context, Principal
from rocamadre.core.settings import load_settings
from rocamadre.knowledge.languages import analyse
from rocamadre.knowledge.operations import get_knowledge_base
from rocamadre.knowledge.stores import open_store
from rocamadre.store.vectors.protocol import Chunk, Replacement
from rocamadre.testing.inprocess import ADDRESS, InProcessServer

FAKE = "rocamadre.fake-v1:0"
ACCOUNT, REGION = "123456789012", "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/knowledge"
RULES = """
[[rules]]
regex = "Rewrite the user"
answer = "How is the lighthouse tall?"
mark = false

[[rules]]
match = "lighthouse tall"
answer = "The lighthouse of Calder Point is 32 metres tall. Tigers live in Asia."
mark = false

[[rules]]
match = "nothing of use"
answer = "Tigers live in Asia."
mark = false
"""
DOCUMENTS = {
    "s3://docs/lighthouse.txt": (
        "en",
        "The lighthouse of Calder Point was built in 1874 by the engineer Martha Quill. It is 32 metres tall and its "
        "lamp can be seen from 40 kilometres away.",
    ),
    "s3://docs/harbour.txt": ("en", "The harbour of Calder has three piers. The fish market opens at six."),
    "s3://docs/puerto.txt": ("es", "El puerto de Vega tiene cinco muelles. El mercado abre a las siete."),
    "s3://docs/farol.txt": ("pt", "O farol da Barra foi construído em 1893. Tem 62 metros de altura."),
}


@pytest.fixture(scope="module")
def by():
    """Who answers; a module may say otherwise."""
    return "reader"


@pytest.fixture(scope="module")
def live(tmp_path_factory, by):
    home = tmp_path_factory.mktemp("home")
    (home / "rules.toml").write_text(RULES)
    with closing(sqlite3.connect(home / "shop.sqlite")) as database:
        database.executescript(
            "CREATE TABLE products (name TEXT, price REAL, stock INTEGER);"
            "INSERT INTO products VALUES ('lamp', 25.5, 10), ('chair', 80, 3), ('desk', 240, NULL);"
        )
    server = InProcessServer(
        load_settings(
            home=home,
            server={"strict": True},
            catalog={
                "default_model": FAKE,
                "default_embedder": "rocamadre.fake-embed-v1:0",
                "fake_rules": home / "rules.toml",
            },
            answers={"by": by, "window": 1},
            sql={"connections": {"shop": f"sqlite:///{home}/shop.sqlite"}},
        )
    )
    yield server
    server.close()


@pytest.fixture(scope="module")
def client(live):
    def make(service):
        session = boto3.Session(aws_access_key_id="AKIATESTING", aws_secret_access_key="testing")
        return live.attach(
            session.client(
                service,
                region_name=REGION,
                endpoint_url=f"{ADDRESS}/{service}",
                config=Config(retries={"total_max_attempts": 1}),
            )
        )

    return make


@pytest.fixture(scope="module")
def runtime(client):
    return client("bedrock-agent-runtime")


@pytest.fixture(scope="module")
def base(live, client):
    """A knowledge base's id."""
    embedder = "arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-embed-text-v2:0"
    made = client("bedrock-agent").create_knowledge_base(
        name=f"answers-{uuid4().hex[:12]}",
        roleArn=ROLE,
        knowledgeBaseConfiguration={
            "type": "VECTOR",
            "vectorKnowledgeBaseConfiguration": {"embeddingModelArn": embedder},
        },
    )["knowledgeBase"]["knowledgeBaseId"]
    ctx = Context(live.platform, Principal("test", ACCOUNT), ACCOUNT, REGION, "r", 1e9)
    found = get_knowledge_base(ctx, made)
    chance = np.random.default_rng(0)
    items = []
    for uri, (language, text) in DOCUMENTS.items():
        vector = chance.normal(size=found.dimensions).astype(np.float32)
        chunk = Chunk(
            id=uri[-12:],
            document=uri,
            text=text,
            start=0,
            end=len(text),
            language=language,
            terms=" ".join(analyse(text, language)),
            metadata={"x-amz-bedrock-kb-source-uri": uri, "language": language},
            embedding=vector / np.linalg.norm(vector),
        )
        items.append(Replacement(uri, "DATASOURCE", "hash", [chunk], text))
    store = open_store(live.platform, found)
    try:
        store.replace_many(items)
    finally:
        store.close()
    return made


@pytest.fixture
def ask(runtime, base):
    """Ask the knowledge base; more members of its configuration, of the request."""

    def put(question, *, stream=False, session=None, **inner):
        configuration = {"knowledgeBaseId": base, "modelArn": FAKE, **inner}
        request = {
            "input": {"text": question},
            "retrieveAndGenerateConfiguration": {
                "type": "KNOWLEDGE_BASE",
                "knowledgeBaseConfiguration": configuration,
            },
        }
        if session:
            request["sessionId"] = session
        if not stream:
            return runtime.retrieve_and_generate(**request)
        return runtime.retrieve_and_generate_stream(**request)

    return put


@pytest.fixture
def later(live, monkeypatch):
    """Moves the platform's clock on by some seconds."""
    moved = SimpleNamespace(by=0.0)
    clock = live.platform.clock
    real = type(clock).now

    def now(self):
        return datetime.fromtimestamp(real(self).timestamp() + moved.by, UTC)

    monkeypatch.setattr(type(clock), "now", now)

    def move(seconds):
        moved.by += seconds

    return move


@pytest.fixture(scope="session")
def checked():
    def check(text, citations):
        """Spans cover the text to the character, and what is cited stands in the source."""
        covered = 0
        for citation in citations:
            part = citation["generatedResponsePart"]["textResponsePart"]
            span = part["span"]
            assert text[span["start"] : span["end"] + 1] == part["text"]
            assert text[covered : span["start"]].strip() == ""
            covered = span["end"] + 1
            for reference in citation["retrievedReferences"]:
                uri = reference["location"]["s3Location"]["uri"]
                assert reference["content"]["text"] in DOCUMENTS[uri][1]
                assert reference["metadata"]["x-amz-bedrock-kb-source-uri"] == uri
        assert covered == len(text)

    return check
