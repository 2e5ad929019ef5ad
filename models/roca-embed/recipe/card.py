"""Write `card.md` from what the training noted and what `benchmarks.embedders` measured.

python models/roca-embed/recipe/card.py
"""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).parents[1]
RESULTS = FOLDER.parents[1] / "benchmarks" / "results" / "embedders.json"
SETS = {
    "retrieval-squad-en": "SQuAD, English",
    "retrieval-squad-es": "SQuAD in Spanish (machine-translated)",
    "retrieval-pt": "SQuAD in Portuguese and FaQuAD",
    "cranfield": "Cranfield, English",
    "cisi": "CISI, English",
}
WAYS = {"cosine": ("roca-embed", "minilm"), "search": ("roca-embed", "minilm", "both")}


def table(head: list[str], body: list[list[object]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


NAMES = {"roca-embed": "roca-embed", "minilm": "all-MiniLM-L6-v2", "shared words": "shared words", "both": "both"}


def interval(values: list[float]) -> str:
    return f"{values[0]:.3f} ({values[1]:.2f} to {values[2]:.2f})"


def languages(figures: dict) -> str:
    found = figures["languages"]
    body = [
        [
            f"{title} {pair}",
            *(f"{interval(row[pair]['recall@1'])} / {row[pair]['recall@5'][0]:.3f}" for row in rows),
        ]
        for title, key in (("NTREX", "ntrex"), ("XQuAD", "xquad"))
        for rows in [[each[key] for each in found.values()]]
        for pair in rows[0]
    ]
    asked = next(iter(found["roca-embed"]["xquad"].values()))["queries"]
    return (
        table(["recall@1 (95 % interval) / recall@5", *(NAMES[name] for name in found)], body)
        + "\n\nNTREX: the same 1,000 sentences of news; guessing finds one of 1,000. XQuAD: "
        + f"{asked} questions about test articles, looked for among the passages of a language."
    )


def retrieval(figures: dict) -> str:
    columns = [f"{name}, {way}" for way, names in WAYS.items() for name in names]
    body = []
    for key, title in SETS.items():
        row = figures["retrieval"][key]
        mean, low, high = row["both, search, against minilm"]
        cells = [f"{row[column]['ndcg@10'][0]:.3f}" for column in columns]
        body.append([title, row["questions"], *cells, f"{mean:+.3f} ({low:+.3f} to {high:+.3f})"])
    heads = [f"{NAMES[name]}, {way}" for way, names in WAYS.items() for name in names]
    return (
        table(["nDCG@10", "questions", *heads, "search: both against MiniLM"], body)
        + '\n\n"Search" is the platform\'s own, words and vectors, with default settings; "both" is what new knowledge '
        + "bases keep."
    )


def speed(figures: dict) -> str:
    body = [
        [
            NAMES[name],
            f"{row['passages_per_s']:,.0f}",
            f"{row['query_ms']:.2f}",
            f"{row['load_s']:.2f}",
            f"{row['peak_mb']:.0f}",
        ]
        for name, row in figures["speed"].items()
    ]
    return table(["Each in a process of its own, one thread", "passages/s", "a query, ms", "load, s", "peak MB"], body)


def sizes(figures: dict) -> str:
    rows = figures["sizes"]
    columns = [key for key in next(iter(rows.values())) if key != "mb"]
    body = [[size, row["mb"], *(f"{row[key]:.3f}" for key in columns)] for size, row in rows.items()]
    heads = [f"{SETS[key].split(',')[0]} nDCG@10" if key in SETS else key for key in columns]
    return "By size; recall@1 on NTREX, cosines alone on the judged sets:\n\n" + table(["size", "MB", *heads], body)


def measured(figures: dict) -> str:
    body = [[NAMES[name], *each["pt"].values()] for name, each in figures["likeness"].items()]
    likeness = table(["Likeness of sentences, Portuguese (PLUE)", "pairs", "Pearson", "Spearman"], body)
    return "\n\n".join(
        [
            languages(figures),
            retrieval(figures),
            likeness + "\n\nNo English set of judged pairs is at hand.",
            speed(figures),
            sizes(figures),
        ]
    )


def main() -> None:
    facts = json.loads((FOLDER / "figures.json").read_text())
    figures = json.loads(RESULTS.read_text())
    verdict = (FOLDER / "recipe" / "verdict.txt").read_text().strip()
    counts = [
        *(f"| translations {kind} | {count:,} |" for kind, count in facts["translations"].items()),
        *(f"| questions with passages, {kind} | {count:,} |" for kind, count in facts["asked"].items()),
        *(f"| paragraphs, {kind} | {count:,} |" for kind, count in facts["paragraphs"].items()),
    ]
    text = (FOLDER / "recipe" / "card.txt").read_text()
    filled = text.format(
        figures=measured(figures),
        pieces=facts["pieces"],
        rank=facts["plan"]["rank"],
        megabytes=facts["bytes"] / 1e6,
        minutes=facts["seconds"] / 60,
        verdict=verdict,
        seed=facts["plan"]["seed"],
        steps=facts["plan"]["steps"],
        teacher=facts["teacher_texts"],
        counts="\n".join(counts),
        parity_texts=facts["parity"]["texts"],
        least=facts["parity"]["least"],
        mean=facts["parity"]["mean"],
        sets="\n".join(f"| {name} | {licence} |" for name, licence in facts["licences"].items()),
    )
    (FOLDER / "card.md").write_text(filled)


if __name__ == "__main__":
    main()
