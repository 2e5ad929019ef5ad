"""What `roca explain` draws on a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rocamadre.core.explanation import Candidate, Step

if TYPE_CHECKING:
    from rocamadre.cli.explain import Explanation

_NEUTRAL = {
    "temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.0, "frequency_penalty": 0.0,
    "presence_penalty": 0.0, "min_tokens": 0, "stop": [],
}  # fmt: skip
_BAR = 14


def show_explanation(explanation: Explanation, *, most: int) -> None:
    """Print it; candidates beyond the first `most` of a step share a line."""
    console = Console(highlight=False)
    active = [f"{name}={value}" for name, value in explanation.settings.items() if value != _NEUTRAL.get(name, ())]
    console.print(f"[bold]{escape(explanation.model)}[/] · {escape(', '.join(active))}")
    console.print(_prompt(explanation))
    for number, step in enumerate(explanation.steps, 1):
        console.print(_step(number, step, most=most))
        for note in step.notes:
            console.print(f"  note: {escape(note)}", style="dim")
    for note in explanation.notes:
        console.print(f"note: {escape(note)}", style="dim")
    console.print(f"[bold]Answer[/] {escape(_quoted(explanation.answer))} · {_ending(explanation)}")
    console.print(
        'The API reports the 20 likeliest candidates of each step; all beyond them are summed as "others".', style="dim"
    )


def _prompt(explanation: Explanation) -> Table:
    table = Table(title=f"The prompt: {len(explanation.prompt_tokens)} tokens", title_justify="left")
    for heading in ("id", "piece", "probability here"):
        table.add_column(heading, justify="right" if heading != "piece" else "left")
    for token in explanation.prompt_tokens:
        piece = "(mark)" if token.text is None else _quoted(token.text)
        table.add_row(str(token.id), escape(piece), "" if token.probability is None else _percent(token.probability))
    return table


def _step(number: int, step: Step, *, most: int) -> Table:
    title = f"Step {number}: {escape(_quoted(step.picked))} was drawn ({_percent(step.picked_model)} by the model)"
    table = Table(title=title, title_justify="left")
    penalised = any(each.seen for each in step.candidates)
    table.add_column("piece")
    table.add_column("model", justify="right")
    if penalised:
        table.add_column("penalised", justify="right")
    table.add_column("removed by")
    table.add_column("drawn with", justify="right")
    table.add_column("")
    shown = step.candidates[:most]
    drawn = next((each for each in step.candidates[most:] if each.text == step.picked), None)
    lines = [(_quoted(each.text), each) for each in (*shown, *([drawn] if drawn else []))]
    rest = [each for each in step.candidates[most:] if each is not drawn]
    if rest:
        lines.append((f"{len(rest)} more", _summed(rest)))
    if step.others.model > 0:
        lines.append(("others", step.others))
    for name, each in lines:
        mark = "◀ drawn" if each.text and each.text == step.picked else ""
        row = [escape(name), _percent(each.model)]
        if penalised:
            row.append(_percent(each.penalised))
        final = "?" if each.final is None else _percent(each.final) if each.final else ""
        bar = "█" * round(_BAR * (each.final or 0.0))
        table.add_row(*row, each.removed_by, final, f"{bar} {mark}".strip(), style="bold" if mark else None)
    return table


def _summed(candidates: list[Candidate]) -> Candidate:
    removed = {each.removed_by for each in candidates}
    return Candidate(
        "",
        math.fsum(each.model for each in candidates),
        0,
        math.fsum(each.penalised for each in candidates),
        ", ".join(sorted(removed - {""})) if "" not in removed else "",
        math.fsum(each.final or 0.0 for each in candidates),
    )


def _ending(explanation: Explanation) -> str:
    if explanation.finish_reason == "length":
        return f"cut after {len(explanation.steps)} tokens (--steps)"
    return "the model ended it, or a stop sequence did"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r") + "'"


def _percent(probability: float) -> str:
    return f"{100 * probability:.1f} %" if probability >= 0.001 or probability == 0 else "< 0.1 %"
