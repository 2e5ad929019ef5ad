"""Write docs/benchmarks.md, and tables of other pages, from the results: `python -m benchmarks.summary`."""

from __future__ import annotations

import json
from typing import Any

from benchmarks import summary_embedders, summary_guardrails, summary_knowledge
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


def _wires(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    names = {
        "rocamadre": "Converse",
        "tools": "Converse with a tool that must be called",
        "openai": "/v1/chat/completions",
        "openai_responses": "/v1/responses, not stored",
        "anthropic": "/anthropic/v1/messages",
    }
    return [
        (
            f"{text}, signed, requests/s on one core, 1 and 16 at a time",
            f"{figures[name]['1']['requests_per_s']['median']:,.0f}, "
            f"{figures[name]['16']['requests_per_s']['median']:,.0f}",
            "",
        )
        for name, text in names.items()
    ]


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


def _parsing(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    formats = figures["parsing"].items()
    rates = ", ".join(f"{name} {each['files_per_s_in_child']:,.0f}" for name, each in formats)
    least = min(each["files_per_s_in_child"] / each["files_per_s_in_process"] for _, each in formats)
    cut = figures["chunking"]
    rows = [
        ("documents of some 2,000 words parsed in one child, files/s", rates, ""),
        ("the same beside parsing in this process, least", f"{least:.0%}", ""),
        ("a child begins and parses its first file", f"{figures['starts']['median_s']:.2f} s", ""),
    ]
    for name, each in cut.items():
        found = f"{each['pieces_per_s']:,} pieces/s, {each['mb_per_s']} MB/s"
        rows.append((f"{name} on 10 MB, tokens of {figures['tokens_of']}", found, ""))
    longest = max(each["time_for_ten_times_the_text"] for each in cut.values())
    return [*rows, ("ten times the text takes, at most", f"{longest} times as long", "")]


def _hostile_files(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    slowest = figures["slowest"][0]
    return [
        (f"{figures['files']} broken and hostile files that did harm", str(len(figures["harm"])), "0"),
        ("the longest took", f"{slowest['seconds']:.1f} s ({slowest['what']})", "under 30 s"),
        ("the most memory of a file", f"{figures['most_memory_mb']} MB", "under 1 GB"),
    ]


def _tools(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    rows = []
    for name, text in (("structured_output", "as structured output"), ("tool_calls", "as a tool's input")):
        found = figures["random_schemas"][name]
        cut = found.get("max_tokens", 0)
        ended = found["schemas"] - cut
        rows.append(
            (
                f"{found['schemas']} random schemas {text}, {figures['max_tokens']:,} tokens",
                f"{found.get('valid', 0)} of {ended} that ended by themselves are valid; {cut} cut by the limit "
                f"({found['share_cut_by_the_limit']:.1%})",
                "all; at most 5 % cut",
            )
        )
    cost = figures["overhead"]
    for name, text in (("json_by_schema", "JSON by a schema"), ("text_that_may_call", "text that may become a call")):
        ratio = cost[f"{name}_over_free_text"]
        rows.append(
            (
                f"time per token of {text}, beside free text",
                f"{ratio['median']:.2f} times (runs {ratio['min']:.2f} to {ratio['max']:.2f})",
                "aim: 1.1",
            )
        )
    cache = figures["prefix_cache"]
    rows.append(
        (
            f"first token after a prefix of {cache['prefix_tokens']:,} tokens, second time",
            f"{cache['first_token_ms']['warm']['median']:.0f} ms instead of "
            f"{cache['first_token_ms']['cold']['median']:.0f} ms: {cache['times_faster']['median']:.0f} times faster",
            "3 times",
        )
    )
    return rows


def _batch(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    kills = figures["fire"]["kills"]
    return [
        (
            f"{figures['records']:,} records, {sum(kills.values())} kill -9 of worker and server",
            f"{len(figures['faults'])} lost, repeated or wrong, in {figures['fire']['seconds']:.0f} s",
            "0",
        ),
        ("records/s without kills, once running", f"{figures['peace']['records_per_s_once_running']:,}", ""),
    ]


def _s3(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    share, memory = figures["share_of_discarding"], figures["server_memory_megabytes"]
    speed = figures["megabytes_per_second"]
    rates = ", ".join(f"{name} {values['median']:,.0f} MB/s" for name, values in speed.items())
    return [
        (
            f"boto3 upload of {figures['megabytes']:,} MiB in parts, beside a server that throws the bytes away",
            f"{share['median']:.0%} (runs {share['min']:.0%} to {share['max']:.0%}): {rates}",
            "60 %",
        ),
        ("server memory before and at most", f"{memory['before']:.0f} and {memory['peak']:.0f} MB", "flat"),
        (
            f"{figures['kills']:,} kill -9 during puts ({figures['puts_answered']:,} answered)",
            f"{figures['torn_objects']} torn, {figures['answered_puts_lost']} answered and lost, "
            f"{figures['files_that_belong_to_nothing']} files left over",
            "0",
        ),
    ]


def _soak(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    memory = figures["memory_mb"]
    return [
        (
            f"{figures['minutes']:g} minutes at {figures['kept_rate_per_s']:,.0f} requests/s "
            f"(highest found: {figures['highest_rate_per_s']:,.0f})",
            f"{figures['requests']:,} requests, {sum(figures['errors'].values())} errors",
            "0 errors",
        ),
        (
            "memory, second and last quarter",
            f"{memory['second_quarter']:.0f} and {memory['last_quarter']:.0f} MB ({figures['growth']:+.1%})",
            "at most +5 %",
        ),
        ("p50, p99", f"{figures['p50_ms']:g} ms, {figures['p99_ms']:g} ms", ""),
    ]


def _score(score: dict[str, Any], *, sign: str = "") -> str:
    return f"{score['value']:{sign}.1f} ({score['low']:{sign}.1f} to {score['high']:{sign}.1f})"


def _tasks(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    rows = []
    for task in figures["tasks"].values():
        loss = task["validation_loss"]
        rows.append(
            (
                f"{task['title']} ({task['language']}), {task['examples']['train']:,} examples",
                f"validation loss {loss['before']:.2f} to {loss['after']:.2f}; {task['metric']} "
                f"{_score(task['before'])} to {_score(task['after'])}",
                "less loss; more " + task["metric"],
            )
        )
    return rows


def _methods(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (
            f"{name}, {found['trained_parameters']:,} numbers trained",
            f"accuracy {_score(found['accuracy'])}, validation loss {found['validation_loss']['after']:.3f}, "
            f"{found['processor_s']:.0f} s of a processor, {found['peak_memory_mb']} MB, {_size(found['disk_kb'])}",
            "",
        )
        for name, found in figures["methods"].items()
    ]


def _preflight(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    bars, runs = figures["bars"], figures["runs"].values()
    rows = []
    for name, title, bar in (("memory_bytes", "peak memory", "memory"), ("training_s", "time in training", "time")):
        off = [abs(run["figures"][name]["error"]) for run in runs]
        kept = sum(each <= bars[bar] for each in off)
        text = f"at most {max(off):.0%} off, within the bar in {kept} of {len(off)} runs"
        rows.append((f"{title}, foreseen and found", text, f"{bars[bar]:.0%}"))
    return rows


def _preflight_table(figures: dict[str, Any]) -> list[str]:
    lines = [
        "| run | weights that move | memory foreseen | was | off by | time foreseen | was | off by |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, run in figures["runs"].items():
        weights, memory, time = (run["figures"][each] for each in ("trained_parameters", "memory_bytes", "training_s"))
        lines.append(
            f"| {name} | {weights['was']:,.0f} | {_megabytes(memory['foreseen'])} | {_megabytes(memory['was'])} | "
            f"{memory['error']:+.0%} | {time['foreseen']:.1f} s | {time['was']:.1f} s | {time['error']:+.0%} |"
        )
    return lines


def _size(kilobytes: float) -> str:
    return f"{kilobytes / 1000:.1f} MB" if kilobytes >= 1000 else f"{kilobytes:.0f} kB"


def _tasks_table(figures: dict[str, Any]) -> list[str]:
    lines = [
        "| task | examples | validation loss | metric | base | tuned | gain | trained for |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for task in figures["tasks"].values():
        loss, commonest = task["validation_loss"], task["commonest_label"]
        metric = task["metric"] + (f" (commonest label: {commonest:g})" if commonest is not None else "")
        lines.append(
            f"| {task['title']} ({task['language']}) | {task['examples']['train']:,}, tested on "
            f"{task['before']['rows']} | {loss['before']:.2f} to {loss['after']:.2f} | {metric} | "
            f"{_score(task['before'])} | {_score(task['after'])} | {_score(task['gain'], sign='+')} | "
            f"{task['steps']} steps, {task['tokens'] / 1000:,.0f}k tokens, {task['training_minutes']:.0f} min |"
        )
    return lines


def _methods_table(figures: dict[str, Any]) -> list[str]:
    lines = [
        "| method | settings | numbers trained | accuracy | validation loss | processor time | memory | on disk |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        f"| the base | | | {_score(figures['base']['accuracy'])} | {_losses(figures)['before']:.2f} | | | |",
    ]
    for name, found in figures["methods"].items():
        given = {**found["settings"], "learning_rate": found["learning_rate"]}
        settings = ", ".join(f"{each} {value:g}" for each, value in given.items() if not isinstance(value, bool))
        lines.append(
            f"| {name} | {settings} | {found['trained_parameters']:,} | {_score(found['accuracy'])} | "
            f"{found['validation_loss']['after']:.3f} | {found['processor_s']:.0f} s | {found['peak_memory_mb']} MB | "
            f"{_size(found['disk_kb'])} |"
        )
    return lines


def _losses(figures: dict[str, Any]) -> dict[str, float]:
    return dict(figures["methods"]["LoRA"]["validation_loss"])


def _guardrails_streaming(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    names = {
        "words_and_personal_data": ("words and personal data, in step", "15 %"),
        "all_policies": ("every policy that judges answers, in step", "15 %"),
        "all_policies_async": ("the same, beside the stream", ""),
    }
    rates, firsts = figures["tokens_per_second"], figures["first_text_ms"]
    plain, at_once = rates["plain"]["median"], firsts["plain"]["median"]
    return [
        (
            f"ConverseStream with {title}: tokens/s lost, beside the same stream without a guardrail",
            f"{max(figures['overhead'][name]['median'], 0):.1%} (runs {figures['overhead'][name]['min']:.1%} to "
            f"{figures['overhead'][name]['max']:.1%}; {rates[name]['median']:,.0f} and {plain:,.0f} tokens/s); first "
            f"text after {firsts[name]['median']:,.0f} ms, {at_once:,.0f} ms without",
            bar,
        )
        for name, (title, bar) in names.items()
    ]


TABLES: dict[str, dict[str, summary_knowledge.Table]] = {
    "customization.md": {"tasks": _tasks_table, "methods": _methods_table, "preflight": _preflight_table},
    **summary_knowledge.TABLES,
    **summary_embedders.TABLES,
    "guardrails-measured.md": {"guardrails": summary_guardrails.measured_tables},
}
"""Tables of pages of docs/, between `<!-- NAME: begin -->` and `<!-- NAME: end -->`."""


def with_tables(text: str, tables: dict[str, summary_knowledge.Table]) -> str:
    """A page with its tables as they were measured."""
    for name, table in tables.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        if (RESULTS / f"{name}.json").exists() and begin in text:
            before, _, rest = text.partition(begin)
            lines = "\n".join(table(_load(name)))
            text = f"{before}{begin}\n{lines}\n{end}{rest.partition(end)[2]}"
    return text


SECTIONS = {
    "gateway": _gateway,
    "wires": _wires,
    "generation": _generation,
    "embeddings": _embeddings,
    "streams": _streams,
    "startup": _startup,
    "tools": _tools,
    "batch": _batch,
    "s3": _s3,
    **summary_embedders.SECTIONS,
    **summary_knowledge.SECTIONS,
    "guardrails": summary_guardrails.guardrails,
    "guardrails_streaming": _guardrails_streaming,
    "soak": _soak,
    "fuzz": _fuzz,
    "parsing": _parsing,
    "hostile_files": _hostile_files,
    "tasks": _tasks,
    "methods": _methods,
    "preflight": _preflight,
}


COMMANDS = {"wires": "gateway --without-litellm"}
"""Of results that are not named after their module."""


def page() -> str:
    """The page's text."""
    lines = [
        "# Figures",
        "",
        "Each table comes from one command, which prints its figures and keeps them in `benchmarks/results/`. Figures",
        "depend on the machine; ratios are taken in the same run. `python -m benchmarks.summary` writes this page.",
    ]
    for name, rows_of in SECTIONS.items():
        if not (RESULTS / f"{name}.json").exists():
            continue
        figures = _load(name)
        place = figures["machine"]
        lines += [
            "",
            f"## `python -m benchmarks.{COMMANDS.get(name, name)}`",
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
    for name, tables in TABLES.items():
        path = PAGE.with_name(name)
        path.write_text(with_tables(path.read_text(), tables))
    print(f"wrote {PAGE.relative_to(ROOT)} and the tables of {', '.join(TABLES)}")
