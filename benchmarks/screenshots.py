"""Pictures of every page of the console: `python -m benchmarks.screenshots FOLDER [--docs]`.

Both themes, three languages, wide and narrow, of a server of its own on which something has happened. `--docs` writes
the few small ones of `docs/console/` instead. Needs chromium.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import shutil
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Browser, sync_playwright

from benchmarks.harness import ROOT, client, server
from rocamadre.guardrails.redteam.building import make_probes
from rocamadre.guardrails.redteam.keeping import keep_report
from rocamadre.guardrails.redteam.report import make_report
from rocamadre.guardrails.redteam.types import Attempt, Outcome, Plan

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATHS = {
    "home": "/",
    "playground": "/playground",
    "models": "/models",
    "model": "/models/roca-mini",
    "training": "/training",
    "data": "/training/data?uri=s3://rocamadre-data/datasets/rocks.jsonl",
    "new": "/training/new?training=s3://rocamadre-data/datasets/rocks.jsonl",
    "knowledge": "/knowledge",
    "asked": "/knowledge/{base}?ask=How+often+does+the+lamp+turn%3F",
    "document": "/knowledge/{base}/document?id=s3://documents/lighthouse.md&source={source}&start=0&end=200",
    "guardrails": "/guardrails",
    "tried": "/guardrails/{guardrail}?example=personal",
    "grounded": "/guardrails/{guardrail}?example=claim",
    "streamed": "/guardrails/{guardrail}?view=stream&example=personal&model=rocamadre.fake-v1:0",
    "policies": "/guardrails/{guardrail}?view=policies",
    "versions": "/guardrails/{guardrail}?view=versions",
    "redteam": "/guardrails/red-team",
    "jobs": "/jobs",
    "job": "/jobs/{job}",
    "compare": "/training/compare?jobs={job},{other}",
    "tuned": "/models/{tuned}",
    "activity": "/activity?minutes=5",
    "calls": "/activity/calls",
    "requests": "/activity/requests",
    "request": "/activity/requests/{request}",
    "missing": "/nowhere",
}
SIZES = {"wide": (1280, 860), "narrow": (390, 844)}
DOCS = (
    ("home", "light", "en", "wide"),
    ("request", "light", "en", "wide"),
    ("activity", "dark", "en", "wide"),
    ("data", "light", "es", "wide"),
    ("home", "dark", "pt", "narrow"),
)
_LARGEST_BYTES = 60_000


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's chromium; no browser is downloaded."""
    program = next((found for found in map(shutil.which, PROGRAMS) if found), None)
    if program is None:
        raise SystemExit("chromium is not installed")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield opened
        opened.close()


@contextmanager
def console(**settings: str) -> Iterator[tuple[str, str, int, Path]]:
    """A server with a console; yields the address of the console and of the server, the server's pid, its home."""
    wished = {"CONSOLE__ENABLED": "true", "CONSOLE__PORT": "0", "LOG__INVOCATION_FLUSH_S": "0.2"} | settings
    with server(settings=wished) as (address, pid, home):
        url = json.loads((home / "server.json").read_text())["console"]
        urllib.request.urlopen(f"{url}/healthz", timeout=60).read()
        yield url, address, pid, home


def use(address: str) -> dict[str, str]:
    """Let something happen that pages can show; what stands in `{}` of their addresses."""
    s3, bedrock = client("s3", address), client("bedrock", address)
    s3.create_bucket(Bucket="model-calls")
    bedrock.put_model_invocation_logging_configuration(loggingConfig={"s3Config": {"bucketName": "model-calls"}})
    runtime = client("bedrock-runtime", address)
    for number in range(24):
        for model in ("rocamadre.fake-v1:0", "amazon.nova-lite-v1:0"):
            runtime.converse(
                modelId=model,
                messages=[{"role": "user", "content": [{"text": f"What is {number} and {number}?"}]}],
                inferenceConfig={"maxTokens": 16},
            )
        time.sleep(0.4)
    lines = [
        json.dumps({"recordId": f"r{n}", "modelInput": {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}})
        for n in range(20)
    ]
    s3.put_object(Bucket="model-calls", Key="in/questions.jsonl", Body="\n".join(lines).encode())
    bedrock.create_model_invocation_job(
        jobName="twenty-questions",
        roleArn="arn:aws:iam::123456789012:role/batch",
        modelId="rocamadre.fake-v1:0",
        modelInvocationType="Converse",
        inputDataConfig={"s3InputDataConfig": {"s3Uri": "s3://model-calls/in/questions.jsonl"}},
        outputDataConfig={"s3OutputDataConfig": {"s3Uri": "s3://model-calls/out/"}},
    )
    s3.create_bucket(Bucket="rocamadre-data")
    rows = [
        {"prompt": f"What is rock {n}?", "completion": f"Rock {n} is limestone, like the others."} for n in range(40)
    ]
    broken = [{"prompt": "What is missing here?"}, {"prompt": "", "completion": "Nothing was asked."}]
    body = "\n".join(map(json.dumps, [*rows[:7], *broken, *rows[7:]]))
    s3.put_object(Bucket="rocamadre-data", Key="datasets/rocks.jsonl", Body=body.encode())
    said = [{"role": "user", "content": [{"text": "Where did the time go?"}]}]
    traced = runtime.converse(modelId="amazon.nova-lite-v1:0", messages=said, inferenceConfig={"maxTokens": 60})
    trained = [_train(address, name, rate) for name, rate in (("rocks-slowly", "0.0005"), ("rocks-fast", "0.002"))]
    base, source = _read(address)
    guardrail = _guard(address)
    time.sleep(6)
    return {
        "guardrail": guardrail,
        "base": base,
        "source": source,
        "request": traced["ResponseMetadata"]["RequestId"],
        "other": trained[0]["jobArn"].rpartition("/")[2],
        "job": trained[1]["jobArn"].rpartition("/")[2],
        "tuned": quote(trained[1]["outputModelName"], safe=""),
    }


