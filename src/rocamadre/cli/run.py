"""`roca run`."""

from __future__ import annotations

import sys
from typing import Any

import click

from rocamadre.cli.client import open_client, reported
from rocamadre.cli.conversation import ask_model
from rocamadre.cli.session import Session, print_json, with_json


@click.command()
@click.argument("model")
@click.argument("prompt", required=False)
@click.option("--system", default="", help="System prompt.")
@click.option("--max-tokens", type=click.IntRange(1), help="Most tokens to generate.")
@click.option("--temperature", type=click.FloatRange(0, 1), help="0 always takes the likeliest token.")
@click.option("--top-p", type=click.FloatRange(0, 1), help="Share of the likeliest tokens to pick from.")
@click.option("--stop", multiple=True, help="Text that ends the answer; may be given up to four times.")
@click.option("--stats", is_flag=True, help="Tell tokens and speed on standard error.")
@with_json
@click.pass_obj
def run(session: Session, /, model: str, prompt: str | None, as_json: bool, stats: bool, **options: Any) -> None:
    """Ask a model once.

    The answer is streamed as it is generated. Without PROMPT, or with `-`, the question is read from standard input.

    \b
    Examples:
      roca run roca-mini "Who are you?"
      roca run roca-mini --system "Answer in Spanish." < question.txt
      roca run amazon.nova-lite-v1:0 "Say hello" --max-tokens 20 --json
    """
    if prompt is None or prompt == "-":
        if sys.stdin.isatty():
            raise click.UsageError("give a PROMPT, or pipe one in; to talk back and forth there is `roca chat`")
        prompt = sys.stdin.read()
    if not prompt.strip():
        raise click.UsageError("the prompt is empty")
    server = session.server()
    client = open_client(server, region=session.settings.server.region)
    names = {"max_tokens": "maxTokens", "temperature": "temperature", "top_p": "topP"}
    sampling = {wire: options[name] for name, wire in names.items() if options[name] is not None}
    if options["stop"]:
        sampling["stopSequences"] = list(options["stop"])
    with reported():
        answer = ask_model(
            client,
            model,
            [{"role": "user", "content": [{"text": prompt}]}],
            system=options["system"],
            sampling=sampling,
            show=(lambda _: None) if as_json else (lambda piece: click.echo(piece, nl=False)),
        )
    if as_json:
        print_json(
            {
                "text": answer.text,
                "model": answer.model,
                "stop_reason": answer.stop_reason,
                "usage": {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens},
                "first_token_s": answer.first_token_s,
                "seconds": answer.seconds,
            }
        )
        return
    click.echo()
    if stats:
        click.echo(answer.summary(), err=True)
