"""What each sampling setting does to the candidates of one step, from the probabilities that an engine reports.

Engines report the model's own probabilities of the likeliest candidates, before any setting acted. From them this works
out what they then do, in their order: penalties, top-k, top-p, min-p, temperature. What cannot be known from so little
is said in a note and never guessed: candidates beyond those reported are one lump, "the others", of which only the
summed probability and an upper bound for each is known; and a repetition penalty acts on raw scores, which nobody
reports.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

_NOTHING = 1e-4
"""Summed probability of the others that counts as none: rounding of what was reported."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Sampling settings, as in `core.messages.Sampling`, every one of them filled in."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One token that could come next.

    Attributes:
        text: Its piece.
        model: Probability that the model gave it.
        seen: How often it was there before, where a penalty counts it.
        penalised: Probability after the penalties.
        removed_by: The setting that took it out; empty if none did.
        final: Probability with which it was drawn; 0 if it was removed, None where that cannot be known.
    """

    text: str
    model: float
    seen: int = 0
    penalised: float = 0.0
    removed_by: str = ""
    final: float | None = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a generation.

    Attributes:
        candidates: Those that were reported, by their probability after the penalties.
        others: All that were not, as one; `removed_by` is empty where some of them may be left.
        picked: The piece that was drawn.
        picked_model: Probability that the model gave it.
        notes: What cannot be known at this step, in sentences.
    """

    candidates: tuple[Candidate, ...]
    others: Candidate
    picked: str
    picked_model: float
    notes: tuple[str, ...] = ()


def explain_step(
    top: Sequence[tuple[str, float]],
    picked: tuple[str, float],
    settings: Settings,
    *,
    counted: Mapping[str, int] | None = None,
    repeated: Mapping[str, int] | None = None,
) -> Step:
    """Work out one step.

    Args:
        top: The likeliest candidates as (piece, natural logarithm of its probability), best first.
        picked: What was drawn, in the same form.
        settings: Those of the request.
        counted: How often each piece was there, where frequency and presence penalties count.
        repeated: The same, where the repetition penalty counts.

    >>> step = explain_step([("a", -0.7), ("b", -1.2), ("c", -2.3)], ("a", -0.7), Settings(top_k=2))
    >>> [(each.text, each.removed_by, round(each.final, 2)) for each in step.candidates]
    [('a', '', 0.62), ('b', '', 0.38), ('c', 'top-k', 0.0)]
    """
    notes: list[str] = []
    candidates, others, floor = _penalised(top, settings, counted or {}, notes)
    if settings.repetition_penalty != 1 and any((repeated or {}).get(each.text) for each in candidates):
        notes.append(
            f"the repetition penalty of {settings.repetition_penalty:g} also acted on the raw scores of pieces that "
            "were there before; scores are not reported, so what it did is not shown"
        )
    candidates, others = _cut(candidates, others, floor, settings, notes)
    candidates, others = _drawn(candidates, others, settings, notes)
    return Step(tuple(candidates), others, picked[0], math.exp(picked[1]), tuple(notes))


def _penalised(
    top: Sequence[tuple[str, float]], settings: Settings, counted: Mapping[str, int], notes: list[str]
) -> tuple[list[Candidate], Candidate, float]:
    """Candidates after frequency and presence penalties, the others, and the most that one of those may have."""
    frequency, presence = settings.frequency_penalty, settings.presence_penalty
    counts = counted if frequency or presence else {}
    rest = max(0.0, 1 - math.fsum(math.exp(logprob) for _, logprob in top))
    rest = 0.0 if rest < _NOTHING else rest
    floor = min((math.exp(logprob) for _, logprob in top), default=1.0) if rest else 0.0
    weights = []
    for text, logprob in top:
        seen = counts.get(text, 0)
        weights.append(math.exp(logprob - frequency * seen - (presence if seen else 0.0)))
    total = math.fsum(weights) + rest
    found = [
        Candidate(text, math.exp(logprob), counts.get(text, 0), weight / total)
        for (text, logprob), weight in zip(top, weights, strict=True)
    ]
    found.sort(key=lambda each: -each.penalised)
    if counts and rest:
        notes.append("penalties on pieces among the others are not shown")
        if frequency < 0 or presence < 0:
            notes.append("negative penalties may have raised others above the candidates that are shown")
    return found, Candidate("", rest, 0, rest / total), floor / total


