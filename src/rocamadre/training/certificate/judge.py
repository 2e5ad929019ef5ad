"""From what was measured to a verdict, and to what is to blame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rocamadre.training.certificate.measure import Measured, Written
from rocamadre.training.certificate.prompts import TEXTS, Golden
from rocamadre.training.certificate.scores import Difference, Scores, difference
from rocamadre.training.certificate.types import Cause, Divergence, FormReport

KL_LIMITS_NATS = {"Q8_0": 0.01, "Q4_0": 0.25}
"""Mean divergence from the trainer's model, per token, that a quantised form may have: about ten times what Q8_0 costs
the embedded model, and a Q4_0 that still says the same things."""
_F16_DEVIATIONS = 3.0
_F32_SHARE = 1 / 64
_GAP_WIDTHS = 4.0
_LEAST_NATS = 2e-5
"""Log-probabilities come through JSON and float32: below this nothing is told apart."""
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Expected:
    """What forms are compared with: the reference, in plain values.

    Attributes:
        golden: The prompts.
        plain: Tokens of `prompts.TEXTS`.
        answers: All tokens of each answer, the mark that ends it included.
        written: The answers as text; None for one that is no text, such as half a character.
        paths: Scores along prompts and answers.
        special: Tokens that are no text.
        begin: The mark that begins text, as text; empty for none.
        end: The mark that ends an answer.
        noise: See `torch_side.py`.
    """

    golden: Sequence[Golden]
    plain: Sequence[tuple[int, ...]]
    answers: Sequence[tuple[int, ...]]
    written: Sequence[Written | None]
    paths: Sequence[Scores]
    special: frozenset[int]
    begin: str
    end: int
    noise: Difference


class _Fault(NamedTuple):
    cause: Cause
    detail: str


_NONE = _Fault("", "")


def judge(form: Measured, expected: Expected, *, merged: bool = False, narrow: str = "") -> FormReport:
    """Compare one form with the reference.

    Args:
        form: What was measured of it.
        expected: The reference.
        merged: Whether it is the merged weights themselves: what is off is then the merge's doing.
        narrow: For `merged`: the format that all its matrices were rounded to; empty for none.
    """
    distance = difference(zip(expected.paths, form.paths, strict=True))
    limit = deviation_limit(form.numbers, expected.noise)
    gap_limit = _GAP_WIDTHS * (expected.noise.widest if form.numbers == "F16" else limit)
    gap_limit = max(gap_limit, _LEAST_NATS)
    kl_limit = KL_LIMITS_NATS.get(form.numbers, max(KL_LIMITS_NATS.values()))
    parted = [_flips(number, form.paths[number], expected) for number in range(len(form.paths))]
    divergences = tuple(flips[0] for flips in parted if flips)
    widest = max((flip.gap_nats for flips in parted for flip in flips), default=0.0)
    same_text = sum(_same_text(form, expected, number) for number in range(len(form.texts)))
    same_ids = sum(tuple(ids) == prompt.ids for ids, prompt in zip(form.ids, expected.golden, strict=True))
    hold = distance.deviation <= limit and widest <= gap_limit if form.exact else distance.kl <= kl_limit
    fault = _reading(form, expected) or _ending(form, expected)
    if fault is None and form.stored.cause:
        fault = _Fault(form.stored.cause, form.stored.detail)
    if fault is None and not hold:
        shown = _shown(form, distance, widest, limit, kl_limit)
        fault = _numbers(form, shown, merged=merged, narrow=narrow)
    if fault is None and form.exact:
        fault = _writing(form, expected, [not flips for flips in parted])
    return FormReport(
        name=form.name,
        numbers=form.numbers,
        engine=form.engine,
        exact=form.exact,
        prompts=len(expected.golden),
        same_text=same_text,
        same_ids=same_ids,
        same_answers=len(form.paths) - len(divergences),
        divergences=divergences,
        widest_gap_nats=widest,
        gap_limit_nats=gap_limit,
        deviation_nats=distance.deviation,
        deviation_limit_nats=limit,
        kl_nats=distance.kl,
        kl_limit_nats=kl_limit,
        tokens=distance.places,
        stops=form.stops,
        cause=(fault or _NONE).cause,
        detail=(fault or _NONE).detail,
    )


def deviation_limit(numbers: str, noise: Difference) -> float:
    """Root mean square deviation that an exact form may have, in nats; the argument is in `torch_side.py`."""
    factor = _F16_DEVIATIONS if numbers == "F16" else _F32_SHARE
    return max(_LEAST_NATS, factor * noise.deviation)


def _same_text(form: Measured, expected: Expected, number: int) -> bool:
    begin = expected.begin
    return form.texts[number].removeprefix(begin) == expected.golden[number].text.removeprefix(begin)


def _reading(form: Measured, expected: Expected) -> _Fault | None:
    """Whether prompts are read as the trainer reads them."""
    for number, prompt in enumerate(expected.golden):
        if not _same_text(form, expected, number):
            place = _first(form.texts[number], prompt.text)
            return _Fault(
                "template",
                f"prompt {number} is written {form.texts[number][place : place + _SHOWN]!r} where the trainer writes "
                f"{prompt.text[place : place + _SHOWN]!r}",
            )
    wanted = [*((f"prompt {number}", prompt.ids) for number, prompt in enumerate(expected.golden))]
    wanted += [(f"the text {text[:_SHOWN]!r}", ids) for text, ids in zip(TEXTS, expected.plain, strict=True)]
    for (name, ids), found in zip(wanted, [*form.ids, *form.plain], strict=False):
        if tuple(found) == tuple(ids):
            continue
        cause: Cause = "tokenizer"
        if [one for one in ids if one not in expected.special] == [one for one in found if one not in expected.special]:
            cause = "special token"
        place = _first(tuple(found), tuple(ids))
        return _Fault(
            cause,
            f"{name} becomes the tokens …{list(found[place : place + 4])} at {place}, for the trainer "
            f"…{list(ids[place : place + 4])}",
        )
    return None


def _ending(form: Measured, expected: Expected) -> _Fault | None:
    """Whether answers end at the trainer's mark."""
    if form.end is not None and form.end != expected.end:
        return _Fault("special token", f"it ends answers with token {form.end}, the trainer with {expected.end}")
    if not form.stops:
        return _Fault("special token", f"token {expected.end} comes and the answer goes on")
    return None