def _guard(address: str) -> str:
    """A guardrail with two versions, and a report that looks as if attacks had been tried; its id."""
    bedrock = client("bedrock", address)
    kinds = ("HATE", "INSULTS", "SEXUAL", "VIOLENCE", "MISCONDUCT", "PROMPT_ATTACK")
    masked = ("EMAIL", "PHONE", "NAME", "CREDIT_DEBIT_CARD_NUMBER")
    made: str = bedrock.create_guardrail(
        name="customer-chat",
        description="What customers and the assistant say to each other",
        contentPolicyConfig={
            "filtersConfig": [
                {
                    "type": kind,
                    "inputStrength": "MEDIUM",
                    "outputStrength": "NONE" if kind == "PROMPT_ATTACK" else "MEDIUM",
                }
                for kind in kinds
            ]
        },
        topicPolicyConfig={
            "topicsConfig": [
                {
                    "name": "Investment advice",
                    "definition": "Advice on where to put money, or which shares to buy or sell.",
                    "examples": ["Which fund should I put my savings into?"],
                    "type": "DENY",
                }
            ]
        },
        wordPolicyConfig={
            "wordsConfig": [{"text": "Project Heron"}],
            "managedWordListsConfig": [{"type": "PROFANITY"}],
        },
        sensitiveInformationPolicyConfig={
            "piiEntitiesConfig": [
                *({"type": kind, "action": "ANONYMIZE"} for kind in masked),
                {"type": "PASSWORD", "action": "ANONYMIZE"},
            ],
            "regexesConfig": [{"name": "invoice", "pattern": r"\bINV-\d{6}\b", "action": "ANONYMIZE"}],
        },
        contextualGroundingPolicyConfig={
            "filtersConfig": [{"type": kind, "threshold": 0.7} for kind in ("GROUNDING", "RELEVANCE")]
        },
        blockedInputMessaging="Sorry, I cannot help with that.",
        blockedOutputsMessaging="Sorry, I cannot answer that.",
    )["guardrailId"]
    for description in ("for the trial", "after the trial"):
        bedrock.create_guardrail_version(guardrailIdentifier=made, description=description)
    plan = Plan("rocamadre.fake-v1:0", guardrail=f"{made}:1", limit=6)
    probes = make_probes(plan)
    attempts = [
        Attempt(probe.id, condition, Outcome.ESCAPED, "the answer holds the word", "Here it is.")
        if place % 4 == 0 and condition == "plain" and not probe.harmless
        else Attempt(probe.id, condition, Outcome.HELD, "", "No.")
        for place, probe in enumerate(probes)
        for condition in plan.conditions
    ]
    report = make_report(plan, probes, attempts, made_at="2026-11-21T10:00:00+00:00")
    keep_report(client("s3", address), "us-east-1", report, json.dumps(report).encode())
    return made


