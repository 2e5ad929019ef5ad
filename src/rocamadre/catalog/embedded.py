"""Models that come with Rocamadre, and the fake ones. Each is listed only while its files are really there."""

from __future__ import annotations

import logging
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import msgspec

from rocamadre.catalog.cards import language_codes, read_card
from rocamadre.catalog.gguf_header import read_header
from rocamadre.catalog.safetensors_header import read_safetensors_header
from rocamadre.catalog.types import TRAINABLE, Model
from rocamadre.core.errors import InvalidRequest
from rocamadre.core.settings import Settings

logger = logging.getLogger(__name__)

PROVIDER = "Rocamadre"
ROCA_MINI = "rocamadre.roca-mini-v1:0"
MINILM = "rocamadre.minilm-l6-v2:0"
ROCA_EMBED = "rocamadre.roca-embed-v1:0"
FAKE = "rocamadre.fake-v1:0"
FAKE_EMBED = "rocamadre.fake-embed-v1:0"

ROCA_MINI_FILE = "roca-mini-q8_0.gguf"
MINILM_FOLDER = "all-minilm-l6-v2"
ROCA_EMBED_FILE = "static.safetensors"
ROCA_EMBED_CONTEXT = 8192
ROCA_EMBED_DIMENSIONS = 384
FAKE_CONTEXT = 131_072
FAKE_DIMENSIONS = 384


def embedded_dir(name: str, settings: Settings | None = None) -> Path | None:
    """Where an embedded model's files lie: the folder of the settings, the package's data, or the checkout.

    Args:
        name: The model's folder, for example `roca-mini`.
        settings: For `catalog.embedded_models`.

    Returns:
        None when it is in none of them.
    """
    package = Path(str(files("rocamadre")))
    places = [package / "_models" / name]
    checkout = package.parent.parent
    if (checkout / "pyproject.toml").is_file():
        places.append(checkout / "models" / name)
    if settings is not None and settings.catalog.embedded_models is not None:
        places = [settings.catalog.embedded_models / name]
    return next((place for place in places if place.is_dir()), None)


def embedded_models(settings: Settings) -> list[Model]:
    """Embedded and fake models that can run now."""
    found = [_roca_mini(settings), _minilm(settings), _roca_embed(settings)]
    return [model for model in found if model is not None] + [*_fakes(settings)]


def _roca_mini(settings: Settings) -> Model | None:
    folder = embedded_dir("roca-mini", settings)
    if folder is None or not (folder / ROCA_MINI_FILE).is_file():
        return None
    path = folder / ROCA_MINI_FILE
    try:
        stat = path.stat()
        return _gguf_model(path, stat.st_mtime_ns, stat.st_size)
    except (OSError, InvalidRequest) as error:
        logger.warning("catalog.embedded_damaged", extra={"file": path.name, "reason": str(error)})
        return None


@lru_cache(maxsize=8)
def _gguf_model(path: Path, _mtime_ns: int, size_bytes: int) -> Model:
    header = read_header(path)
    card = read_card(path.with_name("card.md"))
    licence = card.get("license") or header.metadata.get("general.license", "")
    languages = card.get("language") or header.metadata.get("general.languages")
    return Model(
        id=ROCA_MINI,
        short_name="roca-mini",
        name="Roca Mini",
        provider=PROVIDER,
        engine="llama",
        path=path,
        output_modalities=("TEXT",),
        context_length=int(header.of_architecture("context_length") or 0),
        licence=str(licence),
        languages=language_codes(languages),
        size_bytes=size_bytes,
        parameters=header.parameters,
        source="embedded",
        customizations=TRAINABLE,
    )


class _EncoderConfig(msgspec.Struct, frozen=True):
    hidden_size: int


class _EncoderLimits(msgspec.Struct, frozen=True):
    max_seq_length: int


def _minilm(settings: Settings) -> Model | None:
    """Listed once set-up has written `ready.json`, its last file."""
    folder = settings.home / "models" / MINILM_FOLDER
    try:
        return _encoder(folder, (folder / "ready.json").stat().st_mtime_ns)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, InvalidRequest) as error:
        logger.warning("catalog.embedded_damaged", extra={"file": folder.name, "reason": str(error)})
        return None


@lru_cache(maxsize=8)
def _encoder(folder: Path, _mtime_ns: int) -> Model:
    config = msgspec.json.decode((folder / "config.json").read_bytes(), type=_EncoderConfig)
    limits = msgspec.json.decode((folder / "sentence_bert_config.json").read_bytes(), type=_EncoderLimits)
    card = read_card(folder / "README.md")
    return Model(
        id=MINILM,
        short_name="minilm",
        name="MiniLM L6 v2",
        provider="sentence-transformers",
        engine="embed",
        path=folder,
        output_modalities=("EMBEDDING",),
        context_length=limits.max_seq_length,
        dimensions=config.hidden_size,
        licence=str(card.get("license", "")),
        languages=language_codes(card.get("language")),
        size_bytes=(folder / "model.onnx").stat().st_size,
        parameters=read_safetensors_header(folder / "model.safetensors").parameters,
        source="embedded",
    )


def _roca_embed(settings: Settings) -> Model | None:
    folder = embedded_dir("roca-embed", settings)
    if folder is None or not (folder / ROCA_EMBED_FILE).is_file():
        return None
    try:
        return _table(folder, (folder / ROCA_EMBED_FILE).stat().st_mtime_ns)
    except (OSError, InvalidRequest) as error:
        logger.warning("catalog.embedded_damaged", extra={"file": folder.name, "reason": str(error)})
        return None


@lru_cache(maxsize=8)
def _table(folder: Path, _mtime_ns: int) -> Model:
    card = read_card(folder / "card.md")
    return Model(
        id=ROCA_EMBED,
        short_name="roca-embed",
        name="Roca Embed",
        provider=PROVIDER,
        engine="embed",
        path=folder,
        output_modalities=("EMBEDDING",),
        context_length=ROCA_EMBED_CONTEXT,
        dimensions=ROCA_EMBED_DIMENSIONS,
        licence=str(card.get("license", "")),
        languages=language_codes(card.get("language")),
        size_bytes=(folder / ROCA_EMBED_FILE).stat().st_size,
        parameters=read_safetensors_header(folder / ROCA_EMBED_FILE).parameters,
        source="embedded",
    )


def _fakes(settings: Settings) -> tuple[Model, Model]:
    rules = settings.catalog.fake_rules
    text = Model(
        id=FAKE,
        short_name="fake",
        name="Fake (no model)",
        provider=PROVIDER,
        engine="fake",
        path=None,
        output_modalities=("TEXT",),
        context_length=FAKE_CONTEXT,
        source="fake",
        options={} if rules is None else {"rules": str(rules)},
    )
    vectors = Model(
        id=FAKE_EMBED,
        short_name="fake-embed",
        name="Fake embedder",
        provider=PROVIDER,
        engine="fake",
        path=None,
        output_modalities=("EMBEDDING",),
        context_length=FAKE_CONTEXT,
        dimensions=FAKE_DIMENSIONS,
        source="fake",
        options={"dimensions": FAKE_DIMENSIONS},
    )
    return text, vectors
