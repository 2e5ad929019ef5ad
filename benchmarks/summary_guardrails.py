"""Guardrails in docs/benchmarks.md, and the tables of docs/guardrails-measured.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks import guardrails_aims as aim

_LANGUAGES = {"en": "English", "es": "Spanish", "pt": "Portuguese"}
_SETS = {
    "moderation": "OpenAI moderation",
    "davidson": "Davidson tweets",
    "told-br": "ToLD-Br tweets",
    "advbench and catqa": "AdvBench, CatQA",
    "xstest": "XSTest",
    "hatecheck": "HateCheck",
}
_SIMPLE = ("overlap of words", "TF-IDF cosine")
_LABELS = {"TOXIC": "HATE, INSULTS or SEXUAL", "ANY": "any filter"}


def guardrails(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Rows of the page of figures."""
    titles = {
        "filters": ("content filters at MEDIUM, F1", "0.80 en, 0.72 es and pt"),
        "attacks": ("attacks on the prompt, recall at 2 % false positives", "0.85"),
        "look-alikes": ("benign look-alikes that are found", "at most 0.10"),
        "grounding": ("grounding and relevance, AUROC", "0.75"),
        "personal data": ("personal data, F1 by type and set", "0.90; names and addresses 0.75"),
    }
    rows = []
    for group, (title, wanted) in titles.items():
        some = [each for each in figures["aims"] if each["group"] == group]
        if some:
            rows.append((title, _met(some), wanted))
    if "speed" in figures:
        speed = figures["speed"]
        for name, timing in speed["texts"].items():
            if name.startswith("all"):
                wanted = f"p50 under {aim.MILLISECONDS:g} ms"
                rows.append(
                    (
                        f"{name}, 1,000 characters",
                        f"p50 {timing['p50_ms']:.1f} ms, p99 {timing['p99_ms']:.1f} ms",
                        wanted,
                    )
                )
        rows.append(
            ("personal data, texts/s beside Presidio's patterns", f"{speed['times Presidio']} times", "5 times")
        )
        rows.append(("memory that all policies add", f"{speed['loading']['added_mb']:.0f} MB", ""))
    return rows


def _met(some: Sequence[dict[str, Any]]) -> str:
    values = [each["value"][0] if isinstance(each["value"], list) else each["value"] for each in some]
    return (
        f"{sum(each['met'] for each in some)} of {len(some)} cells meet the aim; {min(values):.2f} to {max(values):.2f}"
    )


def measured_tables(figures: dict[str, Any]) -> list[str]:
    """All tables of the page, each under its heading. A bold figure misses its aim."""
    made = [
        f"{sum(each['met'] for each in figures['aims'])} of {len(figures['aims'])} figures that have an aim meet it."
    ]
    for name, section in (
        ("filters", _filters),
        ("disguises", _disguises),
        ("topics", _topics),
        ("grounding", _grounding),
        ("pii", _pii),
        ("speed", _speed),
    ):
        if name in figures:
            stamp = figures["measured"][name]
            made += ["", *section(figures[name]), "", f"{stamp['date'][:10]}, commit {stamp['commit']}."]
    return made


def _shown(
    value: Any, wanted: float | None = None, *, most: bool = False, interval: bool = True, hundredths: bool = False
) -> str:
    """A figure with its interval; bold where it misses what is wanted."""
    if value is None:
        return ""
    number, *ends = value if isinstance(value, list) else [value]

    def text(each: float) -> str:
        return f"{100 * each:.0f}" if hundredths else f"{each:.2f}"

    missed = wanted is not None and (number > wanted if most else number < wanted)
    core = f"**{text(number)}**" if missed else text(number)
    return core + (f" ({text(ends[0])} to {text(ends[1])})" if interval and ends else "")


def _hundredths(value: Any) -> str:
    return _shown(value, interval=False, hundredths=True)


def _percent(value: Any, wanted: float | None = None) -> str:
    shown = _shown(value, wanted, most=True, interval=False, hundredths=True)
    return f"{shown} %" if shown else ""


def _table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|", *(f"| {' | '.join(each)} |" for each in lines)]


