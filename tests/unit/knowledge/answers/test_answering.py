"""RetrieveAndGenerate and its neighbours through boto3, answered by the reader."""

from __future__ import annotations

from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from sqlalchemy import func, select

from rocamadre.knowledge.answers.lexicon import NOT_FOUND, NOTHING
from rocamadre.knowledge.answers.sessions import SESSIONS

SORRY = {*NOT_FOUND.values(), NOTHING}
FAKE = "rocamadre.fake-v1:0"
ROLE = "arn:aws:iam::123456789012:role/knowledge"


@pytest.mark.covers("bedrock-agent-runtime:RetrieveAndGenerate")
@pytest.mark.parametrize(
    ("question", "part", "uri"),
    [
        ("When was the lighthouse of Calder Point built?", "1874", "s3://docs/lighthouse.txt"),
        ("¿Cuántos muelles tiene el puerto de Vega?", "cinco", "s3://docs/puerto.txt"),
        ("Quando foi construído o farol da Barra?", "1893", "s3://docs/farol.txt"),
    ],
)
def test_an_answer_with_its_source(ask, checked, question, part, uri):
    answer = ask(question)
    text = answer["output"]["text"]
    assert part in text
    checked(text, answer["citations"])
    (citation,) = answer["citations"]
    assert [each["location"]["s3Location"]["uri"] for each in citation["retrievedReferences"]] == [uri]
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-rocamadre-answered-by"].startswith("reader; ")


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Which enzyme breaks down lactose in the human body?", "en"),
        ("¿Qué enzima descompone la lactosa en el cuerpo humano?", "es"),
        ("Qual enzima decompõe a lactose no corpo humano?", "pt"),
    ],
)
def test_what_is_not_there_is_said_so(ask, checked, question, language):
    answer = ask(question)
    assert answer["output"]["text"] in (NOT_FOUND[language], NOTHING)
    checked(answer["output"]["text"], answer["citations"])
    assert all(not citation["retrievedReferences"] for citation in answer["citations"])


@pytest.mark.covers("bedrock-agent-runtime:RetrieveAndGenerateStream")
def test_a_stream_tells_the_same(ask, checked):
    question = "When was the lighthouse of Calder Point built?"
    answer = ask(question, stream=True)
    events = list(answer["stream"])
    text = "".join(event["output"]["text"] for event in events if "output" in event)
    cited = [event["citation"] for event in events if "citation" in event]
    assert all(set(event) <= {"output", "citation"} for event in events)
    assert text == ask(question)["output"]["text"]
    checked(text, [each["citation"] for each in cited])
    checked(text, cited)
    assert answer["sessionId"]


def test_a_session_remembers(ask, later):
    first = ask("When was the lighthouse of Calder Point built?")
    session = first["sessionId"]
    second = ask("Who built it?", session=session)
    assert second["sessionId"] == session
    assert "Martha Quill" in second["output"]["text"]
    third = ask("And how tall is it?", session=session)
    assert "32" in third["output"]["text"]
    later(90_000)
    with pytest.raises(ClientError, match=f"Session with Id {session} is not valid") as error:
        ask("Who built it?", session=session)
    assert error.value.response["Error"]["Code"] == "ValidationException"


def test_several_questions_are_taken_apart(ask, checked):
    transformation = {"queryTransformationConfiguration": {"type": "QUERY_DECOMPOSITION"}}
    question = "When was the lighthouse of Calder Point built and how many piers does the harbour of Calder have?"
    answer = ask(question, orchestrationConfiguration=transformation)
    text = answer["output"]["text"]
    assert "1874" in text
    assert "three" in text
    checked(text, answer["citations"])
    assert len(answer["citations"]) == 2


def test_a_filter_decides_what_is_read(ask):
    only = {"filter": {"equals": {"key": "language", "value": "es"}}}
    answer = ask(
        "When was the lighthouse of Calder Point built?", retrievalConfiguration={"vectorSearchConfiguration": only}
    )
    assert answer["output"]["text"] in SORRY