def _read(address: str) -> tuple[str, str]:
    """A knowledge base of the documents of the examples; its id, and its data source's."""
    s3, agent = client("s3", address), client("bedrock-agent", address)
    s3.create_bucket(Bucket="documents")
    for path in (ROOT / "examples" / "documents").iterdir():
        s3.put_object(Bucket="documents", Key=path.name, Body=path.read_bytes())
    models = client("bedrock", address).list_foundation_models(byOutputModality="EMBEDDING")["modelSummaries"]
    vector = {"embeddingModelArn": min((each["modelArn"] for each in models), key=lambda arn: ("fake" in arn, arn))}
    base = agent.create_knowledge_base(
        name="coast",
        roleArn="arn:aws:iam::123456789012:role/any",
        knowledgeBaseConfiguration={"type": "VECTOR", "vectorKnowledgeBaseConfiguration": vector},
    )["knowledgeBase"]["knowledgeBaseId"]
    bucket = {"type": "S3", "s3Configuration": {"bucketArn": "arn:aws:s3:::documents"}}
    made = agent.create_data_source(knowledgeBaseId=base, name="documents", dataSourceConfiguration=bucket)
    place = {"knowledgeBaseId": base, "dataSourceId": made["dataSource"]["dataSourceId"]}
    job = agent.start_ingestion_job(**place)["ingestionJob"]
    while job["status"] not in ("COMPLETE", "FAILED"):
        time.sleep(0.5)
        job = agent.get_ingestion_job(**place, ingestionJobId=job["ingestionJobId"])["ingestionJob"]
    return base, place["dataSourceId"]


def _train(address: str, name: str, rate: str) -> dict[str, Any]:
    """Tune the embedded model on questions about rocks, to its end."""
    s3, bedrock = client("s3", address), client("bedrock", address)
    for part, numbers in (("train", range(160)), ("validation", range(160, 176))):
        rows = [{"prompt": f"What is rock {n}?", "completion": f"Rock {n} is limestone."} for n in numbers]
        s3.put_object(Bucket="rocamadre-data", Key=f"{part}.jsonl", Body="\n".join(map(json.dumps, rows)).encode())
    made = bedrock.create_model_customization_job(
        jobName=name,
        customModelName=f"{name}-model",
        roleArn="arn:aws:iam::123456789012:role/tuning",
        baseModelIdentifier="rocamadre.roca-mini-v1:0",
        trainingDataConfig={"s3Uri": "s3://rocamadre-data/train.jsonl"},
        validationDataConfig={"validators": [{"s3Uri": "s3://rocamadre-data/validation.jsonl"}]},
        outputDataConfig={"s3Uri": "s3://model-calls/tuned/"},
        hyperParameters={"epochCount": "2", "batchSize": "4", "learningRate": rate, "evaluate_every": "10"},
    )
    while (job := bedrock.get_model_customization_job(jobIdentifier=made["jobArn"]))["status"] == "InProgress":
        time.sleep(1)
    if job["status"] != "Completed":
        raise SystemExit(f"the training {name} ended as {job['status']}: {job.get('failureMessage')}")
    return job


def picture(browser: Browser, address: str, theme: str, language: str, size: str, *, whole: bool) -> bytes:
    """One picture, as WebP."""
    url = "/".join(address.split("/")[:3])
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, locale=language, color_scheme="light")
    context.add_cookies(
        [
            {"name": "roca_theme", "value": theme, "url": url},
            {"name": "roca_language", "value": language, "url": url},
        ]
    )
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("h1")
    page.wait_for_function("document.querySelector('[aria-busy=true], .skeleton') === null")
    page.wait_for_timeout(300)
    options: dict[str, Any] = {"format": "webp", "quality": 80 if whole else 70}
    if whole:
        tall = page.evaluate("Math.min(4000, document.documentElement.scrollHeight)")
        options |= {"captureBeyondViewport": True}
        options |= {"clip": {"x": 0, "y": 0, "width": width, "height": tall, "scale": 1}}
    found = context.new_cdp_session(page).send("Page.captureScreenshot", options)
    context.close()
    return base64.b64decode(found["data"])


def main() -> None:
    """Make them."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", nargs="?", type=Path, default=ROOT / "docs" / "console")
    arguments.add_argument("--docs", action="store_true")
    arguments.add_argument("--only", nargs="+", choices=list(PATHS), default=list(PATHS))
    options = arguments.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    wanted = (
        DOCS if options.docs else tuple(itertools.product(options.only, ("light", "dark"), ("en", "es", "pt"), SIZES))
    )
    with console() as (url, address, _, _), chromium() as browser:
        known = use(address)
        for name, theme, language, size in wanted:
            path = PATHS[name].format_map(known)
            shown = picture(browser, url + path, theme, language, size, whole=not options.docs)
            if options.docs and len(shown) > _LARGEST_BYTES:
                raise SystemExit(f"the picture of {name} has {len(shown)} bytes; the repository takes {_LARGEST_BYTES}")
            (options.folder / f"{name}-{theme}-{language}-{size}.webp").write_bytes(shown)
            print(f"{name} {theme} {language} {size}: {len(shown):,} bytes")


if __name__ == "__main__":
    main()
