"""What the scores are made of: token F1, ROUGE-L, refusal F1, and intervals by the bootstrap."""

import collections
import json
import re
import string
from collections.abc import Callable, Sequence

import numpy as np

ARTICLES = {
    "en": r"\b(a|an|the)\b",
    "es": r"\b(el|la|los|las|un|una|unos|unas)\b",
    "pt": r"\b(o|a|os|as|um|uma|uns|umas)\b",
}


def normalise(text: str, language: str) -> list[str]:
    """Words, lower case, without punctuation and the language's articles (as SQuAD's own script does for English)."""
    text = "".join(letter for letter in text.lower() if letter not in string.punctuation + "¿¡«»“”")
    return re.sub(ARTICLES[language], " ", text).split()


def token_f1(answer: str, accepted: Sequence[str], language: str) -> float:
    """Best overlap of words with any accepted answer, 0 to 1.

    >>> token_f1("the red car", ["a red bicycle"], "en")
    0.5
    """

    def one(gold: str) -> float:
        said, wanted = normalise(answer, language), normalise(gold, language)
        common = sum((collections.Counter(said) & collections.Counter(wanted)).values())
        return 2 * common / (len(said) + len(wanted)) if common else 0.0

    return max(one(gold) for gold in accepted)


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def rouge_l(answer: str, references: Sequence[str]) -> float:
    """F1 of the longest common subsequence of words, best of the references, without stemming, 0 to 1.

    >>> rouge_l("the cat sat", ["the cat is here"])
    0.5714285714285714

    Source: Lin 2004, ROUGE.
    """

    def one(reference: str) -> float:
        said, wanted = words(answer), words(reference)
        row = [0] * (len(wanted) + 1)
        for word in said:
            before = 0
            for place, other in enumerate(wanted, 1):
                before, row[place] = row[place], before + 1 if word == other else max(row[place], row[place - 1])
        return 2 * row[-1] / (len(said) + len(wanted)) if row[-1] else 0.0

    return max(one(reference) for reference in references)


def new_bigrams(answer: str, source: str) -> float:
    """Share of the answer's word pairs that the source lacks; 0 for fewer than two words."""
    pairs = lambda text: list(zip(words(text), words(text)[1:], strict=False))  # noqa: E731
    known, said = set(pairs(source)), pairs(answer)
    return sum(pair not in known for pair in said) / len(said) if said else 0.0


def refusal_f1(rows: np.ndarray) -> float:
    """F1 of refusing.

    Args:
        rows: (count, 2) of 0 and 1: refused, and should have.
    """
    both = (rows[:, 0] * rows[:, 1]).sum()
    return float(2 * both / (rows[:, 0].sum() + rows[:, 1].sum())) if both else 0.0


def mean(rows: np.ndarray) -> float:
    return float(rows.mean())


def interval(rows: Sequence, measure: Callable[[np.ndarray], float] = mean, *, draws: int = 1000) -> dict:
    """The measure in hundredths with its 95 % interval by resampling rows (percentiles, fixed seed).

    Source: Efron 1979, the bootstrap.
    """
    table = np.asarray(rows, dtype=np.float64)
    dice = np.random.default_rng(0)
    drawn = [measure(table[dice.integers(0, len(table), len(table))]) for _ in range(draws)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {
        "value": round(100 * measure(table), 1),
        "low": round(100 * low, 1),
        "high": round(100 * high, 1),
        "rows": len(table),
    }


def call_of(answer: str) -> dict | None:
    """The first tool call written in an answer, or None."""
    found = re.search(r"<tool_call>(.*?)</tool_call>", answer, re.DOTALL)
    try:
        call = json.loads(found[1]) if found else None
    except ValueError:
        return None
    return call if isinstance(call, dict) and isinstance(call.get("arguments"), dict) else None


def _same(said: object, wanted: object) -> bool:
    if isinstance(said, str) and isinstance(wanted, str):
        return said.casefold().strip(" .") == wanted.casefold().strip(" .")
    return said == wanted and isinstance(said, bool) == isinstance(wanted, bool)


def call_is_right(call: dict | None, wanted: dict) -> bool:
    """Whether the function and every argument are right.

    Args:
        wanted: `name`, and `arguments`: the accepted values of each; one that accepts "" may be left out.
    """
    if call is None or call.get("name") != wanted["name"]:
        return False
    said, accepted = call["arguments"], wanted["arguments"]
    if set(said) - set(accepted):
        return False
    return all(
        any(_same(said[name], value) for value in values) if name in said else "" in values
        for name, values in accepted.items()
    )


def chrf(answer: str, reference: str, *, longest: int = 6, beta: float = 2.0) -> float:
    """Character n-gram F-score without spaces, 0 to 1. Source: Popović 2015, chrF."""
    said, wanted = "".join(answer.split()), "".join(reference.split())
    precisions, recalls = [], []
    for size in range(1, longest + 1):
        first, second = (
            collections.Counter(text[start : start + size] for start in range(len(text) - size + 1))
            for text in (said, wanted)
        )
        if not second:
            continue
        common = sum((first & second).values())
        precisions.append(common / max(1, sum(first.values())))
        recalls.append(common / sum(second.values()))
    if not recalls or not sum(precisions):
        return 0.0
    precision, recall = (sum(values) / len(values) for values in (precisions, recalls))
    return (1 + beta**2) * precision * recall / (beta**2 * precision + recall)
