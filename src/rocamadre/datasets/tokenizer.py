"""A model's tokenizer and chat template, read from its files without torch.

The ids are those of the engine that serves the model: a GGUF file's own vocabulary, merges and splitting pattern, or a
directory's `tokenizer.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.chat_template import ChatTemplate
from rocamadre.engines.llama.gguf_tokenizer import CONTROL, SPLITS, USER_DEFINED, adds_bos, read_chat_template
from rocamadre.engines.llama.header import read_header
from rocamadre.engines.rendering import Guard

_TURN_ENDS = (
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<end_of_turn>",
    "<|end|>",
    "<|end_of_turn|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "</s>",
    "<|eot|>",
)
_DOCUMENT_ENDS = ("<|endoftext|>", "<|end_of_text|>", "<|end▁of▁sentence|>")


@dataclass(frozen=True, slots=True)
class ModelTokenizer:
    """How a model reads.

    Attributes:
        tokens: The tokenizer; adds nothing on its own.
        template: None for a model that is given plain text only.
        guard: Cuts marks in what people wrote, as the engines do.
        bos: Id that text begins with, or None.
        begins: Whether the engine writes `bos` before text unasked.
        eos: Id of the mark that ends an answer.
        ends: Ids of all marks that end a turn; `eos` among them.
        document_end: Id of the mark that ends a text in pre-training; `eos` where there is no other.
        special: Ids that are no text.
    """

    tokens: Tokenizer
    template: ChatTemplate | None
    guard: Guard
    bos: int | None
    begins: bool
    eos: int
    ends: frozenset[int]
    document_end: int
    special: frozenset[int]

    def encode(self, text: str) -> list[int]:
        """Ids of text in which marks count as marks; nothing is added."""
        ids: list[int] = self.tokens.encode(text, add_special_tokens=False).ids
        return ids

    def count(self, text: str) -> int:
        """How many tokens a text has."""
        return len(self.encode(text))

    def piece(self, token: int) -> str:
        """A token as text; U+FFFD for a part of a character."""
        text: str = self.tokens.decode([token], skip_special_tokens=False)
        return text


def open_tokenizer(path: Path) -> ModelTokenizer:
    """Read a model's tokenizer.

    Args:
        path: A GGUF file, or a Hugging Face directory with `tokenizer.json`.

    Raises:
        InvalidRequest: there is none, it is damaged, or it is of a kind whose ids would differ from the engine's.
    """
    if path.is_dir():
        return _of_directory(path)
    if path.is_file():
        return _of_gguf(path)
    raise InvalidRequest(f"{path}: there is no such model; give a GGUF file or a Hugging Face directory")


def _of_directory(folder: Path) -> ModelTokenizer:
    try:
        state = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        # Without its processor: it would trim the places that tokens have in the text.
        tokens = Tokenizer.from_str(json.dumps({**state, "post_processor": None}))
    except FileNotFoundError:
        raise InvalidRequest(f"{folder} holds no tokenizer.json; other tokenizer files are not read") from None
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{folder / 'tokenizer.json'} cannot be read: {error}") from error
    except Exception as error:  # tokenizers raises Exception itself for a file that is none
        raise InvalidRequest(f"{folder / 'tokenizer.json'} is no tokenizer: {error}") from error
    settings = _optional_json(folder / "tokenizer_config.json")
    config = _optional_json(folder / "config.json") | _optional_json(folder / "generation_config.json")
    named = {name: _as_text(settings.get(name)) for name in ("bos_token", "eos_token", "pad_token", "unk_token")}
    marks = {name: text for name, text in named.items() if text}
    bos = _id(tokens, marks.get("bos_token"), config.get("bos_token_id"))
    eos = _id(tokens, marks.get("eos_token"), config.get("eos_token_id"))
    begins = bos is not None and adds_bos(state, settings, bos=tokens.id_to_token(bos) or "")
    special = {token["id"] for token in state.get("added_tokens", ()) if token.get("special")}
    added = [token["content"] for token in state.get("added_tokens", ()) if len(token["content"]) > 2]
    more = config.get("eos_token_id")
    return _made(
        tokens,
        source=read_chat_template(folder, settings),
        marks=marks,
        guarded=added,
        bos=bos,
        begins=begins,
        eos=eos,
        ends=[each for each in more if isinstance(each, int)] if isinstance(more, list) else [],
        special=special,
        where=folder,
    )


def _of_gguf(path: Path) -> ModelTokenizer:
    header = read_header(path)
    values = header.values
    tokens = _gguf_tokens(values, path)
    bos, eos = values.get("tokenizer.ggml.bos_token_id"), values.get("tokenizer.ggml.eos_token_id")
    vocabulary = values["tokenizer.ggml.tokens"]
    ids = {"bos_token": bos, "eos_token": eos, "pad_token": values.get("tokenizer.ggml.padding_token_id")}
    return _made(
        tokens,
        source=values.get("tokenizer.chat_template"),
        marks={name: vocabulary[index] for name, index in ids.items() if index is not None},
        guarded=header.marks,
        bos=bos,
        begins=bos is not None and bool(values.get("tokenizer.ggml.add_bos_token", False)),
        eos=eos,
        ends=[
            values[name] for name in ("tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id") if name in values
        ],
        special=set(header.control_tokens.values()),
        where=path,
    )


def _gguf_tokens(values: Mapping[str, Any], path: Path) -> Tokenizer:
    model, pre = values.get("tokenizer.ggml.model"), values.get("tokenizer.ggml.pre", "default")
    if model != "gpt2" or (pre not in ("gpt-2", "smollm") and pre not in SPLITS.values()):
        raise InvalidRequest(
            f"{path.name} has a tokenizer of kind {model!r}, pattern {pre!r}; read are byte-level BPE (gpt2) with "
            f"gpt-2, smollm, {', '.join(SPLITS.values())}. Give the model's Hugging Face directory instead"
        )
    vocabulary = values["tokenizer.ggml.tokens"]
    ids = {token: index for index, token in enumerate(vocabulary)}
    merges = [tuple(pair.split(" ", 1)) for pair in values.get("tokenizer.ggml.merges", ())]
    kept = [pair for pair in merges if len(pair) == 2 and pair[0] + pair[1] in ids]
    # The engine takes a piece that is a token as that token, before it merges.
    tokens = Tokenizer(models.BPE(vocab=ids, merges=kept, ignore_merges=pre == "llama-bpe"))
    tokens.decoder = decoders.ByteLevel()
    tokens.pre_tokenizer = _pre_tokenizer(pre)
    if pre == "qwen2":
        tokens.normalizer = normalizers.NFC()
    kinds = values.get("tokenizer.ggml.token_type", ())
    for token, kind in zip(vocabulary, kinds, strict=False):
        if kind == CONTROL:
            tokens.add_special_tokens([AddedToken(token, normalized=False, special=True)])
        elif kind == USER_DEFINED:
            tokens.add_tokens([AddedToken(token, normalized=False)])
    return tokens


def _pre_tokenizer(pre: str) -> pre_tokenizers.PreTokenizer:
    if pre == "gpt-2":
        return pre_tokenizers.ByteLevel(add_prefix_space=False)
    if pre == "smollm":
        digits = pre_tokenizers.Digits(individual_digits=True)
        return pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    pattern = next(pattern for pattern, name in SPLITS.items() if name == pre)
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def _made(
    tokens: Tokenizer,
    *,
    source: str | None,
    marks: dict[str, str],
    guarded: Sequence[str],
    bos: int | None,
    begins: bool,
    eos: int | None,
    ends: Sequence[int],
    special: set[int],
    where: Path,
) -> ModelTokenizer:
    if eos is None:
        raise InvalidRequest(f"{where} names no token that ends an answer (eos); such a model never stops")
    tokens.no_truncation()
    tokens.no_padding()
    known = {index for name in _TURN_ENDS if (index := tokens.token_to_id(name)) is not None and index in special}
    document = next((i for name in _DOCUMENT_ENDS if (i := tokens.token_to_id(name)) is not None and i in special), eos)
    return ModelTokenizer(
        tokens=tokens,
        template=ChatTemplate(source, marks) if source else None,
        guard=Guard(tuple(guarded)),
        bos=bos,
        begins=begins,
        eos=eos,
        ends=frozenset({eos, *ends, *known}),
        document_end=document,
        special=frozenset(special),
    )


def _id(tokens: Tokenizer, text: str | None, fallback: Any) -> int | None:
    found = tokens.token_to_id(text) if text else None
    if found is None and isinstance(fallback, list):
        fallback = fallback[0] if fallback else None
    return found if found is not None else fallback if isinstance(fallback, int) else None


def _as_text(token: Any) -> str:
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else ""


def _optional_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"{path} cannot be read: {error}") from error
