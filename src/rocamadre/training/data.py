"""Canonical records as token ids on the disk: made once for a run, then mapped into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.canonical import read
from rocamadre.datasets.rendered import Rendered, render_example
from rocamadre.datasets.tokenizer import ModelTokenizer
from rocamadre.datasets.types import Chat, Example, Text
from rocamadre.training.checkpoints import flush

_NAMED = 5
"""Bad records that a refusal names."""


@dataclass(frozen=True, slots=True)
class TokenTable:
    """Examples as tokens.

    Attributes:
        ids: (tokens,) int32, all examples end to end.
        learned: (tokens,) bool: whether the prediction of this token counts.
        offsets: (examples + 1,) int64: where each begins.
        targets: (examples,) int64: tokens whose prediction counts; the first of an example is never predicted.
    """

    ids: npt.NDArray[np.int32]
    learned: npt.NDArray[np.bool_]
    offsets: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each example."""
        return np.diff(self.offsets)

    def subset(self, indices: npt.NDArray[np.int64]) -> TokenTable:
        """Some of the examples, copied."""
        parts = [slice(self.offsets[index], self.offsets[index + 1]) for index in indices]
        return make_table((self.ids[part], self.learned[part]) for part in parts)


def make_table(examples: Iterable[tuple[npt.ArrayLike, npt.ArrayLike]]) -> TokenTable:
    """A table of ids and what is learned of them, one pair an example."""
    ids, learned, lengths, targets = [], [], [], []
    for row, marks in examples:
        ids.append(np.asarray(row, np.int32))
        learned.append(np.asarray(marks, np.bool_))
        lengths.append(len(ids[-1]))
        targets.append(int(learned[-1][1:].sum()))
    return TokenTable(
        np.concatenate([np.empty(0, np.int32), *ids]),
        np.concatenate([np.empty(0, np.bool_), *learned]),
        np.concatenate([[0], np.cumsum(np.asarray(lengths, np.int64))]).astype(np.int64),
        np.asarray(targets, np.int64),
    )


def table_of(
    paths: Sequence[Path],
    tokenizer: ModelTokenizer,
    *,
    objective: str,
    max_length: int,
    cache: Path,
    warn: Callable[[str], None],
    tick: Callable[[], None] = lambda: None,
) -> TokenTable:
    """The table of some files, from the cache when an earlier start of the run made it.

    Args:
        paths: Canonical files.
        tokenizer: Of the model.
        objective: `text` learns running text, cut into pieces of `max_length`; the others learn answers.
        max_length: In tokens.
        cache: Files are put at this path with endings of their own.
        warn: Told of what is left out.
        tick: Called now and then; may raise, to stop.

    Raises:
        InvalidRequest: a file is gone or damaged, a conversation is too long, or nothing is left to learn.
    """
    found = _load(cache)
    if found is not None:
        return found
    table = make_table(_examples(paths, tokenizer, objective=objective, max_length=max_length, warn=warn, tick=tick))
    if not len(table):
        raise InvalidRequest(f"nothing to learn in {', '.join(path.name for path in paths)}: no record has an answer")
    _store(cache, table)
    return table


def split(table: TokenTable, *, share: float, seed: int) -> tuple[TokenTable, TokenTable]:
    """Take a share of the examples away for validation, at least one, the same ones for the same seed."""
    order = np.random.default_rng([seed, 1 << 30]).permutation(len(table))
    count = max(1, round(len(table) * share))
    if count >= len(table):
        raise InvalidRequest(
            f"validation_share {share:g} of {len(table)} examples leaves nothing to train on; give more data, or a "
            "validation set of its own"
        )
    return table.subset(np.sort(order[count:])), table.subset(np.sort(order[:count]))


def _examples(
    paths: Sequence[Path],
    tokenizer: ModelTokenizer,
    *,
    objective: str,
    max_length: int,
    warn: Callable[[str], None],
    tick: Callable[[], None],
) -> Iterator[Rendered]:
    long: list[str] = []
    too_long = empty = 0
    for path in paths:
        for number, example in enumerate(_read(path), start=1):
            if number % 256 == 0:
                tick()
            _check_kind(example, objective, f"{path.name}, record {number}")
            rendered = render_example(example, tokenizer, tokenizer.template)
            if isinstance(example, Text):
                yield from _pieces(rendered, max_length)
            elif len(rendered.ids) > max_length:
                too_long += 1
                long += [f"{path.name}, record {number} ({len(rendered.ids)})"] if len(long) < _NAMED else []
            elif not any(rendered.trained[1:]):
                empty += 1
            else:
                yield rendered
    if too_long:
        raise InvalidRequest(
            f"longer than max_length = {max_length} tokens, {too_long} in all: {', '.join(long)}"
            f"{', …' if too_long > len(long) else ''}. Raise max_length, or filter them out"
        )
    if empty:
        warn(f"examples with nothing to learn were left out: {empty}")


def texts_of(paths: Sequence[Path]) -> Iterator[str]:
    """The running texts of some files.

    Raises:
        InvalidRequest: a file is gone or damaged.
    """
    for path in paths:
        yield from (example.text for example in _read(path) if isinstance(example, Text))


def _read(path: Path) -> Iterator[Example]:
    try:
        yield from read(path)
    except OSError as error:
        raise InvalidRequest(f"the data {path.name} cannot be read: {error.strerror}") from error


def _check_kind(example: Example, objective: str, where: str) -> None:
    if isinstance(example, Text) or (isinstance(example, Chat) and objective != "text"):
        return
    wanted = "running text" if objective == "text" else "conversations that end with an answer, or running text"
    raise InvalidRequest(f"{where}: a {type(example).__name__.lower()} record; the objective {objective!r} is {wanted}")


def _pieces(rendered: Rendered, max_length: int) -> Iterator[Rendered]:
    """A text cut to length; a last token alone has nothing before it to be predicted from, so it is dropped."""
    for start in range(0, len(rendered.ids), max_length):
        ids = rendered.ids[start : start + max_length]
        if len(ids) > 1:
            yield Rendered(ids, rendered.trained[start : start + max_length])


_PARTS = ("ids", "learned", "targets", "offsets")
"""The last is written last: with it, the others are whole."""


def _load(cache: Path) -> TokenTable | None:
    paths = {part: cache.with_name(f"{cache.name}.{part}.npy") for part in _PARTS}
    if not paths[_PARTS[-1]].is_file():
        return None
    return TokenTable(**{part: np.load(path, mmap_mode="r") for part, path in paths.items()})


def _store(cache: Path, table: TokenTable) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    for part in _PARTS:
        path = cache.with_name(f"{cache.name}.{part}.npy")
        partial = path.with_suffix(".partial")
        with partial.open("wb") as stream:
            np.save(stream, getattr(table, part))
        flush(partial)
        partial.replace(path)
