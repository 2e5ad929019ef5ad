"""The process that holds a torch model: `python -m rocamadre.engines.torch.child`, started by `TorchEngine`.

Several generations run by turns, a token each; new requests are taken in between.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import torch

from rocamadre.core.errors import InvalidRequest, RocamadreError
from rocamadre.core.messages import Finish, GenerationRequest, TextDelta
from rocamadre.engines.childside import Inbox, begin, run
from rocamadre.engines.torch.adapters import adapter_options
from rocamadre.engines.torch.decoding import generate
from rocamadre.engines.torch.model import TorchModel
from rocamadre.engines.torch.wire import read_request

_BATCH = 16


def serve(model: TorchModel, inbox: Inbox) -> None:
    """Answer until the parent is gone."""
    running: dict[int, Iterator[TextDelta | Finish]] = {}
    while True:
        while (frame := inbox.take(wait=not running)) is not None:
            request, kind, body = frame
            if kind == "converse":
                running[request] = _events(model, body)
            else:
                _answer(model, inbox, request, kind, body)
        for request in list(running):
            if inbox.cancelled(request) or not _step(inbox, request, running[request]):
                del running[request]


def _events(model: TorchModel, body: Any) -> Iterator[TextDelta | Finish]:
    if model.kind == "encoder":
        raise InvalidRequest("the model is an encoder; it makes embeddings and does not generate text")
    request = read_request(body)
    yield from generate(model, request, body["sampling"], grammar=body.get("grammar", ""))


def _step(inbox: Inbox, request: int, events: Iterator[TextDelta | Finish]) -> bool:
    """Run one generation for a token; whether there is more to come."""
    try:
        event = next(events)
    except InvalidRequest as error:
        inbox.finish(request, "invalid", error.message)
        return False
    except Exception as error:  # one request's failure is not the others'
        traceback.print_exc()
        inbox.finish(request, "failure", f"the model failed: {type(error).__name__}")
        return False
    if isinstance(event, Finish):
        inbox.finish(request, "done", msgspec.to_builtins(event))
        return False
    if event.text or event.logprobs:
        inbox.send(request, "item", (event.text, [msgspec.structs.astuple(_frozen(one)) for one in event.logprobs]))
    return True


class _Logprob(msgspec.Struct):
    token_id: int
    text: str
    data: bytes
    logprob: float | None
    top: list[tuple[str, bytes, float, int]]


def _frozen(token: Any) -> _Logprob:
    top = [(*candidate, number) for candidate, number in zip(token.top, token.top_ids, strict=True)]
    return _Logprob(token.token_id, token.text, token.data, token.logprob, top)


def _answer(model: TorchModel, inbox: Inbox, request: int, kind: str, body: Any) -> None:
    try:
        if kind == "render":
            inbox.finish(request, "done", _render(model, read_request(body)))
        elif kind == "embed":
            inbox.finish(request, "done", _embed(model, body))
        else:
            inbox.finish(request, "invalid", f"this engine does not {kind}")
    except InvalidRequest as error:
        inbox.finish(request, "invalid", error.message)
    except Exception as error:  # as in `_step`
        traceback.print_exc()
        inbox.finish(request, "failure", f"the model failed: {type(error).__name__}")


def _render(model: TorchModel, request: GenerationRequest) -> tuple[str, list[int]]:
    if model.kind == "encoder":
        raise InvalidRequest("the model is an encoder; it reads texts, not conversations")
    return model.render(request)


def _embed(model: TorchModel, texts: list[str]) -> tuple[bytes, list[int], list[bool]]:
    if model.kind != "encoder":
        raise InvalidRequest("the model generates text; it does not make embeddings")
    longest = model.max_embedding_tokens
    full = [model.tokenizer(text)["input_ids"] for text in texts]
    tokens = [ids if len(ids) <= longest else [*ids[: longest - 1], ids[-1]] for ids in full]
    order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
    vectors = torch.empty(len(tokens), model.config.hidden_size)
    for start in range(0, len(order), _BATCH):
        batch = order[start : start + _BATCH]
        vectors[batch] = model.embed([tokens[index] for index in batch])
    return vectors.numpy().tobytes(), [len(ids) for ids in tokens], [len(ids) > longest for ids in full]


def main() -> None:
    """Load, announce, serve."""
    spec, announcer = begin()
    try:
        model = TorchModel(
            Path(spec["path"]),
            context_length=spec["context_length"],
            threads=spec["threads"],
            adapter=adapter_options(spec["options"]),
        )
    except RocamadreError as error:
        announcer.refuse(error)
    inbox = Inbox(spec["fd"])
    announcer.ready(
        {
            "kind": model.kind,
            "context_length": model.context_length,
            "chat_template": model.chat_template,
            "control_tokens": model.control_tokens,
        }
    )
    serve(model, inbox)


if __name__ == "__main__":
    run(main)
