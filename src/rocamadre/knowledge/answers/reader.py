"""Readers by name."""

from __future__ import annotations

from collections.abc import Callable

from rocamadre.core.registry import Registry
from rocamadre.knowledge.answers.types import Embed, Reader

MakeReader = Callable[[Embed | None, str], Reader]
"""From an embedder (None: do without) and the setting `answers.form` to a reader."""

READERS: Registry[MakeReader] = Registry(
    "reader",
    {
        "extractive": "rocamadre.knowledge.answers.extractor.reader:make_reader",
        "words": "rocamadre.knowledge.answers.extractive:ExtractiveReader",
    },
)