@pytest.mark.parametrize(
    ("inner", "code", "part"),
    [
        ({"knowledgeBaseId": "ABSENTBASE"}, "ResourceNotFoundException", "ABSENTBASE"),
        ({"modelArn": "rocamadre.fake-embed-v1:0"}, "ValidationException", "makes embeddings"),
        ({"modelArn": "nobody.knows-v1:0"}, "ValidationException", "not here"),
        (
            {"generationConfiguration": {"promptTemplate": {"textPromptTemplate": "Answer $query$"}}},
            "ValidationException",
            "search_results",
        ),
        (
            {"orchestrationConfiguration": {"promptTemplate": {"textPromptTemplate": "Rewrite $query$"}}},
            "ValidationException",
            "conversation_history",
        ),
        (
            {"generationConfiguration": {"guardrailConfiguration": {"guardrailId": "abc", "guardrailVersion": "1"}}},
            "ResourceNotFoundException",
            "guardrail",
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_wrong_is_said(ask, inner, code, part, stream):
    with pytest.raises(ClientError, match=part) as error:
        ask("When?", stream=stream, **inner)
    assert error.value.response["Error"]["Code"] == code


def test_types_and_members_must_agree(runtime):
    for configuration in ({"type": "KNOWLEDGE_BASE"}, {"type": "EXTERNAL_SOURCES"}):
        with pytest.raises(ClientError, match="holds"):
            runtime.retrieve_and_generate(input={"text": "x"}, retrieveAndGenerateConfiguration=configuration)
    with pytest.raises(ClientError, match="is missing"):
        runtime.retrieve_and_generate(input={"text": "x"})
    with pytest.raises(ClientError, match="blank"):
        runtime.retrieve_and_generate(input={"text": "  "})


def external(source, question="How long is the warranty of the lamp?"):
    return {
        "input": {"text": question},
        "retrieveAndGenerateConfiguration": {
            "type": "EXTERNAL_SOURCES",
            "externalSourcesConfiguration": {"modelArn": FAKE, "sources": [source]},
        },
    }


MANUAL = b"The lamp of the series Corvo has a warranty of 24 months. Its bulb is not covered. Keep it dry."


def test_documents_that_come_along(runtime, client):
    data = {"contentType": "text/plain", "data": MANUAL, "identifier": "manual.txt"}
    answer = runtime.retrieve_and_generate(**external({"sourceType": "BYTE_CONTENT", "byteContent": data}))
    assert "24" in answer["output"]["text"]
    (reference,) = answer["citations"][0]["retrievedReferences"]
    assert reference["location"] == {"type": "CUSTOM", "customDocumentLocation": {"id": "manual.txt"}}
    assert reference["content"]["text"].encode() in MANUAL
    bucket = f"answers-{uuid4().hex[:12]}"
    client("s3").create_bucket(Bucket=bucket)
    client("s3").put_object(Bucket=bucket, Key="manual.txt", Body=MANUAL)
    uri = f"s3://{bucket}/manual.txt"
    answer = runtime.retrieve_and_generate(**external({"sourceType": "S3", "s3Location": {"uri": uri}}))
    assert "24" in answer["output"]["text"]
    assert answer["citations"][0]["retrievedReferences"][0]["location"]["s3Location"]["uri"] == uri
    with pytest.raises(ClientError, match="gone"):
        runtime.retrieve_and_generate(**external({"sourceType": "S3", "s3Location": {"uri": f"{uri}.gone"}}))


def sql_base(client, *, name="shop", context=None):
    storage = {"type": "REDSHIFT", "redshiftConfiguration": {"databaseName": name}}
    engine = {
        "type": "PROVISIONED",
        "provisionedConfiguration": {"clusterIdentifier": "c", "authConfiguration": {"type": "IAM"}},
    }
    redshift = {"storageConfigurations": [storage], "queryEngineConfiguration": engine}
    if context:
        redshift["queryGenerationConfiguration"] = {"generationContext": context}
    return client("bedrock-agent").create_knowledge_base(
        name=f"sql-{uuid4().hex[:12]}",
        roleArn=ROLE,
        knowledgeBaseConfiguration={
            "type": "SQL",
            "sqlKnowledgeBaseConfiguration": {"type": "REDSHIFT", "redshiftConfiguration": redshift},
        },
    )["knowledgeBase"]


def query(runtime, base, text):
    return runtime.generate_query(
        queryGenerationInput={"type": "TEXT", "text": text},
        transformationConfiguration={
            "mode": "TEXT_TO_SQL",
            "textToSqlConfiguration": {
                "type": "KNOWLEDGE_BASE",
                "knowledgeBaseConfiguration": {"knowledgeBaseArn": base["knowledgeBaseArn"]},
            },
        },
    )["queries"]


@pytest.mark.covers("bedrock-agent-runtime:GenerateQuery")
def test_a_question_becomes_a_query(client, runtime):
    base = sql_base(client)
    (found,) = query(runtime, base, "Which product is the most expensive?")
    assert found == {"type": "REDSHIFT_SQL", "sql": 'SELECT "name" FROM "products" ORDER BY "price" DESC LIMIT 1'}
    with pytest.raises(ClientError, match="could not be made a query"):
        query(runtime, base, "Why is the sky blue?")


def test_rows_are_retrieved_and_cited(client, runtime):
    base = sql_base(client)
    found = runtime.retrieve(
        knowledgeBaseId=base["knowledgeBaseId"], retrievalQuery={"text": "What is the stock of the desk?"}
    )["retrievalResults"]
    (cell,) = found[0]["content"]["row"]
    assert (found[0]["content"]["type"], cell["type"]) == ("ROW", "NULL")
    assert found[0]["location"]["sqlLocation"]["query"].startswith("SELECT")
    answer = runtime.retrieve_and_generate(
        input={"text": "What is the price of the chair?"},
        retrieveAndGenerateConfiguration={
            "type": "KNOWLEDGE_BASE",
            "knowledgeBaseConfiguration": {"knowledgeBaseId": base["knowledgeBaseId"], "modelArn": FAKE},
        },
    )
    assert answer["output"]["text"] == "price: 80.0"
    (reference,) = answer["citations"][0]["retrievedReferences"]
    assert reference["location"]["type"] == "SQL"


def test_the_owner_says_what_is_shown(client, runtime):
    context = {
        "tables": [{"name": "shop.main.products", "columns": [{"name": "price", "inclusion": "EXCLUDE"}]}],
        "curatedQueries": [{"naturalLanguage": "What sells out next?", "sql": "SELECT name FROM products"}],
    }
    base = sql_base(client, context=context)
    assert query(runtime, base, "what sells out next")[0]["sql"] == "SELECT name FROM products"
    with pytest.raises(ClientError, match="could not be made a query"):
        query(runtime, base, "Which product is the most expensive?")
    with pytest.raises(ClientError, match="there is no table"):
        sql_base(client, context={"tables": [{"name": "a.b.absent"}]})
    with pytest.raises(ClientError, match="there are: shop"):
        sql_base(client, name="elsewhere")


def test_a_deleted_knowledge_base_leaves_no_conversation(client, runtime, live):
    base = sql_base(client)["knowledgeBaseId"]
    asked = {
        "input": {"text": "What is the price of the chair?"},
        "retrieveAndGenerateConfiguration": {
            "type": "KNOWLEDGE_BASE",
            "knowledgeBaseConfiguration": {"knowledgeBaseId": base, "modelArn": FAKE},
        },
    }
    runtime.retrieve_and_generate(**asked)
    count = select(func.count()).select_from(SESSIONS).where(SESSIONS.c.scope == base)
    with live.platform.sql.connect() as connection:
        assert connection.execute(count).scalar() == 1
    client("bedrock-agent").delete_knowledge_base(knowledgeBaseId=base)
    with live.platform.sql.connect() as connection:
        assert connection.execute(count).scalar() == 0
