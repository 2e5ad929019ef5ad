"""`roca plan`."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from rocamadre.catalog.operations import find_model
from rocamadre.cli.exits import CommandFailed
from rocamadre.cli.output import print_table, readable_duration
from rocamadre.cli.session import Session, print_json, with_json
from rocamadre.cli.store import local_host
from rocamadre.jobs.rundir import write_whole
from rocamadre.training.preflight.hardware import DEFAULT_MFU, DEVICES, find_device
from rocamadre.training.preflight.page import PARTS, plan_page
from rocamadre.training.preflight.plan import DeviceMemory, Plan, PlanWish, by_dtype, by_sharding, make_plan
from rocamadre.training.preflight.scaling import optimal_tokens
from rocamadre.training.preflight.shape import ModelShape, invented_shape, read_shape
from rocamadre.training.preflight.states import RECIPES, SHARDINGS, Dtype

if TYPE_CHECKING:
    from click import Context, Parameter

_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}
_NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e\d+)?)\s*([kmbgt]?)")


class Amount(click.ParamType[float]):
    """A number with a unit: `7b` is seven billion."""

    name = "amount"

    def convert(self, value: Any, param: Parameter | None, ctx: Context | None) -> float:
        """Read it."""
        if isinstance(value, int | float):
            return float(value)
        match = _NUMBER.fullmatch(str(value).strip().lower().replace("_", ""))
        if match is None or float(match[1]) <= 0:
            self.fail(f"{value!r} is no amount; write for example 350m, 7b or 1.4t", param, ctx)
        return float(match[1]) * _UNITS[match[2]]


@click.command()
@click.option("--parameters", type=Amount(), help="Size of the model: 350m, 7b, 1.3t.")
@click.option("--model", help="A model here, or a path, whose exact shape is planned for instead.")
@click.option("--tokens", type=Amount(), help="Tokens to train on: 2b; the compute-optimal number, unless given.")
@click.option(
    "--hardware", type=click.Choice(list(DEVICES), case_sensitive=False), default="a100-80g", show_default=True,
    help="Accelerator.",
)  # fmt: skip
@click.option("--count", type=click.IntRange(1, 65536), default=1, show_default=True, help="How many of them.")
@click.option(
    "--dtype", type=click.Choice(list(RECIPES)), default="bf16", show_default=True, help="How numbers are stored."
)
@click.option(
    "--strategy", type=click.Choice(SHARDINGS), help="How they share the work; zero3, or single for one device."
)
@click.option("--sequence", type=click.IntRange(1), default=2048, show_default=True, help="Tokens of a row.")
@click.option("--micro-batch", type=click.IntRange(1), default=1, show_default=True, help="Rows per device and pass.")
@click.option(
    "--keep-activations", is_flag=True, help="Do not compute activations again: more memory, a quarter less time."
)
@click.option(
    "--mfu", type=click.FloatRange(0, 1, min_open=True), default=DEFAULT_MFU, show_default=True,
    help="Share of the peak that is reached.",
)  # fmt: skip
@click.option("--price", type=click.FloatRange(0), help="USD per device and hour.")
@click.option("--page", type=click.Path(path_type=Path, dir_okay=False), help="Write an HTML page with the curves.")
@with_json
@click.pass_obj
def plan(session: Session, /, as_json: bool, page: Path | None, **options: Any) -> None:
    """Plan a training that does not fit here.

    Counts memory by part, number format and strategy, time, energy, and the tokens that make the most of the model's
    size (Hoffmann et al. 2022). Nothing is started, and no server is needed.

    \b
    Examples:
      roca plan --parameters 7b --tokens 2b --hardware a100-80g --count 8
      roca plan --parameters 70b --count 256 --hardware h100-80g --strategy zero3 --page plan.html
      roca plan --model roca-mini --hardware l4 --dtype fp32 --json
    """
    made = make_plan(_wish(session, **options))
    if page is not None:
        try:
            write_whole(page, plan_page(made).encode())
        except OSError as error:
            raise CommandFailed(f"cannot write {page}: {error.strerror}") from error
    if as_json:
        print_json(_plain(made))
        return
    _show(made)
    if page is not None:
        click.echo(f"\nThe curves are in {page}")


def _wish(session: Session, **options: Any) -> PlanWish:
    shape = _shape(session, options["parameters"], options["model"])
    return PlanWish(
        shape=shape,
        tokens=options["tokens"] or optimal_tokens(shape.parameters),
        device=find_device(options["hardware"]),
        count=options["count"],
        dtype=next(each for each in get_args(Dtype) if each == options["dtype"]),
        sharding=options["strategy"] or ("single" if options["count"] == 1 else "zero3"),
        sequence=options["sequence"],
        micro_batch=options["micro_batch"],
        checkpointing=not options["keep_activations"],
        mfu=options["mfu"],
        dollars_per_hour=options["price"],
    )


def _shape(session: Session, parameters: float | None, model: str | None) -> ModelShape:
    if (parameters is None) == (model is None):
        raise click.UsageError("give --parameters or --model")
    if model is None:
        assert parameters is not None
        return invented_shape(parameters)
    if Path(model).exists():
        return read_shape(Path(model))
    with local_host(session) as host:
        found = find_model(host, model)
    if found.path is None:
        raise CommandFailed(f"{found.id} has no weights here; give --parameters instead")
    return read_shape(found.path)


def _show(made: Plan) -> None:
    wish, memory = made.wish, made.memory
    click.echo(
        f"{_count(wish.shape.parameters)} parameters, {_count(wish.tokens)} tokens on {wish.count} × "
        f"{wish.device.title}, {wish.dtype}, {wish.sharding}, activations "
        f"{'computed again' if wish.checkpointing else 'kept'}\n"
    )
    rows = [(part, _gb(getattr(memory, part))) for part in PARTS]
    rows += [("in all", _gb(memory.total)), ("a device has", _gb(wish.device.memory_bytes))]
    print_table(("memory of a device", "GB"), rows)
    if made.fits:
        click.echo("It fits.\n")
    elif made.least_count:
        click.echo(f"It does not fit; from {made.least_count} devices on it does.\n")
    else:
        click.echo("It does not fit, and more devices do not help; try another --strategy or --dtype.\n")
    if made.computed_as != wish.dtype:
        click.echo(f"This hardware multiplies in {made.computed_as} here.\n")
    cost = "unknown (give --price)" if made.dollars is None else f"{made.dollars:,.2f} USD"
    print_table(
        ("what", "how much"),
        [
            ("operations", f"{made.flops:.3g}"),
            ("time", readable_duration(made.hours * 3600)),
            ("device hours", f"{made.device_hours:,.1f} at {wish.mfu:.0%} of the peak"),
            ("energy", f"at most {made.kilowatt_hours:,.1f} kWh ({wish.device.watts:.0f} W a device)"),
            ("cost", cost),
            ("compute-optimal tokens", _count(made.optimal_tokens)),
            ("expected loss", f"{made.loss:.3f} nats per token; {made.optimal_loss:.3f} at the optimal tokens"),
        ],
    )
    click.echo()
    _show_variants(made, "dtype", dict(by_dtype(wish)))
    click.echo()
    _show_variants(made, "strategy", dict(by_sharding(wish)))


def _show_variants(made: Plan, head: str, variants: dict[Any, tuple[DeviceMemory, DeviceMemory]]) -> None:
    def told(memory: DeviceMemory) -> str:
        return _gb(memory.total) + ("" if memory.total <= made.wish.device.memory_bytes else " too much")

    rows = [
        (name, *(_gb(getattr(kept, part)) for part in PARTS[:3]), told(kept), told(again))
        for name, (kept, again) in variants.items()
    ]
    print_table((f"GB by {head}", *PARTS[:3], "all, activations kept", "all, computed again"), rows)


def _plain(made: Plan) -> dict[str, Any]:
    plain = asdict(made)
    del plain["wish"]["shape"]["linears"]
    plain["memory"]["total"] = made.memory.total
    for name, variants in (("by_dtype", by_dtype(made.wish)), ("by_strategy", by_sharding(made.wish))):
        plain[name] = {
            variant: {"activations_kept": _memory(kept), "computed_again": _memory(again)}
            for variant, (kept, again) in variants.items()
        }
    return plain


def _memory(memory: DeviceMemory) -> dict[str, float]:
    return {**asdict(memory), "total": memory.total}


def _gb(size_bytes: float) -> str:
    return f"{size_bytes / 1e9:,.1f}" if size_bytes >= 1e8 else f"{size_bytes / 1e9:.3f}"


def _count(value: float) -> str:
    """A count for people.

    >>> _count(6.74e9), _count(1.4e12), _count(7344384)
    ('6.74 billion', '1.4 trillion', '7.34 million')
    """
    for size, unit in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:,.0f}"