def _filters(found: dict[str, Any]) -> list[str]:
    heads = ("filter", "language", "precision", "recall", "F1 (95 %)", "look-alikes found", "AUROC")
    peers = ("word list: F1", "others found", "linear: F1", "others found", "AUROC", "profanity-check: F1")
    own = [
        (category, _LANGUAGES[language], *_rates(cell, aim.F1[language], aim.LOOK_ALIKES), *_peers(cell))
        for category, languages in found["own"].items()
        for language, cell in languages.items()
    ]
    strengths = [
        (category, _LANGUAGES[language], *(_both(cell[each]) for each in ("LOW", "MEDIUM", "HIGH")))
        for category, languages in found["own"].items()
        for language, cell in languages.items()
    ]
    public = [
        (
            f"{_SETS[name]}, {_LABELS.get(category, category)}",
            f"{_LANGUAGES[language]}, {cell['positives']} and {cell['negatives']}",
            *_rates(
                cell,
                None if name == "xstest" else aim.F1[language],
                aim.LOOK_ALIKES if name in ("hatecheck", "xstest") else None,
            ),
            *_peers(cell),
        )
        for name, categories in found["public"].items()
        for category, languages in categories.items()
        for language, cell in languages.items()
    ]
    weak = [
        (_LANGUAGES[language], ", ".join(f"`{name}` {_shown(value, interval=False)}" for name, value in kinds.items()))
        for language, kinds in found["hatecheck_weakest"].items()
    ]
    strength_heads = ("filter", "language", "LOW", "MEDIUM", "HIGH")
    return [
        "## Content filters, own cases, strength MEDIUM",
        "",
        "30 texts of each filter and language that should be stopped, and 30 look-alikes that should not.",
        "",
        *_table((*heads, *peers), own),
        "",
        "## The same by strength",
        "",
        "Recall / look-alikes found, in hundredths.",
        "",
        *_table(strength_heads, strengths),
        "",
        "## Content filters, public sets, strength MEDIUM",
        "",
        *_table(("set", "language, texts to stop and others", *heads[2:5], "others found", "AUROC", *peers), public),
        "",
        "What HateCheck finds weakest, the part that is judged rightly:",
        "",
        *_table(("language", "kinds of text"), weak),
        "",
        *_attacks(found["attacks"]["sets"]),
        "",
        *_ordinary(found["ordinary"]),
    ]


def _rates(cell: dict[str, Any], f1: float | None, false: float | None) -> list[str]:
    medium = cell["MEDIUM"]
    return [
        _shown(medium["precision"], interval=False),
        _shown(medium["recall"], interval=False),
        _shown(medium["f1"], f1),
        _percent(medium["false_positives"], false),
        _shown(cell["auroc"], interval=False),
    ]


def _peers(cell: dict[str, Any]) -> list[str]:
    peers = cell.get("peers", {})
    words, linear, profane = (peers.get(each, {}) for each in ("keywords", "linear", "profanity-check"))
    return [
        _shown(words.get("f1"), interval=False),
        _percent(words.get("false_positives")),
        _shown(linear.get("f1"), interval=False),
        _percent(linear.get("false_positives")),
        _shown(linear.get("auroc"), interval=False),
        _shown(profane.get("f1"), interval=False),
    ]


def _both(found: dict[str, Any]) -> str:
    """Recall and false positives in hundredths; a dash where a set has no such texts."""
    return " / ".join(_hundredths(found.get(each)) or "-" for each in ("recall", "false_positives"))


def _attacks(sets: dict[str, Any]) -> list[str]:
    lines = []
    for name, row in sets.items():
        low, medium, high = (_both(row[each]) for each in ("LOW", "MEDIUM", "HIGH"))
        two = row["at 2 %"]
        lines.append(
            (
                name,
                f"{row['positives']} and {row['negatives']}",
                _shown(two.get("recall"), aim.ATTACKS),
                _percent(two.get("false_positives")),
                low,
                medium,
                high,
                _shown(row.get("linear at 2 %", {}).get("recall"), interval=False),
                _both(row["keywords"]) if "keywords" in row else "",
            )
        )
    heads = (
        "set",
        "attacks and others",
        "recall at 2 %",
        "others found there",
        "LOW",
        "MEDIUM",
        "HIGH",
        "linear at 2 %",
        "word list",
    )
    return [
        "## Attacks on the prompt",
        "",
        "Recall where 2 % of the harmless texts of the public sets together are taken for an attack; at the three",
        "strengths recall / false positives, in hundredths.",
        "",
        *_table(heads, lines),
    ]  # fmt: skip


def _ordinary(languages: dict[str, Any]) -> list[str]:
    columns = list(next(iter(languages.values())))[1:]
    lines = [
        (_LANGUAGES[language], str(row["texts"]), *(_hundredths(row.get(each)) for each in columns))
        for language, row in languages.items()
    ]  # fmt: skip
    return [
        "## Ordinary texts",
        "",
        "Requests, answers, questions and running text: hundredths that any filter takes for something at a strength,",
        "then each filter at MEDIUM, then any list of words and any linear model.",
        "",
        *_table(("language", "texts", *columns), lines),
    ]


def _disguises(found: dict[str, Any]) -> list[str]:
    columns = list(next(iter(found.values())))
    return [
        "## Disguises",
        "",
        "Own cases of three languages, disguised: recall / look-alikes found at MEDIUM, in hundredths.",
        "",
        *_table(("", *columns), ((name, *(_both(row[each]) for each in columns)) for name, row in found.items())),
    ]


