"""Where `roca data` reads and writes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rocamadre.catalog.host import LocalHost
from rocamadre.catalog.operations import find_model
from rocamadre.cli.session import Session
from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.operations import find_dataset, keep_dataset, read_dataset
from rocamadre.datasets.sources import Source, find_sources, is_data_name
from rocamadre.datasets.tokenizer import ModelTokenizer, open_tokenizer
from rocamadre.datasets.types import Example
from rocamadre.datasets.validation import Rules, load_examples
from rocamadre.datasets.writing import write_as
from rocamadre.identity.operations import DEFAULT_ACCOUNT
from rocamadre.store.objects.registry import open_objects

Examples = Callable[[], Iterator[Example]]
"""Reads the examples from the beginning, each time it is called."""


@contextmanager
def open_sources(session: Session, place: str) -> Iterator[Sequence[Source]]:
    """The files of a place, `s3://` ones from this home's store in the default account.

    Raises:
        NotFound: nothing is there.
    """
    if "://" not in place:
        yield find_sources(place)
        return
    objects = open_objects(session.settings)
    try:
        yield find_sources(place, objects.of(DEFAULT_ACCOUNT))
    finally:
        objects.close()


@contextmanager
def open_data(session: Session, host: LocalHost, place: str, format_: str | None) -> Iterator[Examples]:
    """The examples of a file, an object or a registered data set.

    Raises:
        NotFound: there is none.
        InvalidRequest: when they are read: records are bad.
    """
    if is_place(place):
        with open_sources(session, place) as sources:
            yield lambda: load_examples(sources, Rules(format=format_))
        return
    dataset = find_dataset(host, place)
    yield lambda: read_dataset(host, dataset)


def is_place(place: str) -> bool:
    """Whether it names files, not a registered data set."""
    return "://" in place or "/" in place or is_data_name(place) or Path(place).exists()


def default_name(place: str) -> str:
    """A data set's name of a place: its last part, in the letters that names have.

    >>> default_name("s3://data/My Rows.jsonl.gz"), default_name("support@0123456789ab")
    ('my-rows', 'support')
    """
    last = place.rstrip("/").rsplit("/", 1)[-1].partition("@")[0].lower().removesuffix(".gz")
    stem = last.rpartition(".")[0] if is_data_name(last) else last
    return re.sub(r"[^a-z0-9._-]+", "-", stem).strip("-._")[:50] or "data"


def base_tokenizer(host: LocalHost, base: str | None) -> ModelTokenizer | None:
    """The tokenizer of a model that is here; None where none is named.

    Raises:
        NotFound: there is no such model.
        InvalidRequest: it has no files, or a tokenizer that cannot be read.
    """
    if base is None:
        return None
    model = find_model(host, base)
    if model.path is None:
        raise InvalidRequest(f"{model.short_name} has no files here, so its tokens cannot be counted; choose another")
    return open_tokenizer(model.path)


def rules_of(
    host: LocalHost,
    *,
    format_: str | None,
    encoding: str,
    ignore_unknown: bool,
    base: str | None,
    max_length: int | None,
) -> Rules:
    """Options as rules."""
    return Rules(
        format=format_,
        encoding=encoding,
        ignore_unknown=ignore_unknown,
        tokenizer=base_tokenizer(host, base),
        max_length=max_length,
    )


def put_out(
    host: LocalHost, examples: Iterable[Example], name: str, out: Path | None, format_: str | None, **facts: Any
) -> str:
    """Write examples into a file, or register them; returns where they are.

    Raises:
        InvalidRequest: there are none, or the format has no place for them.
    """
    if out is None:
        return keep_dataset(host, examples, name, **facts).label
    out.parent.mkdir(parents=True, exist_ok=True)
    write_as(out, examples, format_)
    return str(out)
