"""Which sources there are, and how one is opened for a data source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.core.registry import Registry
from rocamadre.knowledge.sources.place import Place
from rocamadre.knowledge.sources.protocol import Source

Opener: TypeAlias = Callable[[Place, Mapping[str, Any]], Source]
"""Opens a source of the wire's configuration for its type, or of a loader. Raises `RocamadreError` for a wrong one."""

SOURCES: Registry[Opener] = Registry(
    "source",
    {
        "S3": "rocamadre.knowledge.sources.s3:open_source",
        "WEB": "rocamadre.knowledge.sources.web:open_source",
        "DIRECTORY": "rocamadre.knowledge.sources.directory:open_source",
        "GIT": "rocamadre.knowledge.sources.git:open_source",
        "SQL": "rocamadre.knowledge.sources.sql:open_source",
    },
)
LOADERS = ("DIRECTORY", "GIT", "SQL")
"""Ours; Amazon Bedrock has no word for them, so they travel as the loader of a data source of type CUSTOM."""

_MEMBERS = {"S3": "s3Configuration", "WEB": "webConfiguration"}


def open_source(place: Place, configuration: Mapping[str, Any], loader: Mapping[str, Any]) -> Source:
    """The source of a data source; opening it reads nothing, so it also serves to check one.

    Args:
        place: Where it is read.
        configuration: The wire's `dataSourceConfiguration`.
        loader: Ours; empty for none.

    Raises:
        InvalidRequest: the configuration is wrong, or it is CUSTOM without a loader.
        NotBuilt: there is no such source here.
    """
    kind = configuration.get("type", "")
    if kind == "CUSTOM":
        if not loader:
            raise InvalidRequest(
                "a CUSTOM data source has nothing to list: documents come by IngestKnowledgeBaseDocuments, or from "
                f"a loader of type {', '.join(LOADERS)}"
            )
        if loader.get("type") not in LOADERS:
            raise InvalidRequest(f"loader type {loader.get('type')!r:.50} is none of {', '.join(LOADERS)}")
        return SOURCES.load(str(loader["type"]))(place, loader)
    member = _MEMBERS.get(kind)
    if member is None:
        raise NotBuilt(f"data sources of type {kind} are not here; S3, WEB and CUSTOM are")
    if member not in configuration:
        raise InvalidRequest(f"a data source of type {kind} needs dataSourceConfiguration.{member}")
    return SOURCES.load(kind)(place, configuration[member])