def _topics(found: dict[str, Any]) -> list[str]:
    lines = []
    for name, row in found.items():
        of, _, rest = name.partition(" on ")
        language, _, alone = rest.partition(" ")
        peers = row.get("peers", {})
        lines.append(
            (
                _LANGUAGES[of] + (", " + alone if alone else ""),
                _LANGUAGES[language],
                _shown(row["precision"], interval=False),
                _shown(row["recall"], interval=False),
                _shown(row["f1"]),
                _percent(row["false_positives"], aim.LOOK_ALIKES if of == language and not alone else None),
                _percent(row["another_topic"]),
                _shown(row["auroc"], interval=False),
                *(_shown(peers.get(each, {}).get("auroc"), interval=False) for each in _SIMPLE),
            )
        )  # fmt: skip
    heads = (
        "topic in",
        "text in",
        "precision",
        "recall",
        "F1 (95 %)",
        "look-alikes found",
        "one of the other nine found",
    )
    return [
        "## Denied topics",
        "",
        "Ten topics, twelve texts of each and language, half of them look-alikes.",
        "",
        *_table((*heads, "AUROC", *(f"{each}: AUROC" for each in _SIMPLE)), lines),
    ]


def _grounding(found: dict[str, Any]) -> list[str]:
    lines = []
    for place, groups in found.items():
        for group, kinds in groups.items():
            for kind in ("GROUNDING", "RELEVANCE"):
                if (row := kinds.get(kind)) is None:
                    continue
                lines.append(
                    (
                        {"own": "own cases", "articles": "test articles"}[place],
                        _LANGUAGES.get(group, group),
                        kind,
                        f"{row['right']} and {row['wrong']}",
                        _shown(row["auroc"], aim.AUROC),
                        *(_both(each) for each in row["thresholds"].values()),
                        *(_shown(each, interval=False) for each in row["peers"].values()),
                    )
                )
    kinds = [
        (_LANGUAGES.get(group, group), *(_shown(each, interval=False) for each in row["GROUNDING by kind"].values()))
        for group, row in found["own"].items()
    ]
    heads = ("set", "language", "filter", "right and wrong answers", "AUROC (95 %)", "threshold 0.5", "0.7", "0.9")
    return [
        "## Grounding and relevance",
        "",
        "At a threshold: wrong answers stopped / right answers stopped, in hundredths.",
        "",
        *_table((*heads, *(f"{each}: AUROC" for each in _SIMPLE)), lines),
        "",
        "Own cases, AUROC of grounding by what is wrong with the answer:",
        "",
        *_table(("language", "number", "name", "negation", "added claim"), kinds),
    ]


def _pii(found: dict[str, Any]) -> list[str]:
    places = list(found["ours"])
    kinds = sorted({kind for each in found["ours"].values() for kind in each} - {"all"})
    lines = []
    for kind in [*kinds, "all"]:
        wanted = None if kind == "all" else aim.TAGGED if kind in ("NAME", "ADDRESS") else aim.EXACT
        cells = [found["ours"][place].get(kind) for place in places]
        lines.append((kind, *(f"{_shown(each['f1'], wanted)}, {each['marked']}" if each else "" for each in cells)))
    beside = []
    for name, each in found.get("shared types", {}).items():
        title = "types that Presidio's patterns have, " + ("Rocamadre" if name == "ours" else name)
        beside.append((title, *(_shown(each[place]["f1"]) if place in each else "" for place in places)))
    wrong = [
        (name, *(_percent(found[key][each], aim.LOOK_ALIKES) for each in _LANGUAGES))
        for name, key in (("Rocamadre", "look_alikes"), ("Presidio", "look_alikes of Presidio"))
        if key in found
    ]
    return [
        "## Personal data",
        "",
        "F1 and how many are marked, by set and type.",
        "",
        *_table(("type", *places), [*lines, *beside]),
        "",
        "Own texts without personal data that look as if they had some, with a finding:",
        "",
        *_table(("", *_LANGUAGES.values()), wrong),
    ]


def _speed(found: dict[str, Any]) -> list[str]:
    beside = ("types that Presidio has", "Presidio's pattern recognisers")
    rows = {**found["texts"], **{f"personal data, {name}": found[name] for name in beside}}
    lines = [
        (
            name,
            f"{row['texts_per_s']:,.0f}",
            _shown(row["p50_ms"], aim.MILLISECONDS if name.startswith("all") else None, most=True),
            f"{row['p99_ms']:.2f}",
        )
        for name, row in rows.items()
    ]
    loading, long = found["loading"], found["long"]
    return [
        "## Time and memory",
        "",
        "Texts of 1,000 characters on one core, processor time.",
        "",
        *_table(("policies", "texts/s", "p50 ms", "p99 ms"), lines),
        "",
        f"All policies add {loading['added_mb']:.0f} MB to a process and are ready in {loading['seconds']:.1f} s.",
        f"A text of {long['characters']:,} characters takes {long['seconds']:.0f} s; memory grows from "
        f"{long['before_mb']:.0f} to {long['peak_mb']:.0f} MB.",
    ]
