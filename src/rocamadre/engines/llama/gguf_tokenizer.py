"""A Hugging Face byte-level BPE tokenizer as GGUF holds it.

llama.cpp splits text with a pattern built into it, chosen by `tokenizer.ggml.pre`; a tokenizer whose pattern it lacks
would get other ids, silently. So the pattern is recognised exactly or the export is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rocamadre.core.errors import InvalidRequest

NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5
"""ggml's kinds of token."""

_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN2 = _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
SPLITS = {_LLAMA3: "llama-bpe", _QWEN2: "qwen2"}
"""Patterns as tokenizer.json writes them to llama.cpp's names."""


@dataclass(frozen=True, slots=True)
class GgufTokenizer:
    """What goes under `tokenizer.*`.

    Attributes:
        pre: llama.cpp's name of the splitting pattern.
        tokens: By id, as byte-level strings.
        kinds: By id, ggml's kind.
        merges: Pairs joined by a space, best first.
        add_bos: Whether text is begun with `bos` unasked.
        chat_template: Jinja source, or None.
    """

    pre: str
    tokens: list[str]
    kinds: list[int]
    merges: list[str]
    bos: int | None
    eos: int | None
    pad: int | None
    add_bos: bool
    chat_template: str | None


def read_tokenizer(folder: Path, *, vocabulary: int, config: dict[str, Any]) -> GgufTokenizer:
    """Read tokenizer.json, tokenizer_config.json and the chat template of a model folder.

    Args:
        folder: The model's folder.
        vocabulary: Rows of the model's embedding; ids beyond the tokenizer's become unused tokens.
        config: The model's config.json, for the ids of begin and end when the tokenizer is silent.

    Raises:
        InvalidRequest: not byte-level BPE, a pattern that llama.cpp lacks, or more tokens than the model has.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise InvalidRequest(f"{folder} holds no tokenizer.json; the exporter reads no other tokenizer format")
    state = json.loads(path.read_text(encoding="utf-8"))
    settings = _optional_json(folder / "tokenizer_config.json")
    pre = detect_pre(state)
    tokens, kinds = _token_table(state, vocabulary)
    ids = {text: number for number, text in enumerate(tokens)}
    bos = _mark(settings.get("bos_token"), ids, config.get("bos_token_id"))
    return GgufTokenizer(
        pre=pre,
        tokens=tokens,
        kinds=kinds,
        merges=[pair if isinstance(pair, str) else " ".join(pair) for pair in state["model"]["merges"]],
        bos=bos,
        eos=_mark(settings.get("eos_token"), ids, config.get("eos_token_id")),
        pad=_mark(settings.get("pad_token"), ids, config.get("pad_token_id")),
        add_bos=bos is not None and adds_bos(state, settings, bos=tokens[bos]),
        chat_template=read_chat_template(folder, settings),
    )


def detect_pre(state: dict[str, Any]) -> str:
    """llama.cpp's name for the way this tokenizer.json splits text.

    Raises:
        InvalidRequest: llama.cpp has no such splitting.
    """
    model = state["model"]
    if model.get("type") != "BPE" or model.get("byte_fallback") or model.get("unk_token"):
        raise InvalidRequest(
            "only byte-level BPE tokenizers are exported; this one has another model or an unknown token"
        )
    normalizer = state.get("normalizer")
    steps = _steps(state.get("pre_tokenizer"))
    kinds = [step["type"] for step in steps]
    byte_level = steps[-1] if kinds and kinds[-1] == "ByteLevel" else None
    if byte_level is None or byte_level.get("add_prefix_space"):
        raise InvalidRequest("only byte-level BPE tokenizers without a prefix space are exported")
    pre = None
    if byte_level.get("use_regex", True):
        if kinds == ["ByteLevel"]:
            pre = "gpt-2"
        elif kinds == ["Digits", "ByteLevel"] and steps[0].get("individual_digits"):
            pre = "smollm"
    elif kinds == ["Split", "ByteLevel"] and steps[0].get("behavior") == "Isolated" and not steps[0].get("invert"):
        pre = SPLITS.get(steps[0]["pattern"].get("Regex"))
    if pre is None:
        raise InvalidRequest(
            "the engine has no equal of this tokenizer's splitting, so its token ids would differ. Exported are: "
            "ByteLevel with its regex (GPT-2), Digits then ByteLevel (SmolLM), and the Split patterns of Llama 3 and "
            "Qwen2. ByteLevel without a regex has no equal: train the tokenizer with use_regex=True"
        )
    if normalizer is not None and not (pre == "qwen2" and normalizer.get("type") == "NFC"):
        raise InvalidRequest(f"the engine does not normalise text, this tokenizer does ({normalizer.get('type')})")
    return pre


def _steps(pre_tokenizer: dict[str, Any] | None) -> list[dict[str, Any]]:
    if pre_tokenizer is None:
        return []
    if pre_tokenizer["type"] == "Sequence":
        return list(pre_tokenizer["pretokenizers"])
    return [pre_tokenizer]


def _token_table(state: dict[str, Any], vocabulary: int) -> tuple[list[str], list[int]]:
    by_id = {number: (text, NORMAL) for text, number in state["model"]["vocab"].items()}
    for token in state.get("added_tokens", []):
        by_id[token["id"]] = (token["content"], CONTROL if token["special"] else USER_DEFINED)
    if max(by_id, default=-1) >= vocabulary:
        raise InvalidRequest(f"the tokenizer has ids up to {max(by_id)}, the model only {vocabulary} embeddings")
    table = [by_id.get(number, (f"[PAD{number}]", UNUSED)) for number in range(vocabulary)]
    return [text for text, _ in table], [kind for _, kind in table]


def _mark(token: Any, ids: dict[str, int], fallback: Any) -> int | None:
    text = token.get("content") if isinstance(token, dict) else token
    if text is not None and text in ids:
        return ids[text]
    if isinstance(fallback, list):
        fallback = fallback[0] if fallback else None
    return fallback if isinstance(fallback, int) else None


def adds_bos(state: dict[str, Any], settings: dict[str, Any], *, bos: str) -> bool:
    """Whether encoding begins with `bos`: the tokenizer's own processor decides, since that is what encodes."""
    processor = state.get("post_processor") or {}
    processors = processor.get("processors", [processor])
    for step in processors:
        single = step.get("single") if step.get("type") == "TemplateProcessing" else None
        if single and single[0].get("SpecialToken", {}).get("id") == bos:
            return True
    return False if processor else bool(settings.get("add_bos_token", False))


def read_chat_template(folder: Path, settings: dict[str, Any]) -> str | None:
    """The chat template of a model folder; None where it has none."""
    path = folder / "chat_template.jinja"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    template = settings.get("chat_template")
    if isinstance(template, list):
        named = {entry["name"]: entry["template"] for entry in template}
        template = named.get("default")
    return template if isinstance(template, str) else None


def _optional_json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
