"""Three cards on the home page that do something real: ask, compare meanings, run a batch."""

from __future__ import annotations

import json
import math
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui

from rocamadre.console.failures import ApiFailure
from rocamadre.console.page import Page
from rocamadre.console.parts.elements import Tag, box, button, heading, icon, set_attributes, text, text_field

_BUCKET = "console-batches"
_ROLE = "arn:aws:iam::123456789012:role/console"
_MOST_TOKENS = 120


def trials(page: Page, jobs_changed: Callable[[], Awaitable[None]]) -> None:
    """Draw the cards.

    Args:
        page: The visit.
        jobs_changed: Called when a batch was started.
    """
    with box("cards"):
        _ask(page)
        _compare(page)
        _batch(page, jobs_changed)


async def find_model(page: Page, modality: str) -> str:
    """A model that is really here; the fake one only when there is no other.

    Raises:
        ApiFailure: there is none, or the server does not answer.
    """
    found = (await page.api.get("/_rocamadre/models"))["models"]
    fitting = [model for model in found if modality in model["output_modalities"]]
    if not fitting:
        raise ApiFailure(page.t("trials.no_model"))
    fitting.sort(key=lambda model: bool(model["source"] == "fake"))
    return str(fitting[0]["id"])


class _Card:
    """One card: what it is, its fields, one button, and what came of it."""

    def __init__(self, page: Page, name: str, symbol: str) -> None:
        self._page = page
        self.place = box("card trial")
        with self.place:
            with box("row"):
                icon(symbol, classes="icon trial-icon")
                heading(page.t(f"trials.{name}"), level=3)
            text(page.t(f"trials.{name}_hint"), classes="faint small")

    def act(self, label: str, work: Callable[[], Awaitable[str]]) -> None:
        """Add the button; `work` returns what is told."""
        with self.place:
            made: Tag = button(label, lambda: self._run(made, work), kind="primary")
            self._told = text("", classes="told-here hostile", role="status")

    async def _run(self, made: Tag, work: Callable[[], Awaitable[str]]) -> None:
        set_attributes(made, disabled=True)
        self._told.set_text(self._page.t("trials.working"))
        try:
            said = await work()
        except ApiFailure as failure:
            said = self._page.t("states.unreachable") if failure.unreachable else failure.message
        if not made.is_deleted:
            self._told.set_text(said)
            set_attributes(made, disabled=False)


def _ask(page: Page) -> None:
    t = page.t
    card = _Card(page, "ask", "chat")
    asked = {"text": t("trials.ask_example")}
    with card.place:
        _field(t("trials.question"), asked, "text")

    async def ask() -> str:
        model = await find_model(page, "TEXT")
        began = time.monotonic()
        answer = await page.api.call(
            "bedrock-runtime",
            "converse",
            modelId=model,
            messages=[{"role": "user", "content": [{"text": asked["text"] or "?"}]}],
            inferenceConfig={"maxTokens": _MOST_TOKENS},
        )
        took = t.duration(time.monotonic() - began)
        said = " ".join(block.get("text", "") for block in answer["output"]["message"]["content"])
        return f"{said}\n\n{model} · {t('trials.tokens', count=answer['usage']['outputTokens'])} · {took}"

    card.act(t("trials.ask_do"), ask)


def _compare(page: Page) -> None:
    t = page.t
    card = _Card(page, "compare", "search")
    given = {"one": t("trials.one_example"), "two": t("trials.two_example")}
    with card.place:
        _field(t("trials.one"), given, "one")
        _field(t("trials.two"), given, "two")

    async def compare() -> str:
        model = await find_model(page, "EMBEDDING")
        body = {"model": model, "input": [given["one"] or " ", given["two"] or " "]}
        first, second = (item["embedding"] for item in (await page.api.post("/v1/embeddings", body))["data"])
        return t("trials.similar", percent=t.number(100 * cosine(first, second), digits=1), model=model)

    card.act(t("trials.compare_do"), compare)


def cosine(one: list[float], two: list[float]) -> float:
    """Cosine of the angle between two vectors of the same length; 0 when one is nothing.

    >>> round(cosine([1.0, 0.0], [1.0, 1.0]), 3)
    0.707
    """
    length = math.hypot(*one) * math.hypot(*two)
    return sum(a * b for a, b in zip(one, two, strict=True)) / length if length else 0.0


def _batch(page: Page, jobs_changed: Callable[[], Awaitable[None]]) -> None:
    t = page.t
    card = _Card(page, "batch", "batch")
    given = {"lines": t("trials.batch_example")}
    with card.place:
        _field(t("trials.questions"), given, "lines", lines=3)

    async def start() -> str:
        questions = [line.strip() for line in given["lines"].splitlines() if line.strip()][:1000]
        if not questions:
            raise ApiFailure(t("trials.no_questions"))
        model = await find_model(page, "TEXT")
        name = f"console-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        await _put_questions(page, name, questions)
        await page.api.call(
            "bedrock",
            "create_model_invocation_job",
            jobName=name,
            roleArn=_ROLE,
            modelId=model,
            modelInvocationType="Converse",
            inputDataConfig={"s3InputDataConfig": {"s3Uri": f"s3://{_BUCKET}/{name}/input.jsonl"}},
            outputDataConfig={"s3OutputDataConfig": {"s3Uri": f"s3://{_BUCKET}/{name}/output/"}},
        )
        await jobs_changed()
        return t("trials.batch_begun", name=name, count=len(questions))

    card.act(t("trials.batch_do"), start)


async def _put_questions(page: Page, name: str, questions: list[str]) -> None:
    records = [
        {
            "recordId": f"question-{place:04d}",
            "modelInput": {
                "messages": [{"role": "user", "content": [{"text": question}]}],
                "inferenceConfig": {"maxTokens": _MOST_TOKENS},
            },
        }
        for place, question in enumerate(questions, 1)
    ]
    body = "\n".join(map(json.dumps, records)).encode()
    try:
        await page.api.call("s3", "create_bucket", Bucket=_BUCKET)
    except ApiFailure as failure:
        if failure.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise
    await page.api.call("s3", "put_object", Bucket=_BUCKET, Key=f"{name}/input.jsonl", Body=body)


def _field(label: str, values: dict[str, str], name: str, *, lines: int = 1) -> ui.element:
    def change(value: Any) -> None:
        values[name] = str(value)[:20_000]

    return text_field(label, value=values[name], on_change=change, lines=lines)
