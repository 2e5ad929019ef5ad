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


def table(head: list[str], body: list[list[object]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def measured(figures: dict) -> str:
    parts = []
    both = figures["languages"]
    names = [name for name in ("roca-embed", "minilm") if name in both]
    for title, key in (("NTREX, 1,000 sentences of news", "ntrex"), ("XQuAD, question to passage", "xquad")):
        body = [
            [pair, *(f"{both[name][key][pair][at][0]:.3f}" for name in names for at in ("recall@1", "recall@5"))]
            for pair in both["roca-embed"][key]
        ]
        head = [title, *(f"{name} {at}" for name in names for at in ("recall@1", "recall@5"))]
        parts.append(table(head, body))
    body = []
    for key, title in SETS.items():
        if key not in figures["retrieval"]:
            continue
        row = figures["retrieval"][key]
        cells = [f"{row[f'{name}, {way}']['ndcg@10'][0]:.3f}" for way in ("cosine", "search") for name in names]
        mean, low, high = row["search, difference"] if len(names) > 1 else (0, 0, 0)
        body.append([title, row["questions"], *cells, f"{mean:+.3f} ({low:+.3f} to {high:+.3f})"])
    head = ["nDCG@10", "questions", *(f"{name}, {way}" for way in ("cosines", "search") for name in names)]
    parts.append(table([*head, "search, difference"], body))
    parts.append(
        "\"Search\" is the platform's own, with words, default settings and the embedder's vectors in the store."
    )
    body = [[name, *each["pt"].values()] for name, each in figures["likeness"].items()]
    parts.append(table(["Likeness of sentences, Portuguese (PLUE)", "pairs", "Pearson", "Spearman"], body))
    body = [
        [
            name,
            f"{row['passages_per_s']:,.0f}",
            f"{row['query_ms']:.2f}",
            f"{row['load_s']:.2f}",
            f"{row['peak_mb']:.0f}",
        ]
        for name, row in figures["speed"].items()
    ]
    parts.append(table(["One thread of a busy machine", "passages/s", "a query, ms", "load, s", "peak MB"], body))
    rows = figures["sizes"]
    columns = [key for key in next(iter(rows.values())) if key != "mb"]
    body = [[size, row["mb"], *(f"{row[key]:.3f}" for key in columns)] for size, row in rows.items()]
    heads = [f"{SETS[key].split(',')[0]} nDCG@10" if key in SETS else key for key in columns]
    parts.append("By size; recall@1 on NTREX, cosines alone on the judged sets:")
    parts.append(table(["size", "MB", *heads], body))
    return "\n\n".join(parts)


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
