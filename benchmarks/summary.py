"""Write docs/benchmarks.md from the results: `python -m benchmarks.summary`."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.harness import RESULTS, ROOT

PAGE = ROOT / "docs" / "benchmarks.md"


def _load(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / f"{name}.json").read_text())


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.0f} MB"


def _gateway(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    rows = []
    for count in ("1", "16"):
        ours, theirs = figures["rocamadre"][count], figures["litellm"][count]
        rows.append(
            (
                f"signed Converse, requests/s on one core, {count} at a time",
                f"{ours['requests_per_s']['median']:,.0f}; LiteLLM proxy {theirs['requests_per_s']['median']:,.0f}: "
                f"{figures['ratio_per_core'][count]} times",
                "20 times" if count == "16" else "",
            )
        )
    rows.append(("p50 with one client", f"{figures['rocamadre']['1']['p50_ms']['median']:.2f} ms", "under 2 ms"))
    return rows


def _generation(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (
            f"ConverseStream, tokens/s, {count} at a time, beside the engine called directly",
            f"{figures[key]['tokens_per_second']['served']['median']:,.0f} of "
            f"{figures[key]['tokens_per_second']['direct']['median']:,.0f}: "
            f"{figures[key]['share_of_direct']['median']:.0%} (runs {figures[key]['share_of_direct']['min']:.0%} to "
            f"{figures[key]['share_of_direct']['max']:.0%})",
            "95 %",
        )
        for count, key in ((1, "concurrency_1"), (8, "concurrency_8"))
    ]


def _embeddings(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    names = {"invoke_model": "InvokeModel", "openai": "/v1/embeddings"}
    return [
        (
            f"{names[wire]}, texts/s in batches of {figures['batch']}, beside ONNX Runtime called directly",
            f"{figures['texts_per_second'][wire]['median']:.1f} of "
            f"{figures['texts_per_second']['direct']['median']:.1f}: "
            f"{figures['share_of_direct'][wire]:.0%}",
            "90 %",
        )
        for wire in names
    ]


def _streams(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    together, killed, engine = figures["concurrent"], figures["clients_killed"], figures["engine_killed"]
    memory = f"{_megabytes(together['memory_before_bytes'])} to {_megabytes(together['memory_highest_bytes'])}"
    lost = sum(engine["undeclared"].values())
    return [
        ("streams at once that arrived whole", f"{together['whole']:,} of {together['streams']:,}", "all"),
        ("server memory meanwhile", memory, "bounded"),
        ("slot free after a client is killed", f"{killed['slot_free_after_s']['max'] * 1000:.0f} ms at most", "1 s"),
        (
            f"{engine['kills']} kill -9 of the engine under load",
            f"{lost} undeclared errors, {engine['stuck']} stuck",
            "0, 0",
        ),
    ]


def _startup(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    memory = ", ".join(f"{name} {_megabytes(size)}" for name, size in figures["idle_memory_bytes"].items())
    return [
        ("`import rocamadre`", f"{figures['import_rocamadre_s']['median']:.3f} s", "0.3 s"),
        ("second `make up` to the first token", f"{figures['make_up_to_first_token_s']['median']:.1f} s", "5 s"),
        ("idle memory", memory, ""),
    ]


def _fuzz(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    found = f"{len(figures['faults'])} undeclared 5xx, hangs or crashes"
    return [(f"{figures['requests']:,} generated and damaged requests", found, "0")]


SECTIONS = {
    "gateway": _gateway,
    "generation": _generation,
    "embeddings": _embeddings,
    "streams": _streams,
    "startup": _startup,
    "fuzz": _fuzz,
}


def page() -> str:
    """The page's text."""
    lines = [
        "# Figures",
        "",
        "Each table comes from one command, which prints its figures and keeps them in `benchmarks/results/`. Figures",
        "depend on the machine; ratios are taken in the same run. `python -m benchmarks.summary` writes this page.",
    ]
    for name, rows_of in SECTIONS.items():
        figures = _load(name)
        place = figures["machine"]
        lines += [
            "",
            f"## `python -m benchmarks.{name}`",
            "",
            f"{figures['date'][:10]}, commit {figures['commit']}, {place['cores']} cores of {place['processor']}, "
            f"Python {place['python']}.",
            "",
            "| what | measured | bar |",
            "| --- | --- | --- |",
            *(f"| {what} | {measured} | {bar} |" for what, measured, bar in rows_of(figures)),
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"wrote {PAGE.relative_to(ROOT)}")
