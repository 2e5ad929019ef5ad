"""Rows of the catalog's tables as models, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from rocamadre.catalog.types import Model


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a row's `facts` hold: `Model` without its id and path."""

    name: str
    provider: str
    engine: str
    file: str = ""
    output_modalities: tuple[str, ...] = ("TEXT",)
    input_modalities: tuple[str, ...] = ("TEXT",)
    context_length: int = 2048
    dimensions: int = 0
    licence: str = ""
    languages: tuple[str, ...] = ()
    size_bytes: int = 0
    parameters: int = 0
    source: str = "pulled"
    customizations: tuple[str, ...] = ()
    options: dict[str, Any] = {}


def model_from_row(row: Any, models_folder: Path) -> Model:
    """The model that a row describes.

    Args:
        row: Of `tables.MODELS`.
        models_folder: `<home>/models`.
    """
    facts = msgspec.json.decode(row.facts, type=Facts)
    values = {field: getattr(facts, field) for field in Facts.__struct_fields__ if field != "file"}
    path = models_folder / row.folder / facts.file if row.folder else None
    return Model(id=row.id, short_name=row.short_name, path=path, **values)
