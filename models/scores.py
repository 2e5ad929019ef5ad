"""Print what is known of the models that come with Rocamadre, beside MiniLM and trivial baselines.

    python models/scores.py        `make scores` measures roca-mini anew first

Nothing is measured here. roca-mini's figures are in `models/roca-mini/scores.json`, the embedders' in
`benchmarks/results/embedders.json` (`python -m benchmarks.embedders`), the others' beside their cards.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MODELS = Path(__file__).resolve().parent
RESULTS = MODELS.parent / "benchmarks" / "results"
NAMES = {"roca-embed": "roca-embed", "minilm": "MiniLM", "shared words": "shared words"}


def show(title: str, head: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    print(f"\n{title}")
    for row in [head, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}


def with_interval(values: list[float]) -> str:
    return f"{values[0]:.3f} ({values[1]:.3f} to {values[2]:.3f})"


def roca_mini(scores: dict[str, Any]) -> None:
    rows = []
    for name, each in scores.get("scores", {}).items():
        others = [f"{key} {value}" for key, value in each.items() if key not in ("value", "low", "high", "rows")]
        bounds = f"{each['low']} to {each['high']}" if "low" in each else ""
        rows.append([name, str(each["value"]), bounds, str(each.get("rows", "")), ", ".join(others)])
    if rows:
        show("roca-mini", ["", "score", "95 % interval", "rows", "beside it"], rows)


def embedders(figures: dict[str, Any]) -> None:
    if not figures:
        return
    found = figures["languages"]
    names = [name for name in NAMES if name in found]
    rows = []
    for title, key in (("NTREX", "ntrex"), ("XQuAD", "xquad")):
        for pair in found["roca-embed"][key]:
            cells = [found[name][key][pair] for name in names]
            for at in ("recall@1", "recall@5"):
                rows.append([f"{title} {pair}, {at}", *(with_interval(cell[at]) for cell in cells)])
    show("roca-embed: across languages, 95 % intervals", ["", *(NAMES[name] for name in names)], rows)
    rows = [
        [name, str(each["pt"]["pairs"]), str(each["pt"]["pearson"]), str(each["pt"]["spearman"])]
        for name, each in figures["likeness"].items()
    ]
    show("roca-embed: likeness of sentences, Portuguese", ["", "pairs", "Pearson", "Spearman"], rows)
    rows = []
    for name, each in figures["retrieval"].items():
        for way in ("cosine", "search"):
            cells = [each.get(f"{embedder}, {way}") for embedder in ("roca-embed", "minilm", "both")]
            shown = [with_interval(cell["ndcg@10"]) if cell else "" for cell in cells]
            rows.append([f"{name}, {way}", str(each["questions"]), *shown])
    show("roca-embed: nDCG@10", ["", "questions", "roca-embed", "MiniLM", "both"], rows)
    rows = [[name, *(f"{value:,.2f}" for value in each.values())] for name, each in figures["speed"].items()]
    show("roca-embed: one thread", ["", *(next(iter(figures["speed"].values())))], rows)


def others() -> None:
    for path in sorted(MODELS.glob("*/figures.json")):
        found = list(leaves(read(path).get("held_out", {}))) or list(leaves(read(path).get("ndcg_at_10", {})))
        if found:
            rows = [[name, ", ".join(f"{key} {value}" for key, value in each.items())] for name, each in found]
            show(f"{path.parent.name}, on what it was not trained on", ["", ""], rows)


def leaves(tree: dict[str, Any], above: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Groups of plain figures, each with its path."""
    own = {key: value for key, value in tree.items() if isinstance(value, int | float)}
    if own:
        yield above or "all", own
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{above}, {key}" if above else key)


def main() -> None:
    roca_mini(read(MODELS / "roca-mini" / "scores.json"))
    embedders(read(RESULTS / "embedders.json"))
    others()


if __name__ == "__main__":
    main()
