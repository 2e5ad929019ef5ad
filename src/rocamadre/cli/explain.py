"""`roca explain`: a generation on the blackboard, step by step."""

from __future__ import annotations

import math
import random
import sys
from collections import Counter
from dataclasses import asdict
from typing import Any, NamedTuple

import click

from rocamadre.cli.exits import CommandFailed
from rocamadre.cli.http import post
from rocamadre.cli.process import Server
from rocamadre.cli.session import Session, print_json, with_json
from rocamadre.core.explanation import Settings, Step, explain_step

TOP = 20
"""Candidates that the API reports at each step, at most."""

_MOST_SEED = 2**31 - 1


class PromptToken(NamedTuple):
    """A token of the prompt.

    Attributes:
        id: Its number in the vocabulary.
        text: Its piece; None where it has none of its own, such as the mark that begins a text.
        probability: That the model gave it after those before it; None for the first.
    """

    id: int
    text: str | None
    probability: float | None


class Explanation(NamedTuple):
    """All that is shown."""

    model: str
    engine: str
    settings: dict[str, Any]
    prompt: str
    prompt_tokens: list[PromptToken]
    steps: list[Step]
    answer: str
    finish_reason: str
    notes: list[str]


@click.command()
@click.argument("prompt", required=False)
@click.option("--model", default="roca-mini", show_default=True, help="Any model that reports log-probabilities.")
@click.option("--steps", type=click.IntRange(1, 200), default=5, show_default=True, help="Tokens to generate.")
@click.option("--show", type=click.IntRange(1, TOP), default=8, show_default=True, help="Candidates shown per step.")
@click.option("--chat", is_flag=True, help="Put the prompt into the model's chat template as a user's turn.")
@click.option("--system", default="", help="System prompt, with --chat.")
@click.option("--temperature", type=click.FloatRange(0, 2), default=0.7, show_default=True, help="0 is greedy.")
@click.option("--top-k", type=click.IntRange(0), default=0, show_default=True, help="Most candidates; 0 keeps all.")
@click.option("--top-p", type=click.FloatRange(0, 1), default=0.9, show_default=True, help="Nucleus; 1 keeps all.")
@click.option("--min-p", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Least share of the best.")
@click.option(
    "--repetition-penalty", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True,
    help="Over 1 discourages what was there.",
)  # fmt: skip
@click.option(
    "--frequency-penalty", type=click.FloatRange(-2, 2), default=0.0, show_default=True, help="Per time it was there."
)
@click.option(
    "--presence-penalty", type=click.FloatRange(-2, 2), default=0.0, show_default=True, help="Once if it was there."
)
@click.option(
    "--min-tokens", type=click.IntRange(0), default=0, show_default=True, help="No end before so many tokens."
)
@click.option("--stop", multiple=True, help="Text that ends the answer; may be given up to sixteen times.")
@click.option("--seed", type=click.IntRange(0, _MOST_SEED), help="The same draws again; by chance if not given.")
@with_json
@click.pass_obj
def explain(session: Session, /, prompt: str | None, as_json: bool, show: int, **options: Any) -> None:
    """Show how an answer is made, token by token.

    First the tokens of the prompt, then for each step the likeliest next tokens with their probabilities, which of
    them each setting removed, and the one that was drawn. Candidates beyond the 20 likeliest are summed as "others".

    \b
    Examples:
      roca explain "The capital of France is"
      roca explain "Hello" --temperature 1.5 --top-k 5 --seed 7 --steps 3
      roca explain --chat "Who are you?" --json
    """
    if prompt is None or prompt == "-":
        if sys.stdin.isatty():
            raise click.UsageError("give a PROMPT, or pipe one in")
        prompt = sys.stdin.read()
    if not prompt:
        raise click.UsageError("the prompt is empty")
    if options["system"] and not options["chat"]:
        raise click.UsageError("--system goes with --chat; a raw prompt is continued as it is")
    options["seed"] = random.randrange(_MOST_SEED) if options["seed"] is None else options["seed"]
    region = session.settings.server.region
    explanation = ask(session.server(), prompt, region=region, **options)
    if as_json:
        print_json(_plain(explanation))
        return
    from rocamadre.cli.explain_view import show_explanation  # noqa: PLC0415  (rich; only this output needs it)

    show_explanation(explanation, most=show)


def ask(server: Server, prompt: str, *, region: str, **options: Any) -> Explanation:
    """Let the server tokenize, score and continue a prompt, and work out what happened at each step.

    Args:
        server: The running server.
        prompt: A raw text, or with `chat` a user's turn.
        region: For the signature.
        **options: Those of the command, by name.

    Raises:
        CommandFailed: the server refused; the message says why.
    """
    model = options["model"]
    wanted: dict[str, Any] = {"model": model, "prompt": prompt}
    if options["chat"]:
        wanted = {"model": model, "messages": [{"role": "user", "content": prompt}], "system": options["system"]}
    read = post(server, "/_rocamadre/tokenize", wanted, region=region)
    text, ids, notes = read["prompt"], read["tokens"], []
    if options["chat"]:
        again = post(server, "/_rocamadre/tokenize", {"model": model, "prompt": text}, region=region)
        if again["tokens"] != ids:
            notes.append("the prompt holds text that looks like the template's marks; it is read in other tokens here")
            ids = again["tokens"]
    body = {"model": model, "prompt": text}
    echoed = post(server, "/v1/completions", {**body, "echo": True, "max_tokens": 0, "logprobs": 0}, region=region)[
        "choices"
    ][0]["logprobs"]
    settings = {name: options[name] for name in Settings.__slots__}
    sent = {**body, **settings, "max_tokens": options["steps"], "seed": options["seed"], "logprobs": TOP}
    sent |= {
        name: value for name, value in (("stop", list(options["stop"])), ("min_tokens", options["min_tokens"])) if value
    }
    answer = post(server, "/v1/completions", sent, region=region)
    choice = answer["choices"][0]
    if not choice["logprobs"]["tokens"] and choice["text"]:
        raise CommandFailed(f"{answer['model']} reports no log-probabilities; choose a model that runs here")
    return Explanation(
        model=answer["model"],
        engine=read["engine"],
        settings={
            **settings,
            "min_tokens": options["min_tokens"],
            "stop": list(options["stop"]),
            "seed": options["seed"],
        },
        prompt=text,
        prompt_tokens=prompt_tokens(ids, echoed["tokens"], echoed["token_logprobs"]),
        steps=explain_steps(
            choice["logprobs"], Settings(**settings), echoed["tokens"], counts_prompt=read["engine"] == "llama"
        ),
        answer=choice["text"],
        finish_reason=choice["finish_reason"],
        notes=notes,
    )


def prompt_tokens(ids: list[int], pieces: list[str], logprobs: list[float | None]) -> list[PromptToken]:
    """Ids and pieces together; marks at the beginning have an id and no piece.

    >>> prompt_tokens([1, 7, 9], ["a", "b"], [None, 0.0])[0]
    PromptToken(id=1, text=None, probability=None)
    """
    marks = max(0, len(ids) - len(pieces))
    found = [PromptToken(each, None, None) for each in ids[:marks]]
    for each, piece, logprob in zip(ids[marks:], pieces, logprobs, strict=False):
        found.append(PromptToken(each, piece, None if logprob is None else math.exp(logprob)))
    return found


def explain_steps(logprobs: Any, settings: Settings, prompt: list[str], *, counts_prompt: bool) -> list[Step]:
    """Every step of an answer.

    Args:
        logprobs: As text completions have them.
        settings: Those of the request.
        prompt: The prompt's pieces.
        counts_prompt: Whether frequency and presence penalties count them; llama.cpp's do.
    """
    counted, repeated = Counter(prompt if counts_prompt else ()), Counter(prompt)
    steps = []
    for piece, logprob, top in zip(
        logprobs["tokens"], logprobs["token_logprobs"], logprobs["top_logprobs"], strict=True
    ):
        ranked = sorted((top or {}).items(), key=lambda item: -item[1])[:TOP]
        steps.append(explain_step(ranked, (piece, logprob), settings, counted=counted, repeated=repeated))
        counted[piece] += 1
        repeated[piece] += 1
    return steps


def _plain(explanation: Explanation) -> dict[str, Any]:
    plain = explanation._asdict()
    plain["prompt_tokens"] = [token._asdict() for token in explanation.prompt_tokens]
    plain["steps"] = [asdict(step) for step in explanation.steps]
    return plain
