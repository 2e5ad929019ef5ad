"""The formats of records that are known."""

from __future__ import annotations

from rocamadre.core.registry import Registry
from rocamadre.datasets.formats.types import Format, Record
from rocamadre.datasets.problems import BadRecord

FORMATS: Registry[Format] = Registry(
    "data format",
    {
        "prompt-completion": "rocamadre.datasets.formats.prompt_completion:FORMAT",
        "bedrock-conversation": "rocamadre.datasets.formats.bedrock_conversation:FORMAT",
        "anthropic": "rocamadre.datasets.formats.system_messages:FORMAT",
        "openai": "rocamadre.datasets.formats.openai_chat:FORMAT",
        "graded": "rocamadre.datasets.formats.graded:FORMAT",
        "text": "rocamadre.datasets.formats.running_text:TEXT",
        "input": "rocamadre.datasets.formats.running_text:INPUT",
        "alpaca": "rocamadre.datasets.formats.alpaca:FORMAT",
        "dolly": "rocamadre.datasets.formats.instruction_response:FORMAT",
        "sharegpt": "rocamadre.datasets.formats.sharegpt:FORMAT",
        "chatml": "rocamadre.datasets.formats.chatml:FORMAT",
        "preference": "rocamadre.datasets.formats.preference:FORMAT",
        "canonical": "rocamadre.datasets.formats.canonical:FORMAT",
    },
)

_RANK = (
    "bedrock-conversation",
    "graded",
    "preference",
    "prompt-completion",
    "alpaca",
    "dolly",
    "sharegpt",
    "canonical",
    "anthropic",
    "openai",
    "chatml",
    "text",
    "input",
)
"""Asked in this order, the more particular first; then plugins."""


def detect_format(record: Record) -> Format | None:
    """The format that a record seems to be in; None where it seems to be in none."""
    names = [*_RANK, *(name for name in FORMATS.names() if name not in _RANK)]
    for each in map(FORMATS.load, names):
        if all(name in record for name in each.required) and each.matches(record):
            return each
    return None


def no_format(record: Record) -> BadRecord:
    """What to say of a record that is in no format."""
    shown = ", ".join(list(record)[:8]) or "none"
    if "messages" not in record and {"image-ref", "caption"} <= record.keys():
        message, fix = "the record describes an image (image-ref, caption)", "models are trained on text here"
        return BadRecord("media", "image-ref", message, fix)
    forms = "; ".join(f"{name}: {', '.join(FORMATS.load(name).required)}" for name in _RANK if name != "canonical")
    message = f"its members ({shown}) are those of no known format"
    return BadRecord(
        "unknown-format", "", message[:300], f"make records of it with `roca data build`, or use one of: {forms}"
    )
