"""A plan as one HTML page that needs nothing else: tables, and curves as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape

from rocamadre.training.preflight.charts import Axis, Line, Mark, bar_chart, line_chart, short
from rocamadre.training.preflight.plan import DeviceMemory, Plan, by_dtype, by_sharding, device_memory
from rocamadre.training.preflight.scaling import expected_loss, optimum, training_flops
from rocamadre.training.preflight.states import RECIPES, SHARDINGS

PARTS = ("weights", "gradients", "optimiser", "activations", "temporary", "reserved")
_COUNTS = tuple(2**power for power in range(11))
_STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --soft: #595959; --line: #d9d9d9; --paper: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececec; --soft: #b3b3b3; --line: #444444; --paper: #181818; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; }
svg { max-width: min(100%, 46rem); display: block; font: 12px system-ui, sans-serif; } svg text { fill: var(--soft); }
svg .name { fill: var(--ink); } svg .grid { stroke: var(--line); } svg .mark { fill: var(--ink); }
svg .limit { stroke: var(--ink); stroke-dasharray: 5 4; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; padding: 0; margin: 0 0 1.5rem; }
.legend svg { display: inline; vertical-align: middle; margin-right: .4rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .25rem .5rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } .no { font-weight: bold; }
"""


def plan_page(plan: Plan) -> str:
    """The page, as HTML."""
    wish = plan.wish
    name = f"{short(wish.shape.parameters)} parameters, {short(wish.tokens)} tokens"
    where = f"{wish.count} × {wish.device.title}, {wish.dtype}, {wish.sharding}"
    verdict = "It fits." if plan.fits else "It does not fit."
    if not plan.fits:
        verdict += f" From {plan.least_count} devices on it does." if plan.least_count else " More devices do not help."
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Plan: {escape(name)}</title><style>{_STYLE}</style></head><body>
<h1>{escape(name)}</h1>
<p>{escape(where)}; rows of {wish.sequence} tokens, {wish.micro_batch} at a time,
activations {"computed again" if wish.checkpointing else "kept"}. <strong>{verdict}</strong></p>
{_table(("", "value"), _facts(plan))}
<h2>Memory by number of devices</h2>{_by_count(plan)}
<h2>Memory by number format</h2>{_dtype_bars(plan)}
{_memory_table("format", {dtype: pair for dtype, pair in by_dtype(wish).items()}, plan)}
<ul>{"".join(f"<li>{escape(dtype)}: {escape(recipe.note)}</li>" for dtype, recipe in RECIPES.items())}</ul>
<h2>Memory by strategy</h2>
{_memory_table("strategy", {sharding: pair for sharding, pair in by_sharding(wish).items()}, plan)}
<h2>Loss by tokens</h2>{_loss_by_tokens(plan)}
<h2>The same computing, other sizes</h2>{_same_compute(plan)}
<h2>What is assumed</h2>
<p>Adam. {wish.mfu:.0%} of the device's peak in {escape(plan.computed_as)} is reached, recomputed operations counted.
Energy is the devices' limit of power for all of that time. Attention keeps no square matrix.
Losses follow Hoffmann et al. 2022 with the constants of Besiroglu et al. 2024, for that paper's data and tokenizer.</p>
</body></html>
"""


def _facts(plan: Plan) -> list[tuple[str, str]]:
    wish = plan.wish
    return [
        ("memory of a device, needed / there", f"{_gb(plan.memory.total)} / {_gb(wish.device.memory_bytes)} GB"),
        ("operations", f"{plan.flops:.3g}"),
        ("time", f"{plan.hours:,.1f} h"),
        ("device hours", f"{plan.device_hours:,.1f}"),
        ("energy, at most", f"{plan.kilowatt_hours:,.1f} kWh"),
        ("cost", "unknown: no price given" if plan.dollars is None else f"{plan.dollars:,.2f} USD"),
        ("compute-optimal tokens (Hoffmann et al. 2022)", short(plan.optimal_tokens)),
        ("expected loss, nats per token: planned / optimal tokens", f"{plan.loss:.3f} / {plan.optimal_loss:.3f}"),
    ]


def _by_count(plan: Plan) -> str:
    wish = plan.wish
    lines = [
        Line(sharding, [(count, _at(plan, sharding, count).total / 1e9) for count in _COUNTS])
        for sharding in SHARDINGS[1:]
        if sharding != "fsdp"
    ]
    values = [value for line in lines for _, value in line.points] + [wish.device.memory_bytes / 1e9]
    y = Axis("GB on a device", min(values) * 0.8, max(values) * 1.25, log=True)
    x = Axis("devices", 1, _COUNTS[-1], log=True, base=2)
    marks = [Mark("planned", wish.count, plan.memory.total / 1e9)]
    limit = (wish.device.title, wish.device.memory_bytes / 1e9)
    return line_chart("Memory of a device by number of devices", x, y, lines, marks=marks, limit=limit)


def _at(plan: Plan, sharding: str, count: int) -> DeviceMemory:
    wish = replace(plan.wish, count=count)
    return device_memory(
        wish,
        dtype=wish.dtype,
        sharding=next(each for each in SHARDINGS if each == sharding),
        count=count,
        checkpointing=wish.checkpointing,
    )


def _dtype_bars(plan: Plan) -> str:
    wish = plan.wish
    bars = []
    for dtype, pair in by_dtype(wish).items():
        memory = pair[1] if wish.checkpointing else pair[0]
        bars.append((dtype, [getattr(memory, part) / 1e9 for part in PARTS]))
    highest = max(sum(heights) for _, heights in bars)
    y = Axis("GB on a device", 0, max(highest, wish.device.memory_bytes / 1e9) * 1.12)
    limit = (wish.device.title, wish.device.memory_bytes / 1e9)
    return bar_chart("Memory of a device by number format", y, bars, PARTS, limit=limit)


def _memory_table(head: str, pairs: dict[str, tuple[DeviceMemory, DeviceMemory]], plan: Plan) -> str:
    headings = (head, *PARTS[:3], "activations kept", "computed again", "in all", "in all, again")
    rows = [
        (
            name,
            *(_gb(getattr(kept, part)) for part in PARTS[:3]),
            _gb(kept.activations),
            _gb(again.activations),
            _fit(kept, plan),
            _fit(again, plan),
        )
        for name, (kept, again) in pairs.items()
    ]
    return _table(headings, rows, caption="GB on a device; ✗ where it has less")


def _fit(memory: DeviceMemory, plan: Plan) -> str:
    return _gb(memory.total) + ("" if memory.total <= plan.wish.device.memory_bytes else " ✗")


def _loss_by_tokens(plan: Plan) -> str:
    wish = plan.wish
    size = wish.shape.parameters
    ends = (min(wish.tokens, plan.optimal_tokens) / 30, max(wish.tokens, plan.optimal_tokens) * 30)
    tokens = [ends[0] * (ends[1] / ends[0]) ** (step / 60) for step in range(61)]
    line = Line(f"{short(size)} parameters", [(each, expected_loss(size, each)) for each in tokens])
    y = Axis("loss, nats per token", line.points[-1][1] * 0.97, line.points[0][1] * 1.03)
    marks = [
        Mark("compute-optimal", plan.optimal_tokens, plan.optimal_loss),
        Mark("planned", wish.tokens, plan.loss),
    ]
    return line_chart("Expected loss by tokens", Axis("tokens", *ends, log=True), y, [line], marks=marks, limit=None)


def _same_compute(plan: Plan) -> str:
    size, flops = plan.wish.shape.parameters, training_flops(plan.wish.shape.parameters, plan.wish.tokens)
    best = optimum(flops)
    ends = (min(size, best.parameters) / 20, max(size, best.parameters) * 20)
    sizes = [ends[0] * (ends[1] / ends[0]) ** (step / 60) for step in range(61)]
    line = Line(f"{flops:.2g} operations", [(each, expected_loss(each, flops / 6 / each)) for each in sizes])
    values = [loss for _, loss in line.points]
    y = Axis("loss, nats per token", min(values) * 0.97, max(values) * 1.03)
    marks = [Mark("planned", size, plan.loss), Mark("best", best.parameters, best.loss)]
    text = (
        f"<p>With as many operations, {short(best.parameters)} parameters on {short(best.tokens)} tokens would do best:"
        f" {best.loss:.3f} against {plan.loss:.3f} nats per token.</p>"
    )
    x = Axis("parameters", *ends, log=True)
    return line_chart("Expected loss by size at equal compute", x, y, [line], marks=marks, limit=None) + text


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str = "") -> str:
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
    body = "".join("<tr>" + "".join(f"<td{_class(cell)}>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    told = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<div class="wide" tabindex="0"><table>{told}<tr>{head}</tr>{body}</table></div>'


def _class(cell: str) -> str:
    return ' class="no"' if cell.endswith("✗") else ""


def _gb(size_bytes: float) -> str:
    return f"{size_bytes / 1e9:,.1f}" if size_bytes >= 1e8 else f"{size_bytes / 1e9:.3f}"
