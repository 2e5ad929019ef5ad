"""`roca chat`."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import click

from rocamadre.cli.client import open_client, reported
from rocamadre.cli.conversation import ask_model
from rocamadre.cli.exits import CommandFailed
from rocamadre.cli.session import Session, print_json, with_json

HELP = """\
/system TEXT   set the system prompt, and begin anew; without TEXT show it
/reset         begin anew, keep the system prompt
/save FILE     write the conversation to FILE as JSON, as Converse takes it
/help          this list
/exit          leave; so does Ctrl-D
Ctrl-C stops an answer."""


@click.command()
@click.argument("model", default="roca-mini")
@click.option("--system", default="", help="System prompt.")
@click.option("--max-tokens", type=click.IntRange(1), help="Most tokens per answer.")
@click.option("--temperature", type=click.FloatRange(0, 1), help="0 always takes the likeliest token.")
@with_json
@click.pass_obj
def chat(session: Session, /, model: str, system: str, as_json: bool, **options: Any) -> None:
    """Talk with a model.

    MODEL is roca-mini unless given. Lines that begin with / are commands; /help lists them. With --json one object
    per answer is printed, for programs that write questions to standard input.

    \b
    Examples:
      roca chat
      roca chat roca-mini --system "You are a patient teacher."
    """
    names = {"max_tokens": "maxTokens", "temperature": "temperature"}
    sampling = {wire: options[name] for name, wire in names.items() if options[name] is not None}
    client = open_client(session.server(), region=session.settings.server.region)
    talk = _Talk(client, model, system, sampling, as_json=as_json)
    if sys.stdin.isatty():
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401, PLC0415  (gives input() its line editing)
        click.echo(f"{model}; /help lists the commands, Ctrl-D leaves")
    while (line := _read()) is not None:
        if line.startswith("/"):
            if not talk.obey(line):
                break
        elif line:
            talk.say(line)


def _read() -> str | None:
    """The next line, stripped; None at the end of the input."""
    try:
        return input("> " if sys.stdin.isatty() else "").strip()
    except EOFError:
        return None


class _Talk:
    """One conversation."""

    def __init__(self, client: Any, model: str, system: str, sampling: dict[str, Any], *, as_json: bool) -> None:
        self._client = client
        self._model = model
        self._system = system
        self._sampling = sampling
        self._as_json = as_json
        self._messages: list[dict[str, Any]] = []

    def say(self, text: str) -> None:
        """Ask, show the answer, remember both; what failed or was stopped is forgotten."""
        question = {"role": "user", "content": [{"text": text}]}
        try:
            with reported():
                answer = ask_model(
                    self._client,
                    self._model,
                    [*self._messages, question],
                    system=self._system,
                    sampling=self._sampling,
                    show=(lambda _: None) if self._as_json else (lambda piece: click.echo(piece, nl=False)),
                )
        except KeyboardInterrupt:
            click.echo("\n(stopped; forgotten)")
            return
        except CommandFailed as error:
            # A conversation goes on after an error; one that ends at once helps nobody.
            click.echo(f"{error}", err=True)
            return
        if self._as_json:
            print_json({"text": answer.text, "model": answer.model, "stop_reason": answer.stop_reason})
        else:
            click.echo()
        # Converse refuses blank text in a turn.
        said = answer.text if answer.text.strip() else "(no answer)"
        self._messages += [question, {"role": "assistant", "content": [{"text": said}]}]

    def obey(self, line: str) -> bool:
        """Carry a command out; False leaves."""
        name, _, rest = line.partition(" ")
        rest = rest.strip()
        if name in ("/exit", "/quit"):
            return False
        if name == "/help":
            click.echo(HELP)
        elif name == "/reset":
            self._messages = []
            click.echo("begun anew")
        elif name == "/system" and rest:
            self._system, self._messages = rest, []
            click.echo("begun anew with this system prompt")
        elif name == "/system":
            click.echo(self._system or "(no system prompt)")
        elif name == "/save" and rest:
            self._save(Path(rest).expanduser())
        else:
            click.echo(f"{line!r} is no command; /help lists them")
        return True

    def _save(self, path: Path) -> None:
        content = {"modelId": self._model, "system": self._system, "messages": self._messages}
        temporary = path.with_name(path.name + ".tmp")
        try:
            temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            click.echo(f"not saved: {error}", err=True)
            return
        click.echo(f"saved {len(self._messages)} messages to {path}")
