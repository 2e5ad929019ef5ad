"""What `benchmarks.summary` says about knowledge bases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Rows = list[tuple[str, str, str]]
Table = Callable[[dict[str, Any]], list[str]]


def retrieval(figures: dict[str, Any]) -> Rows:
    """See `benchmarks.retrieval`."""
    rows = []
    for name, found in figures["sets"].items():
        ours, best = found["ndcg@10"]["rocamadre"], found["best_other"]
        gain = found["against_best_other"]
        rows.append(
            (
                f"{name}, {found['questions']} questions, {found['documents']:,} documents: nDCG@10, the best other",
                f"{ours:.3f}; {best} {found['ndcg@10'][best]:.3f}: {gain['mean']:+.3f} "
                f"({gain['low']:+.3f} to {gain['high']:+.3f})",
                f"-0.005; aim {found['aim']:.2f}",
            )
        )
    rows += [
        (
            f"{name}: what nDCG@10 loses without the {stage}",
            f"{lost['mean']:+.3f} ({lost['low']:+.3f} to {lost['high']:+.3f})",
            "",
        )
        for name, found in figures["sets"].items()
        for stage, lost in found.get("without_against_with", {}).items()
        if lost["mean"] or lost["high"]
    ]
    means = figures["mean_ndcg@10"]
    rows.append(("mean of the sets", f"{means['rocamadre']:.3f}; {means['best_other']:.3f}", "better"))
    rows += [
        (
            f"{name}, {found['reranked']['questions']} questions: what reranking by the embedder adds to nDCG@10",
            f"{found['reranked']['mean']:+.3f} ({found['reranked']['low']:+.3f} to {found['reranked']['high']:+.3f})",
            "",
        )
        for name, found in figures["sets"].items()
    ]
    for place, pairs in figures["languages"].items():
        rows += [
            (
                f"{place}, {pair}, {found['questions']} questions: recall@1 and recall@5",
                f"{_with(found, 1)}, {_with(found, 5)}",
                "",
            )
            for pair, found in pairs.items()
        ]
    return rows


def _with(found: dict[str, Any], k: int) -> str:
    (_, default), *others = found[f"recall@{k}"].items()
    return f"{default:.3f} ({', '.join(f'{way} {value:.3f}' for way, value in others)})"


def answers(figures: dict[str, Any]) -> Rows:
    """See `benchmarks.answers`."""
    rows = []
    for language, readers in figures.get("given_passage", {}).items():
        for name, found in readers.items():
            who = "the trained reader" if name == "extractive" else "the reader by words"
            rows.append(
                (
                    f"{language}, the right passage given, best span of {who}: token F1, exact",
                    f"{_interval(found['token_f1'])}, {_interval(found['exact'])}",
                    "0.55" if name == "extractive" else "",
                )
            )
    for language, found in figures["auto"].items():
        counts = ", ".join(f"{count} {name}" for name, count in found["questions"].items() if count)
        rows += [
            (f"{language}, {counts}: token F1 of the answerable", _interval(found["token_f1"]), ""),
            (f"{language}: the answer holds the accepted words", _interval(found["answer_holds_gold"]), ""),
            (
                f"{language}: precision and recall of refusals",
                f"{_interval(found['refusal_precision'])}, {_interval(found['refusal_recall'])}",
                "",
            ),
            (f"{language}: every citation exact", "yes" if found["citations_exact"] else "no", "yes"),
        ]
    for name, found in figures["sql"].items():
        rows.append((f"text to SQL, {name}: right, refused", f"{found['accuracy'][0]}, {found['refused'][0]}", ""))
    return rows


def _interval(values: list[float]) -> str:
    return f"{values[0]:.2f} ({values[1]:.2f} to {values[2]:.2f})" if values else "–"


def kb_scale(figures: dict[str, Any]) -> Rows:
    """See `benchmarks.kb_scale`."""
    rows = []
    for size in figures["sizes"]:
        count = f"{size['chunks']:,} chunks"
        for name, what in (("vector", "nearest vectors"), ("terms", "best words")):
            asked = {kind: size[f"{name}_{kind}"] for kind in ("everything", "half", "tenth", "hundredth")}
            times = ", ".join(f"{each['p50_ms']:.1f} / {each['p99_ms']:.1f}" for each in asked.values())
            rows.append(
                (f"{count}, {what}: p50 / p99 in ms, all and with filters that leave 1/2, 1/10, 1/100", times, "30")
            )
            if name == "vector":
                recall = ", ".join(f"{each['recall']:.3f}" for each in asked.values())
                rows.append((f"{count}, recall@10 against comparing all, the same", recall, "0.98"))
        rows += [
            (f"{count}, first answer after opening", f"{size['first_answer_s']:.2f} s", "1 s"),
            (f"{count}, written", f"{size['chunks_per_s']:,.0f} chunks/s in {size['build_s']:,.0f} s", ""),
            (f"{count}, memory and disk", f"{size['memory_mb']:.0f} MB, {size['disk_mb']:,.0f} MB", ""),
        ]
        for name, what in (("sqlite_vec_exact", "sqlite-vec, nearest vectors"), ("fts5", "FTS5, best words")):
            if "beside" in size:
                each = size["beside"][name]
                rows.append((f"{count}, beside it {what}", f"{each['p50_ms']:.1f} / {each['p99_ms']:.1f} ms", ""))
    ahead = figures["projected_to_1000000"]
    rows.append(
        (
            "1,000,000 chunks by the line through both sizes: vectors and words p50, first answer, memory, disk",
            f"{ahead['vector_everything_p50_ms']:.0f} ms, {ahead['terms_everything_p50_ms']:.0f} ms, "
            f"{ahead['first_answer_s']:.1f} s, {ahead['memory_mb']:.0f} MB, {ahead['disk_mb'] / 1000:.1f} GB",
            "",
        )
    )
    return rows


def ingestion(figures: dict[str, Any]) -> Rows:
    """See `benchmarks.ingestion`."""
    rows = []
    for kind, what in (("precomputed", "with ready vectors"), ("embedded", "with MiniLM")):
        found = figures[kind]
        ours, theirs = found["rocamadre"], found.get("langchain_chroma")
        text = f"{ours['documents_per_s']['median']:,.1f}, {ours['chunks_per_s']['median']:,.0f}"
        memory = f"{found['memory_mb']['rocamadre']:.0f} MB"
        if theirs:
            text += (
                f"; LangChain and Chroma {theirs['documents_per_s']['median']:,.1f}, "
                f"{theirs['chunks_per_s']['median']:,.0f}: {found['times_faster']} times"
            )
            memory += f"; LangChain and Chroma {found['memory_mb']['langchain_chroma']:.0f} MB"
        bar = f"{figures['bars'][kind]:g} times"
        rows.append((f"{ours['chunks']:,} chunks {what}: documents/s, chunks/s", text, bar))
        rows.append(
            (
                f"the same: most memory, all processes of {'a server' if kind == 'embedded' else 'the job'}",
                memory,
                "no more",
            )
        )
    share = figures["embedded"]["embedder_share"]
    rows.append(("the embedder's chunks/s, against its runtime called directly", f"{share:.0%}", "90 %"))
    return rows


def kb_kills(figures: dict[str, Any]) -> Rows:
    """See `benchmarks.kb_kills`."""
    kills = figures["kills"]
    count = f"{kills['worker']} kills of the worker and {kills['server']} of the server"
    return [
        (
            f"{count}, while {figures['rounds']} jobs ran: jobs with wrong figures",
            str(len(figures["wrong_figures"])),
            "0",
        ),
        (
            f"of {figures['documents']:,} documents in {figures['chunks']:,} chunks, other than undisturbed",
            str(len(figures["documents_that_differ"])),
            "0",
        ),
    ]


def graph(figures: dict[str, Any]) -> Rows:
    """See `benchmarks.graph`."""
    two = figures["two_passages"]
    rows = [
        (
            f"{two['questions']} questions that need two of {two['passages']} passages: both among the first five",
            f"{two['graph']['both_in_5']:.3f}; without the stage {two['default']['both_in_5']:.3f}",
            "",
        )
    ]
    rows += [
        (f"{name}, one passage each, nDCG@10", f"{each['graph']:.3f}; without the stage {each['default']:.3f}", "")
        for name, each in figures["one_passage"].items()
    ]
    return rows


def retrieval_table(figures: dict[str, Any]) -> list[str]:
    """Every row on every set."""
    sets = figures["sets"]
    names = list(next(iter(sets.values()))["ndcg@10"])
    heads = [f"{name} ({each['questions']})" for name, each in sets.items()]
    lines = [
        f"| nDCG@10 / recall@5 | {' | '.join(heads)} |",
        "| --- " * (len(sets) + 1) + "|",
    ]
    for row in names:
        best = {name: max(each["ndcg@10"][other] for other in names) for name, each in sets.items()}
        cells = []
        for name, each in sets.items():
            gain = each["ndcg@10"][row]
            shown = f"{gain:.3f} / {each['recall@5'][row]:.3f}"
            cells.append(f"**{shown}**" if gain == best[name] else shown)
        lines.append(f"| {row.replace('rocamadre', 'Rocamadre')} | {' | '.join(cells)} |")
    cells = [
        f"{each['against_best_other']['mean']:+.3f} ({each['against_best_other']['low']:+.3f} to "
        f"{each['against_best_other']['high']:+.3f})"
        for each in sets.values()
    ]
    lines.append(f"| Rocamadre beside the best other row, nDCG@10 | {' | '.join(cells)} |")
    cells = [
        f"{each['reranked']['mean']:+.3f} ({each['reranked']['low']:+.3f} to {each['reranked']['high']:+.3f})"
        for each in sets.values()
    ]
    lines.append(f"| what reranking by MiniLM adds, {_counts(sets)} questions | {' | '.join(cells)} |")
    return [*lines, "", *_language_table(figures["languages"])]


def _counts(sets: dict[str, Any]) -> str:
    counts = sorted({each["reranked"]["questions"] for each in sets.values()})
    return " to ".join(map(str, counts[:1] + counts[-1:] if len(counts) > 1 else counts))


def _language_table(languages: dict[str, Any]) -> list[str]:
    ways = list(next(iter(next(iter(languages.values())).values()))["recall@1"])
    heads = [f"recall@{k}" if way == ways[0] else f"recall@{k}, {way}" for k in (1, 5) for way in ways]
    lines = [f"| question and chunks | questions | {' | '.join(heads)} |", f"| --- | --- |{' --- |' * len(heads)}"]
    for place, pairs in languages.items():
        for pair, found in pairs.items():
            cells = [f"{found[f'recall@{k}'][way]:.3f}" for k in (1, 5) for way in ways]
            lines.append(f"| {place}, {pair} | {found['questions']} | {' | '.join(cells)} |")
    return lines


_ANSWERS = {
    "token F1, answerable": "token_f1",
    "the answer holds the accepted words": "answer_holds_gold",
    "answerable questions answered": "answered",
    "precision of refusals": "refusal_precision",
    "recall of refusals: the article is not there": "refusal_recall_absent",
    "recall of refusals: SQuAD 2's unanswerable ones": "refusal_recall_adversarial",
}
_LANGUAGES = {"en": "English", "es": "Spanish", "pt": "Portuguese"}


_FORMS = {"token F1, always the words alone": "span", "token F1, the reader `words`": "words"}


def answers_table(figures: dict[str, Any]) -> list[str]:
    """Figures of the reader's default form."""
    found = figures["auto"]
    lines = [f"| | {' | '.join(_LANGUAGES[each] for each in found)} |", "| --- " * (len(found) + 1) + "|"]
    for what, name in _ANSWERS.items():
        lines.append(f"| {what} | {' | '.join(_interval(each[name]) for each in found.values())} |")
    counts = ", ".join(
        f"{_LANGUAGES[language]} {', '.join(f'{count} {name}' for name, count in each['questions'].items() if count)}"
        for language, each in found.items()
    )
    exact = all(each["citations_exact"] for each in found.values())
    for what, form in _FORMS.items():
        if form in figures:
            cells = " | ".join(_interval(each["token_f1"]) for each in figures[form].values())
            lines.append(f"| {what} | {cells} |")
            cells = " | ".join(_interval(each["refusal_recall_adversarial"]) for each in figures[form].values())
            lines.append(f"| {what}: recall of refusals, SQuAD 2's | {cells} |")
    return [*lines, "", f"{counts}; every citation was {'exact' if exact else 'looked at: some were not exact'}."]


SECTIONS = {
    "retrieval": retrieval,
    "answers": answers,
    "kb_scale": kb_scale,
    "ingestion": ingestion,
    "kb_kills": kb_kills,
    "graph": graph,
}
TABLES: dict[str, dict[str, Table]] = {
    "knowledge-search.md": {"retrieval": retrieval_table},
    "answers.md": {"answers": answers_table},
}
"""By page of docs/."""
