"""Examples through filters, with an account of what went and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.content import plain_text, shown
from rocamadre.datasets.filters.length import Length
from rocamadre.datasets.filters.registry import make_filter
from rocamadre.datasets.filters.types import Filter
from rocamadre.datasets.tokenizer import ModelTokenizer
from rocamadre.datasets.types import Example

_SAMPLES = 5


@dataclass(slots=True)
class Dropped:
    """What one filter dropped.

    Attributes:
        filter: As it was written.
        count: How many.
        reasons: How many for each reason.
        samples: The first ones, as (number of the example from 1, reason, beginning of its text).
    """

    filter: str
    count: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    samples: list[tuple[int, str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Account:
    """What came of it.

    Attributes:
        read: Examples that came.
        kept: Examples that stayed.
        dropped: By filter, in the order in which they were asked.
    """

    dropped: list[Dropped]
    read: int = 0
    kept: int = 0

    def as_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "read": self.read,
            "kept": self.kept,
            "dropped": [
                {
                    "filter": each.filter,
                    "count": each.count,
                    "reasons": dict(each.reasons),
                    "samples": [{"record": number, "reason": why, "text": text} for number, why, text in each.samples],
                }
                for each in self.dropped
            ],
        }


def apply_filters(
    examples: Iterable[Example], written: Sequence[str], *, tokenizer: ModelTokenizer | None = None
) -> tuple[Iterator[Example], Account]:
    """Examples that every filter keeps, asked in this order; the first that drops one is told.

    Args:
        examples: In order.
        written: Filters as `make_filter` takes them.
        tokenizer: For filters that count tokens.

    Returns:
        The examples that stay, and the account, which is complete when all were taken.

    Raises:
        Unknown: a filter is not known.
        InvalidRequest: a setting is wrong, or a filter counts tokens and there is no tokenizer.
    """
    filters = [make_filter(each) for each in written]
    for each in filters:
        if isinstance(each, Length) and each.needs_tokenizer:
            if tokenizer is None:
                raise InvalidRequest("a filter counts tokens: name the model whose tokens count (--base)")
            each.use_tokenizer(tokenizer)
    account = Account([Dropped(each) for each in written])
    return _kept(examples, filters, account), account


def _kept(examples: Iterable[Example], filters: Sequence[Filter], account: Account) -> Iterator[Example]:
    for example in examples:
        account.read += 1
        for one, dropped in zip(filters, account.dropped, strict=True):
            if why := one.drop(example):
                dropped.count += 1
                dropped.reasons[why] += 1
                if len(dropped.samples) < _SAMPLES:
                    dropped.samples.append((account.read, why, shown(plain_text(example))))
                break
        else:
            account.kept += 1
            yield example
