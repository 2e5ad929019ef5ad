"""A knowledge base: documents from S3, found by meaning and by filter, answered from with citations, a follow-up."""

import json
import time

import boto3

MODEL = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"
EMBEDDER = "arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-embed-text-v2:0"
DOCUMENTS = {
    "en/ferry.md": "# The ferry\n\nThe ferry to the island leaves at nine in the morning. A ticket costs four euros.\n",
    "en/museum.md": "# The museum\n\nThe museum of salt is closed on Mondays. Children enter free of charge.\n",
    "es/faro.md": "# El faro\n\nEl faro se puede visitar los domingos. Lo construyó Inés Robledo en 1874.\n",
    "pt/forno.md": "# O forno\n\nO forno da aldeia acende às cinco da manhã. O pão de centeio sai às sete.\n",
}

s3, agent, runtime = (boto3.client(name) for name in ("s3", "bedrock-agent", "bedrock-agent-runtime"))
name = f"example-{time.time_ns()}"


def wait(look, done, bad="FAILED"):
    """Look again until it is done."""
    for _ in range(300):
        state = look()
        if state == done:
            return
        if state == bad:
            raise RuntimeError(state)
        time.sleep(0.5)
    raise TimeoutError(done)


def ingest(place):
    """Read what is new, changed or gone in the bucket, and say what was done."""
    job = agent.start_ingestion_job(**place)["ingestionJob"]["ingestionJobId"]
    wait(lambda: agent.get_ingestion_job(**place, ingestionJobId=job)["ingestionJob"]["status"], "COMPLETE")
    figures = agent.get_ingestion_job(**place, ingestionJobId=job)["ingestionJob"]["statistics"]
    new, changed = figures["numberOfNewDocumentsIndexed"], figures["numberOfModifiedDocumentsIndexed"]
    print(f"read: {new} new, {changed} changed, {figures['numberOfDocumentsDeleted']} deleted")


def ask(question, **session):
    """An answer, and the sources that its citations name."""
    how = {
        "type": "KNOWLEDGE_BASE",
        "knowledgeBaseConfiguration": {"knowledgeBaseId": base, "modelArn": MODEL},
    }
    answer = runtime.retrieve_and_generate(input={"text": question}, retrieveAndGenerateConfiguration=how, **session)
    text = answer["output"]["text"]
    print(f"{question} -> {text}")
    for citation in answer["citations"]:
        part = citation["generatedResponsePart"]["textResponsePart"]
        for reference in citation["retrievedReferences"]:
            print("  cited:", reference["location"]["s3Location"]["uri"].split("/", 3)[3], part["text"] in text)
    return answer["sessionId"]


s3.create_bucket(Bucket=name)
for key, text in DOCUMENTS.items():
    s3.put_object(Bucket=name, Key=key, Body=text.encode())
    facts = {"metadataAttributes": {"language": key[:2]}}
    s3.put_object(Bucket=name, Key=f"{key}.metadata.json", Body=json.dumps(facts).encode())
base = agent.create_knowledge_base(
    name=name,
    roleArn="arn:aws:iam::123456789012:role/knowledge",
    knowledgeBaseConfiguration={
        "type": "VECTOR",
        "vectorKnowledgeBaseConfiguration": {"embeddingModelArn": EMBEDDER},
    },
)["knowledgeBase"]["knowledgeBaseId"]
try:
    wait(lambda: agent.get_knowledge_base(knowledgeBaseId=base)["knowledgeBase"]["status"], "ACTIVE")
    source = agent.create_data_source(
        knowledgeBaseId=base,
        name="bucket",
        dataSourceConfiguration={"type": "S3", "s3Configuration": {"bucketArn": f"arn:aws:s3:::{name}"}},
    )["dataSource"]
    place = {"knowledgeBaseId": base, "dataSourceId": source["dataSourceId"]}
    ingest(place)

    only = {"filter": {"equals": {"key": "language", "value": "pt"}}, "numberOfResults": 1}
    (found,) = runtime.retrieve(
        knowledgeBaseId=base,
        retrievalQuery={"text": "bread"},
        retrievalConfiguration={"vectorSearchConfiguration": only},
    )["retrievalResults"]
    print("filtered:", found["location"]["s3Location"]["uri"].split("/", 3)[3], found["metadata"]["language"])

    session = ask("When does the ferry leave?")
    ask("What does a ticket cost?", sessionId=session)
    ask("¿Quién construyó el faro?")

    later = DOCUMENTS["en/ferry.md"].replace("nine", "ten")
    s3.put_object(Bucket=name, Key="en/ferry.md", Body=later.encode())
    s3.delete_object(Bucket=name, Key="en/museum.md")
    s3.delete_object(Bucket=name, Key="en/museum.md.metadata.json")
    ingest(place)
    ask("When does the ferry leave?")
finally:
    agent.delete_knowledge_base(knowledgeBaseId=base)
    for each in s3.list_objects_v2(Bucket=name).get("Contents", []):
        s3.delete_object(Bucket=name, Key=each["Key"])
    s3.delete_bucket(Bucket=name)
print("cleaned up")
