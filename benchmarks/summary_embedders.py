"""What `benchmarks.summary` says about the embedders that come with Rocamadre."""

from __future__ import annotations

from typing import Any

OURS, THEIRS, TRIVIAL = "roca-embed", "minilm", "shared words"
Rows = list[tuple[str, str, str]]


def embedders(figures: dict[str, Any]) -> Rows:
    """See `benchmarks.embedders`."""
    rows = [
        (what, "; ".join(f"{name} {shown}" for name, shown in cells.items()), "") for what, cells in _lines(figures)
    ]
    for name, found in figures["retrieval"].items():
        mean, low, high = found["both, search, against minilm"]
        cells = ", ".join(f"{each} {found[f'{each}, search']['ndcg@10'][0]:.3f}" for each in (OURS, THEIRS, "both"))
        rows.append((f"{name}: nDCG@10 of the search", f"{cells}: {mean:+.3f} ({low:+.3f} to {high:+.3f})", ""))
    for name, found in figures["sizes"].items():
        recalls = ", ".join(f"{pair} {found[pair]:.3f}" for pair in ("en→es", "pt→en"))
        rows.append((f"{OURS} with {name}", f"{found['mb']:.1f} MB; NTREX recall@1 {recalls}", ""))
    return rows


def embedders_table(figures: dict[str, Any]) -> list[str]:
    """Both embedders beside what a trivial one finds."""
    lines = ["| | roca-embed | MiniLM | shared words |", "| --- | --- | --- | --- |"]
    for what, cells in _lines(figures):
        lines.append(f"| {what} | {' | '.join(cells.get(name, '') for name in (OURS, THEIRS, TRIVIAL))} |")
    return lines


def _lines(figures: dict[str, Any]) -> list[tuple[str, dict[str, str]]]:
    found: list[tuple[str, dict[str, str]]] = []
    languages = figures["languages"]
    for title, key in (("NTREX", "ntrex"), ("XQuAD", "xquad")):
        found += [
            (
                f"{title} {pair}: recall@1 / recall@5",
                {
                    name: f"{each[key][pair]['recall@1'][0]:.3f} / {each[key][pair]['recall@5'][0]:.3f}"
                    for name, each in languages.items()
                },
            )
            for pair in languages[OURS][key]
        ]
    found += [
        (
            f"{name}: nDCG@10 of cosines alone",
            {each: f"{row[f'{each}, cosine']['ndcg@10'][0]:.3f}" for each in (OURS, THEIRS)},
        )
        for name, row in figures["retrieval"].items()
    ]
    likeness = {name: f"{each['pt']['spearman']:.3f}" for name, each in figures["likeness"].items()}
    found.append(("likeness of sentences, Portuguese: Spearman", likeness))
    for key, what, form in (
        ("passages_per_s", "passages/s, one thread", ",.0f"),
        ("query_ms", "a query, ms", ".2f"),
        ("peak_mb", "memory at most, MB", ",.0f"),
    ):
        found.append((what, {name: format(each[key], form) for name, each in figures["speed"].items()}))
    return found


SECTIONS = {"embedders": embedders}
TABLES = {"invoke-model.md": {"embedders": embedders_table}}
