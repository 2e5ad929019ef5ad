"""What a checked model is, read from its own files: which engine runs it, and the facts that are listed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rocamadre.catalog.cards import language_codes, read_card
from rocamadre.catalog.checks import CheckedFolder, check_gguf, check_safetensors_folder, read_object
from rocamadre.catalog.gguf_header import GgufHeader
from rocamadre.catalog.rows import Facts
from rocamadre.catalog.tensor_shapes import check_decoder_shapes
from rocamadre.catalog.types import TRAINABLE
from rocamadre.core.errors import InvalidRequest
from rocamadre.core.registry import Registry

DEFAULT_CONTEXT = 8192
"""Tokens that a pulled model is run with at most, unless the caller says more: a cache for all that today's models
were trained on would fill a small machine's memory."""

UNKNOWN_CONTEXT = 2048
"""Tokens for a model whose files do not say what it was trained on."""

CONVERTED = "model.gguf"

EXPORTERS: Registry[Callable[..., Any]] = Registry("exporter", {"gguf": "rocamadre.engines.llama.gguf:export_gguf"})

_NOT_DECODERS = frozenset(
    {"bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2", "jina-bert-v3", "modern-bert", "neo-bert", "eurobert"}
    | {"gemma-embedding", "t5", "t5encoder", "clip", "wavtokenizer-dec"}
)
_EXPORTED = ("LlamaForCausalLM", "Qwen2ForCausalLM")
_GENERATES = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the caller decided.

    Attributes:
        name: Shown name; empty for the model's own.
        title: Shown name of a model that has none of its own.
        provider: Who made it.
        kind: Format that safetensors of Llama and Qwen2 shape are exported to.
        context_length: In tokens; None for what the model was trained on, at most `DEFAULT_CONTEXT`.
        licence: Stated by the source; the card's own wins.
    """

    name: str
    title: str
    provider: str
    kind: str = "F16"
    context_length: int | None = None
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Shaped:
    """A model's folder, ready to be put in place.

    Attributes:
        facts: For the catalog's row.
        notes: What a person should know, one sentence each.
    """

    facts: Facts
    notes: tuple[str, ...] = ()


def shape(folder: Path, names: list[str], wishes: Wishes) -> Shaped:
    """Check a folder of fetched files and settle which engine runs them; may replace safetensors by a GGUF file.

    Args:
        folder: Holds the files.
        names: Of the files, relative.
        wishes: See `Wishes`.

    Raises:
        InvalidRequest: a check fails, or no engine runs such a model.
    """
    ggufs = [name for name in names if name.lower().endswith(".gguf")]
    if ggufs:
        return _gguf(folder, ggufs[0], check_gguf(folder / ggufs[0]), wishes)
    checked = check_safetensors_folder(folder)
    if _architecture(checked) in _EXPORTED:
        check_decoder_shapes(checked.config, checked.shapes)
        try:
            return _exported(folder, checked, wishes)
        except InvalidRequest as error:
            (folder / CONVERTED).unlink(missing_ok=True)
            note = f"Kept as safetensors for the torch engine, since it cannot be exported to GGUF: {error.message}"
            return _torch(folder, names, checked, wishes, note=note)
    if checked.config.get("model_type") == "bert" and (folder / "modules.json").is_file():
        return _sentence_encoder(folder, names, checked, wishes)
    return _torch(folder, names, checked, wishes)


def _architecture(checked: CheckedFolder) -> str:
    named = checked.config.get("architectures")
    return str(named[0]) if isinstance(named, list) and named else ""


def _context(trained: int, wishes: Wishes) -> tuple[int, tuple[str, ...]]:
    if wishes.context_length is not None:
        if trained and wishes.context_length > trained:
            raise InvalidRequest(
                f"context_length is {wishes.context_length}; the model was trained on {trained} tokens"
            )
        return wishes.context_length, ()
    if trained > DEFAULT_CONTEXT:
        return DEFAULT_CONTEXT, (
            f"Trained on {trained} tokens, run with {DEFAULT_CONTEXT}; context_length= changes it.",
        )
    return trained or UNKNOWN_CONTEXT, ()


def _common(folder: Path, wishes: Wishes, trained: int) -> tuple[dict[str, Any], tuple[str, ...]]:
    card = read_card(folder / "README.md")
    context, notes = _context(trained, wishes)
    licence = card.get("license_name") or card.get("license") or wishes.licence
    return {
        "provider": wishes.provider,
        "context_length": context,
        "licence": licence if isinstance(licence, str) else ", ".join(licence),
        "languages": language_codes(card.get("language")),
    }, notes


def _gguf(folder: Path, name: str, header: GgufHeader, wishes: Wishes) -> Shaped:
    if header.metadata.get("general.type", "model") != "model":
        raise InvalidRequest(f"{name} holds a {header.metadata['general.type']}, not a whole model")
    if header.architecture in _NOT_DECODERS:
        raise InvalidRequest(f"{name} is of the {header.architecture!r} kind; GGUF files of text generators are run")
    trained = header.of_architecture("context_length")
    values, notes = _common(folder, wishes, trained if isinstance(trained, int) else 0)
    values["licence"] = values["licence"] or str(header.metadata.get("general.license", ""))
    languages = header.metadata.get("general.languages")
    values["languages"] = values["languages"] or language_codes(languages if isinstance(languages, list) else None)
    title = wishes.name or str(header.metadata.get("general.name") or wishes.title)
    facts = Facts(
        name=title[:100],
        engine="llama",
        file=name,
        size_bytes=header.size_bytes,
        parameters=header.parameters,
        customizations=TRAINABLE,
        **values,
    )
    return Shaped(facts, notes)


def _exported(folder: Path, checked: CheckedFolder, wishes: Wishes) -> Shaped:
    EXPORTERS.load("gguf")(folder, folder / CONVERTED, kind=wishes.kind, name=wishes.name or wishes.title)
    shaped = _gguf(folder, CONVERTED, check_gguf(folder / CONVERTED), wishes)
    for path in folder.glob("*.safetensors*"):
        path.unlink()
    return shaped


def _sentence_encoder(folder: Path, names: list[str], checked: CheckedFolder, wishes: Wishes) -> Shaped:
    pooling = read_object(folder, "1_Pooling/config.json") or {}
    if not pooling.get("pooling_mode_mean_tokens") or pooling.get("pooling_mode_cls_token"):
        raise InvalidRequest("this sentence encoder does not take the mean of its tokens; only such are run")
    limits = read_object(folder, "sentence_bert_config.json") or {}
    trained = int(limits.get("max_seq_length") or 256)
    values, notes = _common(folder, wishes, trained)
    facts = Facts(
        name=(wishes.name or wishes.title)[:100],
        engine="embed",
        output_modalities=("EMBEDDING",),
        dimensions=int(checked.config.get("hidden_size") or 0),
        size_bytes=_size(folder, names),
        parameters=checked.parameters,
        **values,
    )
    return Shaped(facts, notes)


def _torch(folder: Path, names: list[str], checked: CheckedFolder, wishes: Wishes, *, note: str = "") -> Shaped:
    architecture = _architecture(checked)
    if checked.config.get("auto_map") or checked.config.get("trust_remote_code"):
        raise InvalidRequest("the model wants to run code of its own (auto_map); that is never done")
    generates = architecture.endswith(_GENERATES)
    if not generates and not architecture.endswith("Model"):
        raise InvalidRequest(
            f"its architecture is {architecture or 'not named'}; run are generators (…{', …'.join(_GENERATES)}) "
            "and plain encoders (…Model)"
        )
    trained = next((value for key in _CONTEXT_KEYS if isinstance(value := checked.config.get(key), int)), 0)
    values, notes = _common(folder, wishes, trained)
    facts = Facts(
        name=(wishes.name or wishes.title)[:100],
        engine="torch",
        output_modalities=("TEXT",) if generates else ("EMBEDDING",),
        customizations=TRAINABLE if generates else (),
        dimensions=0 if generates else int(checked.config.get("hidden_size") or checked.config.get("d_model") or 0),
        size_bytes=_size(folder, names),
        parameters=checked.parameters,
        **values,
    )
    return Shaped(facts, (note, *notes) if note else notes)


def _size(folder: Path, names: list[str]) -> int:
    return sum((folder / name).stat().st_size for name in names if name.endswith(".safetensors"))
