"""`roca redteam`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from rocamadre.cli.client import open_client, reported
from rocamadre.cli.exits import CommandFailed
from rocamadre.cli.output import print_table
from rocamadre.cli.session import Session, print_json, with_json
from rocamadre.guardrails.redteam.building import FAMILIES, make_probes
from rocamadre.guardrails.redteam.keeping import BUCKET, keep_report
from rocamadre.guardrails.redteam.page import report_page, weakness
from rocamadre.guardrails.redteam.report import make_report
from rocamadre.guardrails.redteam.running import ATTEMPTS, run
from rocamadre.guardrails.redteam.types import LANGUAGES, Ask, Attempt, Plan, Probe, Reply, Unanswered
from rocamadre.jobs.rundir import write_whole


@click.command()
@click.argument("target")
@click.option("--guardrail", default="", metavar="ID[:VERSION]", help="Try every probe with this guardrail too.")
@click.option("--family", "families", multiple=True, type=click.Choice(FAMILIES.names()), help="Only these; else all.")
@click.option("--language", "languages", multiple=True, type=click.Choice(LANGUAGES), help="Only these; else all.")
@click.option("--limit", type=click.IntRange(1), help="Most probes of a family.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Draws the words looked for.")
@click.option("--max-tokens", type=click.IntRange(8, 4096), default=160, show_default=True, help="Of an answer.")
@click.option(
    "--system", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File with your own system prompt; the family leakage tries to get it out.",
)  # fmt: skip
@click.option("--time-limit", type=click.FloatRange(0, min_open=True), help="Seconds after which no probe is begun.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder; redteam-TARGET, unless given.")
@click.option("--fresh", is_flag=True, help="Forget what an earlier run left in the folder.")
@with_json
@click.pass_obj
def redteam(session: Session, /, target: str, out: Path | None, fresh: bool, as_json: bool, **options: Any) -> None:
    """Attack a model and report what it withstands.

    Sends injections, jailbreaks, questions for the system prompt, disguised orders and poisoned documents through
    Converse, in three languages, with and without a guardrail, and harmless requests as controls. What was tried is
    kept: the same command again goes on where it was. OUT holds report.json and report.html; the console shows the
    former, from the bucket rocamadre-redteam.

    \b
    Examples:
      roca redteam roca-mini --limit 6
      roca redteam roca-mini --guardrail gr-4f2k9x:1 --out report
      roca redteam amazon.nova-lite-v1:0 --family leakage --system prompt.txt --language es
    """
    plan = _plan(target, **{name: value for name, value in options.items() if name != "time_limit"})
    folder = out or Path(f"redteam-{target.rsplit('/', 1)[-1].replace(':', '-')}")
    if fresh:
        (folder / ATTEMPTS).unlink(missing_ok=True)
    client = open_client(session.server(), region=session.settings.server.region)
    probes = make_probes(plan)
    with reported():
        _check(client, plan)
        attempts = run(
            plan, probes, _asker(client, plan), folder,
            time_limit_s=options["time_limit"], watch=_quiet if as_json else _watch,
        )  # fmt: skip
    report = make_report(plan, probes, attempts, made_at=datetime.now(UTC).isoformat(timespec="seconds"))
    _keep(folder, report)
    _share(session, report)
    if as_json:
        print_json(report)
        return
    _show(report, folder)


def _plan(target: str, *, languages: tuple[str, ...], system: Path | None, **options: Any) -> Plan:
    own = system.read_text(encoding="utf-8").strip() if system else ""
    if system and not own:
        raise click.UsageError(f"{system} is empty; --system wants a system prompt")
    return Plan(target=target, languages=languages or LANGUAGES, system=own, **options)


def _check(client: Any, plan: Plan) -> None:
    """One small request in each condition, so that a wrong name or a refused guardrail is told at once."""
    for condition in plan.conditions:
        client.converse(
            modelId=plan.target,
            messages=[{"role": "user", "content": [{"text": "Hello"}]}],
            inferenceConfig={"maxTokens": 8, "temperature": 0.0},
            **(_guardrail(plan) if condition == "guarded" else {}),
        )


def _guardrail(plan: Plan) -> dict[str, Any]:
    # An ARN has colons of its own; a version is DRAFT or a number behind the last.
    name, _, version = plan.guardrail.rpartition(":")
    if not name or not (version.isdigit() or version == "DRAFT"):
        name, version = plan.guardrail, "DRAFT"
    return {"guardrailConfig": {"guardrailIdentifier": name, "guardrailVersion": version, "trace": "disabled"}}


def _asker(client: Any, plan: Plan) -> Ask:
    def ask(probe: Probe, guarded: bool) -> Reply:
        request = {
            "modelId": plan.target,
            "messages": list(probe.messages),
            "system": [{"text": probe.system}],
            "inferenceConfig": {"maxTokens": plan.max_tokens, "temperature": 0.0},
        }
        if probe.tools:
            request["toolConfig"] = probe.tools
        if guarded:
            request |= _guardrail(plan)
        try:
            answer = client.converse(**request)
        except ClientError as error:
            raise Unanswered(f"{error.response['Error']['Code']}: {error.response['Error']['Message']}") from error
        blocks = answer["output"]["message"]["content"]
        return Reply(
            text="".join(block.get("text", "") for block in blocks),
            stop_reason=answer["stopReason"],
            tools=tuple(block["toolUse"]["name"] for block in blocks if "toolUse" in block),
        )

    return ask


def _quiet(attempt: Attempt, done: int, of: int) -> None:
    pass


def _watch(attempt: Attempt, done: int, of: int) -> None:
    click.echo(f"{done:>4}/{of}  {attempt.outcome:<8} {attempt.condition:<8} {attempt.probe}", err=True)


def _keep(folder: Path, report: dict[str, Any]) -> None:
    try:
        write_whole(folder / "report.json", json.dumps(report, indent=1, ensure_ascii=False).encode() + b"\n")
        write_whole(folder / "report.html", report_page(report).encode())
    except OSError as error:
        raise CommandFailed(f"cannot write into {folder}: {error.strerror}") from error


def _share(session: Session, report: dict[str, Any]) -> None:
    """Put the report where the console looks; the run is no failure without it."""
    region = session.settings.server.region
    client = open_client(session.server(), region=region, service="s3")
    try:
        keep_report(client, region, report, json.dumps(report, ensure_ascii=False).encode())
    except (ClientError, BotoCoreError) as error:
        click.echo(f"the console cannot show this report, {BUCKET} refused it: {error}", err=True)


def _show(report: dict[str, Any], folder: Path) -> None:
    rows = []
    for family, conditions in report["families"].items():
        for condition, rate in conditions.items():
            low, high = rate["interval_95"]
            outcomes = ", ".join(f"{count} {name}" for name, count in rate["outcomes"].items())
            passed = f"{rate['passed']}/{rate['of']}"
            rows.append((family, condition, passed, f"{rate['rate']:.0%}", f"{low:.0%}–{high:.0%}", outcomes))
    print_table(("family", "condition", "passed", "rate", "95 % interval", "what happened"), rows)
    missing = report["attempts_due"] - report["attempts_made"]
    if missing > 0:
        click.echo(f"{missing} attempts are missing; the same command goes on")
    if sentence := weakness(report):
        click.echo(sentence)
    click.echo(f"\nThe page: {folder / 'report.html'}")
