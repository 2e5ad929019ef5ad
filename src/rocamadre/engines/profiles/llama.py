"""Meta Llama."""

from __future__ import annotations

from typing import Any

from rocamadre.core.messages import Event, Finish, GenerationRequest, Sampling, TextDelta
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles.checks import array, integer, number, read_body, record, string
from rocamadre.engines.profiles.media import read_file, with_images
from rocamadre.engines.profiles.prompts import read_llama
from rocamadre.engines.profiles.sampling import settled
from rocamadre.engines.profiles.types import AnswerFacts, ChunkWriter, Json, TextProfile

BODY = record(
    {
        "prompt": string(1),
        "max_gen_len": integer(1, 8192),
        "temperature": number(0, 1),
        "top_p": number(0, 1),
        "images": array(string(1), 0, 20),
    },
    required=("prompt",),
)
_LENGTH = ("max_tokens", "model_context_window_exceeded")


def read(body: Any) -> GenerationRequest:
    """From the body."""
    read_body(body, BODY)
    said = read_llama(body["prompt"])
    images = tuple(read_file(each, f"#/images/{index}") for index, each in enumerate(body.get("images", ())))
    return GenerationRequest(
        with_images(said.messages, images),
        said.system,
        sampling=settled(
            Sampling(
                max_tokens=body.get("max_gen_len", 512),
                temperature=body.get("temperature", 0.5),
                top_p=body.get("top_p", 0.9),
            )
        ),
    )


def write(answer: Answer, facts: AnswerFacts) -> Json:
    """The answer's body."""
    finish = answer.finish
    return {
        "generation": answer.text,
        "prompt_token_count": finish.usage.input_tokens,
        "generation_token_count": finish.usage.output_tokens,
        "stop_reason": "length" if finish.reason in _LENGTH else "stop",
    }


def chunks(facts: AnswerFacts) -> ChunkWriter:
    """A chunk per piece of text, counted; the first says how long the prompt is, the last why it ended."""
    count = 0

    def write_chunk(event: Event) -> list[Json]:
        nonlocal count
        if isinstance(event, TextDelta):
            count += 1
            prompt = facts.input_tokens if count == 1 else None
            return [
                {
                    "generation": event.text,
                    "prompt_token_count": prompt,
                    "generation_token_count": count,
                    "stop_reason": None,
                }
            ]
        if isinstance(event, Finish):
            return [
                {
                    "generation": "",
                    "prompt_token_count": None if count else facts.input_tokens,
                    "generation_token_count": event.usage.output_tokens,
                    "stop_reason": "length" if event.reason in _LENGTH else "stop",
                }
            ]
        return []

    return write_chunk


PROFILE = TextProfile("Meta Llama", ("meta.llama*",), read, write, chunks, counts_first=True, body=BODY)
LOCAL = TextProfile("Meta Llama", (), read, write, chunks, counts_first=True, body=BODY)