def _writing(form: Measured, expected: Expected, same: Sequence[bool]) -> _Fault | None:
    """Whether the answers that were written are those that the scores say."""
    for number, (written, wanted) in enumerate(zip(form.written, expected.written, strict=False)):
        if wanted is None or not same[number] or written == wanted:
            continue
        if written.ended != wanted.ended:
            return _Fault(
                "special token",
                f"prompt {number}: its answer {'ends' if written.ended else 'goes on'} where the trainer's "
                f"{'goes on' if written.ended else 'ends'}",
            )
        place = _first(written.text, wanted.text)
        return _Fault(
            "engine",
            f"prompt {number} is answered {written.text[place : place + _SHOWN]!r} where the trainer's model writes "
            f"{wanted.text[place : place + _SHOWN]!r}, though each token's probability is right",
        )
    return None


def _shown(form: Measured, distance: Difference, widest: float, limit: float, kl_limit: float) -> str:
    """The figure that decides against a form."""
    if not form.exact:
        return f"the mean divergence is {distance.kl:.2g} nats a token (allowed {kl_limit:.2g})"
    if distance.deviation > limit:
        return f"log-probabilities deviate by {distance.deviation:.2g} nats (allowed {limit:.2g})"
    return f"a token is chosen that the trainer's model finds less likely than its own by {widest:.2g} nats"


def _numbers(form: Measured, shown: str, *, merged: bool, narrow: str) -> _Fault:
    """What makes a form compute something else."""
    if merged and narrow:
        return _Fault("dtype", f"{shown}; all its matrices were rounded to {narrow}")
    if merged:
        return _Fault("merge", f"{shown}; the merged weights are not the base plus what was trained")
    if form.engine == "torch":
        return _Fault("method", f"{shown}; the engine applies the adapter in another way than the trainer")
    if not form.exact:
        return _Fault("engine", f"{shown}; {form.numbers} costs this model too much: serve it in F16")
    return _Fault("engine", f"{shown}; the file holds the right weights: look at the engine's options")


def _flips(number: int, path: Scores, expected: Expected) -> list[Divergence]:
    """Places of an answer at which the form would write another token, first to last."""
    answer, reference = expected.answers[number], expected.paths[number]
    chosen = path.last(len(answer)).top_ids[:, 0].tolist()
    start = len(reference.top) - len(answer)
    return [
        Divergence(number, step, token, other, reference.gap(start + step, other))
        for step, (token, other) in enumerate(zip(answer, chosen, strict=True))
        if token != other
    ]


def _first(one: Sequence[object], other: Sequence[object]) -> int:
    """Where two sequences part."""
    for place, (mine, theirs) in enumerate(zip(one, other, strict=False)):
        if mine != theirs:
            return place
    return min(len(one), len(other))
