"""What a request for an answer becomes: its configuration checked, its models found, its passages looked up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import numpy as np

from rocamadre.api.bedrock_agent_runtime.external import read_external
from rocamadre.api.bedrock_agent_runtime.retrieve import retrieve_explained
from rocamadre.api.bedrock_agent_runtime.wishes import Wish, sampling_of, template_of
from rocamadre.api.inference.generation import begin, resolve_model
from rocamadre.api.inference.guarding import GuardWish
from rocamadre.api.inference.knowledge import AskedModels
from rocamadre.catalog.operations import resolve
from rocamadre.catalog.types import Model, Resolved
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest, RocamadreError
from rocamadre.core.messages import GenerationRequest, Message, Sampling, Text, TextDelta
from rocamadre.knowledge.answers.extractive import language_of
from rocamadre.knowledge.answers.generation import Prompt, Speak
from rocamadre.knowledge.answers.operations import Answering, Asked, Means, Settle
from rocamadre.knowledge.answers.reader import READERS
from rocamadre.knowledge.answers.sessions import open_session
from rocamadre.knowledge.answers.types import Embed, Passage
from rocamadre.knowledge.embedding import from_thread
from rocamadre.knowledge.kinds import kind_of
from rocamadre.knowledge.operations import get_knowledge_base
from rocamadre.knowledge.retrieval import read_retrieval
from rocamadre.knowledge.types import KnowledgeBase

logger = logging.getLogger(__name__)

Json = dict[str, Any]
_EXAMINED = GuardWish(enforce=False)
"""Guardrails look at the question and at the whole answer, not at the prompt that is made of them."""
BY_HEADER = "x-rocamadre-answered-by"
"""Says whether the reader or the model answered, and why."""


def answered_by(ctx: Context, model: Model) -> tuple[bool, str]:
    """Whether the model writes the answer, and why; see the setting `answers.by`."""
    settings = ctx.platform.settings.answers
    if settings.by != "auto":
        return settings.by == "model", f"setting answers.by is {settings.by}"
    if model.source == "remote":
        return True, f"{model.id} is remote"
    if model.parameters >= settings.model_parameters:
        return True, f"{model.id} has {model.parameters:,} parameters"
    size = f"{model.parameters:,}" if model.parameters else "an unknown number of"
    return False, f"{model.id} has {size} parameters; the setting answers.model_parameters asks for more to write"


async def answering(ctx: Context, wish: Wish, settle: Settle | None = None) -> Answering:
    """Everything that is needed to answer.

    Args:
        ctx: Who asks.
        wish: What.
        settle: Looks at the answer before it is remembered.

    Raises:
        NotFound: no such knowledge base.
        InvalidRequest: the model is not fit, or something is wrong.
    """
    resolved = resolve_model(ctx, wish.inner["modelArn"])
    if resolved.model.embeds:
        raise InvalidRequest(
            f"{wish.at}.modelArn: {resolved.model.id} makes embeddings; answers need a model that writes text"
        )
    generation, orchestration = sampling_of(wish.generation), sampling_of(wish.orchestration)
    writes, why = answered_by(ctx, resolved.model)
    ctx.reply_headers[BY_HEADER] = ("model" if writes else "reader") + f"; {why}"
    ctx.notes["answered_by"] = "model" if writes else "reader"
    base = await asyncio.to_thread(_base, ctx, wish) if wish.type == "KNOWLEDGE_BASE" else None
    scope = base.id if base is not None else ""
    session = await asyncio.to_thread(open_session, ctx, wish.session_id, scope=scope, kms_key=wish.kms_key)
    embed = _embed(ctx, base)
    document = await read_external(ctx, wish, embed) if base is None else None
    asked = Asked(
        wish.text,
        session,
        decompose=(wish.orchestration.get("queryTransformationConfiguration") or {}).get("type")
        == "QUERY_DECOMPOSITION",
        generation_template=template_of(wish.generation),
        orchestration_template=template_of(wish.orchestration),
    )
    settings = ctx.platform.settings.answers

    async def looked_up(query: str) -> Sequence[Passage]:
        if document is not None:
            return await asyncio.to_thread(document.find, query)
        assert base is not None
        configuration = wish.inner.get("retrievalConfiguration") or {}
        if base.type == "VECTOR":
            found = await retrieve_explained(ctx, base, query, read_retrieval(configuration))
        else:
            found = list(await kind_of(base.type).retrieve(ctx, base, query, configuration, AskedModels(ctx)))
        return [passage_of(result) for result in found]

    means = Means(
        looked_up,
        READERS.load(settings.reader)(embed, settings.form),
        embed,
        speaker(ctx, resolved, {"generation": generation, "orchestration": orchestration}) if writes else None,
        settle,
    )
    return Answering(ctx, settings, asked, means)


def _base(ctx: Context, wish: Wish) -> KnowledgeBase:
    base = get_knowledge_base(ctx, wish.inner["knowledgeBaseId"])
    if base.status != "ACTIVE":
        raise InvalidRequest(f"knowledge base {base.id} is {base.status}; only an active one answers")
    return base


def passage_of(result: Mapping[str, Any]) -> Passage:
    """A `KnowledgeBaseRetrievalResult` as a passage; a row of a database as `column: value`."""
    content = result["content"]
    text = content.get("text", "")
    if content.get("type") == "ROW":
        text = "; ".join(f"{cell['columnName']}: {cell.get('columnValue', '')}" for cell in content["row"])
    return Passage(
        text,
        language_of(text, ()) if text else "",
        float(result.get("score") or 0.0),
        content,
        result.get("location") or {},
        result.get("metadata") or {},
    )


def _embed(ctx: Context, base: KnowledgeBase | None) -> Embed | None:
    """The knowledge base's embedder, or the default one; without it, words alone decide."""
    name = base.embedder if base is not None and base.embedder else ctx.platform.settings.catalog.default_embedder
    try:
        model = resolve(ctx, name).model
    except RocamadreError as error:
        logger.info("answers.no_embedder", extra={"model": name, "reason": type(error).__name__})
        return None
    if not model.embeds or model.source == "fake":
        return None  # A scripted vector says nothing of meaning.

    async def vectors(texts: Sequence[str]) -> Any:
        engine = await ctx.platform.engines.engine(model.load_spec)
        return np.asarray((await engine.embed(list(texts))).vectors, np.float32)

    found: Embed = from_thread(asyncio.get_running_loop(), vectors)
    return found


def speaker(ctx: Context, resolved: Resolved, samplings: Mapping[str, Sampling]) -> Speak:
    """The model as the answers' rooms know it."""

    async def speak(prompt: Prompt) -> AsyncIterator[str]:
        messages: list[Message] = []
        for question, answer in prompt.history:
            messages += [Message("user", (Text(question),)), Message("assistant", (Text(answer),))]
        messages.append(Message("user", (Text(prompt.user),)))
        request = GenerationRequest(tuple(messages), system=prompt.system, sampling=samplings[prompt.purpose])
        running = await begin(ctx, resolved, request, _EXAMINED)
        try:
            event = running.first
            while event is not None:
                if isinstance(event, TextDelta):
                    yield event.text
                elif hasattr(event, "usage"):
                    running.finish(event.usage)
                event = await anext(running.rest, None)
        finally:
            await running.close()

    return speak