class _Cut:
    """What top-k, top-p and min-p remove, one after the other.

    Attributes:
        candidates: All that were reported; those removed say by what.
        others: All that were not.
        uncertain: Some of the others may stand above candidates that are shown.
    """

    def __init__(self, candidates: list[Candidate], others: Candidate, floor: float) -> None:
        self.candidates = candidates
        self.others = others
        self.uncertain = False
        self._floor = floor
        self._left = list(candidates)
        self._part_of_others = False
        self._open: list[str] = []

    def top_k(self, most: int) -> None:
        """Keep the first `most`."""
        if self._some_others and most > len(self._left):
            self._part_of_others = True
            self._open.append(f"top-k leaves {most - len(self._left)} of the others; how likely they are is not known")
        elif self._some_others:
            self._remove_others("top-k")
        self._keep(most, "top-k")

    def top_p(self, share: float) -> None:
        """Keep the first that together have `share` of what is left, the one that completes it included."""
        total = math.fsum(each.penalised for each in self._left)
        total += self.others.penalised if self._some_others else 0.0
        before, count = 0.0, 0
        for each in self._left:
            if before >= share * total:
                break
            before += each.penalised
            count += 1
        # Of others that top-k cut, less is left than is counted here.
        self.uncertain = self.uncertain or (self._part_of_others and self._some_others)
        if self._some_others and before >= share * total:
            self._remove_others("top-p")
        elif self._some_others:
            self._open.append("top-p leaves some of the others; which is not known")
        self._keep(max(1, count), "top-p")

    def min_p(self, share: float) -> None:
        """Keep those that have `share` of the first one's probability."""
        least = share * self._left[0].penalised
        if self._some_others and self._floor < least:
            self._remove_others("min-p")
        elif self._some_others:
            self._open.append("min-p may leave some of the others; which is not known")
        self._keep(max(1, sum(each.penalised >= least for each in self._left)), "min-p")

    def notes(self) -> list[str]:
        """What cannot be known of all this."""
        found = self._open if self._some_others else []
        if self.uncertain:
            found = [*found, "some of the others may stand above candidates shown here, so what was cut may differ"]
        return found

    @property
    def _some_others(self) -> bool:
        return self.others.penalised > 0 and not self.others.removed_by

    def _remove_others(self, name: str) -> None:
        """None of them is left; that is certain only where those kept stand above all of them."""
        self.others = replace(self.others, removed_by=name)

    def _keep(self, count: int, name: str) -> None:
        if any(each.penalised < self._floor for each in self._left[:count]):
            self.uncertain = True
        removed = {id(each) for each in self._left[count:]}
        self.candidates = [
            replace(each, removed_by=name, final=0.0) if id(each) in removed else each for each in self.candidates
        ]
        self._left = self._left[:count]


def _cut(
    candidates: list[Candidate], others: Candidate, floor: float, settings: Settings, notes: list[str]
) -> tuple[list[Candidate], Candidate]:
    cut = _Cut(candidates, others, floor)
    if settings.top_k:
        cut.top_k(settings.top_k)
    if settings.top_p < 1:
        cut.top_p(settings.top_p)
    if settings.min_p > 0 and candidates:
        cut.min_p(settings.min_p)
    notes += cut.notes()
    return cut.candidates, cut.others


def _drawn(
    candidates: list[Candidate], others: Candidate, settings: Settings, notes: list[str]
) -> tuple[list[Candidate], Candidate]:
    """The probabilities with which what is left was drawn."""
    left = [each for each in candidates if not each.removed_by]
    some_of_others = others.penalised > 0 and not others.removed_by
    if settings.temperature <= 0:
        best = left[0] if left else None
        others = replace(others, removed_by=others.removed_by or ("temperature 0" if others.penalised else ""))
        return [
            replace(each, final=1.0)
            if each is best
            else (each if each.removed_by else replace(each, removed_by="temperature 0", final=0.0))
            for each in candidates
        ], others
    whole = settings.temperature == 1 and (settings.top_k, settings.top_p, settings.min_p) == (0, 1.0, 0.0)
    weights = [each.penalised ** (1 / settings.temperature) for each in left]
    total = math.fsum(weights)
    if some_of_others and whole:
        total += others.penalised
        others = replace(others, final=others.penalised / total)
    elif some_of_others:
        others = replace(others, final=None)
        notes.append("others are left whose share is not known: the final probabilities are shares among those shown")
    shares = {id(each): weight / total for each, weight in zip(left, weights, strict=True)}
    return [replace(each, final=shares[id(each)]) if id(each) in shares else each for each in candidates], others
