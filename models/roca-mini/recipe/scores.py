"""Measure roca-mini on data it was not trained on.  `make scores`

    python models/roca-mini/recipe/scores.py                   the shipped file, through a server started for it
    python models/roca-mini/recipe/scores.py --engine          the same through the engine alone
    python models/roca-mini/recipe/scores.py --endpoint-url http://127.0.0.1:4599    through a server that runs
    python models/roca-mini/recipe/scores.py --model build/roca-mini/cpu/model/roca-mini-q8_0.gguf    a candidate

Greedy answers, free generation (no grammar), fixed samples; 95 % intervals by the bootstrap. Writes scores.json beside
the model. A second column shows an earlier edition's scores (--beside).
"""

import argparse
import contextlib
import datetime
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import chat
import corpus
import engine
import harms
import measures
import numpy as np
import phrases
import questions
from forward import Forward
from questions import Ask

MODEL_FOLDER = Path(__file__).resolve().parents[1]
GGUF_NAME = "roca-mini-q8_0.gguf"
WINDOW = 512
"""Tokens of text predicted in one piece, the length that the model was trained at."""
Answerer = Callable[[Ask], str]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ROCA_DATA", corpus.DEFAULT_DATA)))
    parser.add_argument("--model", type=Path, default=MODEL_FOLDER / GGUF_NAME)
    parser.add_argument("--out", type=Path, help="JSON file; scores.json beside the model, none with --endpoint-url")
    parser.add_argument("--beside", type=Path, help="scores of an earlier edition")
    parser.add_argument("--endpoint-url", help="a running Rocamadre; its Converse answers")
    parser.add_argument("--engine", action="store_true", help="ask the engine alone, without the server")
    parser.add_argument("--model-id", default="rocamadre.roca-mini-v1:0", help="with a server")
    parser.add_argument("--count", type=int, default=100, help="rows of each sample (reading: of each kind)")
    return parser.parse_args()


def engine_answerer(running: engine.Engine) -> Answerer:
    """Answers of the engine itself, with the shipped chat template."""

    def answer(ask: Ask) -> str:
        prompt = chat.render([{"role": "user", "content": ask.prompt}], tools=ask.tools, prompt=True)
        return running.complete(prompt, most=ask.most)["content"].strip()

    return answer


def converse_answerer(url: str, model_id: str) -> Answerer:
    """Answers through Amazon Bedrock's Converse, as any client gets them; a tool call in its written form."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError

    client = boto3.client(
        "bedrock-runtime", endpoint_url=url, region_name="us-east-1", aws_access_key_id="scores",
        aws_secret_access_key="scores", config=Config(read_timeout=300, retries={"total_max_attempts": 1}, proxies={}),
    )  # fmt: skip

    def answer(ask: Ask) -> str:
        tools = [{"toolSpec": {"name": tool["name"], "description": tool["description"],
                               "inputSchema": {"json": tool["parameters"]}}} for tool in ask.tools]  # fmt: skip
        try:
            found = client.converse(
                modelId=model_id,
                messages=[{"role": "user", "content": [{"text": ask.prompt}]}],
                inferenceConfig={"maxTokens": ask.most, "temperature": 0},
                **({"toolConfig": {"tools": tools}} if tools else {}),
            )
        except ClientError as error:
            # An answer that the service refuses to pass on (a broken call, say) is a wrong answer, not a broken run.
            return f"({error.response['Error']['Code']})"
        parts = []
        for block in found["output"]["message"]["content"]:
            if "toolUse" in block:
                call = {"name": block["toolUse"]["name"], "arguments": block["toolUse"]["input"]}
                parts.append(f"<tool_call>{json.dumps(call)}</tool_call>")
            parts.append(block.get("text", ""))
        return "".join(parts).strip()

    return answer


@contextlib.contextmanager
def served(model: Path) -> Iterator[str]:
    """A server of its own for the model's folder; its address.

    Raises:
        SystemExit: the file has another name than the shipped one, which the server would not find.
    """
    from rocamadre.cli.process import start_server, stop_server

    if model.name != GGUF_NAME:
        raise SystemExit(f"scores: {model} must be called {GGUF_NAME} to be served; or give --engine")
    with tempfile.TemporaryDirectory(prefix="roca-scores-") as name:
        home = Path(name)
        (home / "candidates").mkdir()
        (home / "candidates" / "roca-mini").symlink_to(model.resolve().parent)
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("ROCA_", "AWS_"))}
        server = start_server(home, kept | {
            "ROCA_SERVER__PORT": "0", "ROCA_CONSOLE__ENABLED": "false", "ROCA_CONFIG": str(home / "none.toml"),
            "ROCA_CATALOG__EMBEDDED_MODELS": str(home / "candidates"),
        })  # fmt: skip
        try:
            yield server.address
        finally:
            stop_server(home, server)


def reading(answer: Answerer, data: Path, count: int) -> dict:
    """Grounded QA: token F1 where there is an answer; how well it knows when there is none."""
    scores = {}
    for language in questions.LANGUAGES:
        asks = questions.reading(data, language, count=count)
        said = [answer(ask) for ask in asks]
        refusal = " ".join(measures.normalise(phrases.REFUSAL[language], language))
        refused = [refusal in " ".join(measures.normalise(text, language)) for text in said]
        f1 = [measures.token_f1(t, a.gold, language) for t, a in zip(said, asks, strict=True) if a.gold]
        kinds = [(int(no), int(not ask.gold)) for no, ask in zip(refused, asks, strict=True)]
        scores[f"grounded QA token F1, {language}"] = measures.interval(f1)
        scores[f"refusal F1, {language}"] = measures.interval(kinds, measures.refusal_f1)
        always = 2 * np.mean([kind[1] for kind in kinds]) / (1 + np.mean([kind[1] for kind in kinds]))
        scores[f"refusal F1, {language}"]["always refusing"] = round(100 * float(always), 1)
    return scores


def summaries(answer: Answerer, data: Path, count: int) -> dict:
    """DialogSum, never trained on, beside the dialogue's first twenty words."""
    asks = questions.dialogues(data, count=count)
    said = [answer(ask) for ask in asks]
    first = [" ".join(ask.source.split()[:20]) for ask in asks]
    return {
        "DialogSum ROUGE-L, en": measures.interval(
            [measures.rouge_l(t, a.gold) for t, a in zip(said, asks, strict=True)]
        ),
        "DialogSum ROUGE-L of the first 20 words": measures.interval(
            [measures.rouge_l(t, a.gold) for t, a in zip(first, asks, strict=True)]
        ),
        "DialogSum new bigrams": measures.interval(
            [measures.new_bigrams(t, a.source) for t, a in zip(said, asks, strict=True)]
        ),
    }


def opinions(answer: Answerer, data: Path, count: int) -> dict:
    """Sentiment accuracy; half the rows are of each label, so guessing makes 50. Naming neither or both is wrong."""
    scores = {}
    for language, name in (("en", "SST-2"), ("pt", "PLUE SST-2")):
        asks = questions.opinions(data, language, count=2 * count)
        labels = phrases.SENTIMENT_LABELS[language]
        said = [answer(ask).lower() for ask in asks]
        named = [{label for label in labels if label in text} for text in said]
        right = [found == set(ask.gold) for found, ask in zip(named, asks, strict=True)]
        scores[f"sentiment accuracy, {language} ({name})"] = measures.interval(right)
    return scores


def objects(answer: Answerer, data: Path, count: int) -> dict:
    """JSON by free generation: valid, and exactly right where the answer is known."""
    asks = questions.objects(count=count)
    said = [answer(ask) for ask in asks]
    valid = [questions.is_json_object(text) for text in said]
    exact = [
        good and json.loads(text) == json.loads(ask.gold[0]) for good, text, ask in zip(valid, said, asks, strict=True)
    ]
    free = [questions.is_json_object(answer(ask)) for ask in questions.free_objects(data, count=count)]
    return {
        "JSON valid, trained form": measures.interval(valid),
        "JSON extraction exact, trained form": measures.interval(exact),
        "JSON valid, form never trained": measures.interval(free),
    }


def calls(answer: Answerer, data: Path, count: int) -> dict:
    """Right function and arguments: the benchmark's single calls, and invented tools as in training."""
    scores = {}
    for name, asks in (
        ("tool call right, BFCL simple", questions.function_calls(data, count=count)),
        ("tool call right, trained form", questions.invented_calls(count=count)),
    ):
        right = [measures.call_is_right(measures.call_of(answer(ask)), ask.call) for ask in asks]
        scores[name] = measures.interval(right)
    return scores


def more(answer: Answerer, data: Path, count: int) -> dict:
    """Passages against the world, manners, translation of short sentences."""
    asks = questions.counterfactuals(count=count)
    f1 = [measures.token_f1(answer(ask), ask.gold, ask.language) for ask in asks]
    scores = {"counterfactual passages token F1, trained form": measures.interval(f1)}
    for language in questions.LANGUAGES:
        asks = questions.manners(data, language, count=2 * count)
        right = [measures.words(answer(ask))[:1] == measures.words(ask.gold[0]) for ask in asks]
        scores[f"toxicity accuracy, {language}"] = measures.interval(right)
    for first, second in (("en", "es"), ("es", "en"), ("en", "pt"), ("pt", "en")):
        asks = questions.translations(data, first, second, count=count)
        values = [measures.chrf(answer(ask), ask.gold[0]) for ask in asks]
        scores[f"translation chrF, {first} to {second}"] = measures.interval(values)
    return scores


def perplexity(forward: Forward, running: engine.Engine, data: Path) -> dict:
    """Perplexity per byte of unseen text by language, in windows of 512 tokens; from the file's own weights."""
    scores = {}
    for language in questions.LANGUAGES:
        for name, text in questions.texts(data, language).items():
            tokens = np.array(running.tokenize(text))
            nats = sum(
                -float(forward.log_probabilities(tokens[start : start + WINDOW + 1]).sum())
                for start in range(0, len(tokens) - 1, WINDOW)
            )
            size = len(text.encode())
            scores[f"perplexity per byte, {language}, {name}"] = {
                "value": round(float(np.exp(nats / size)), 3),
                "bytes": size,
            }
    return scores


def origin(model: Path) -> dict:
    """When, at which commit and on which file the scores were taken."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=MODEL_FOLDER, capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "commit": commit or "unknown",
        "model sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
    }


def print_table(scores: dict, before: dict) -> None:
    """Every score with its interval, and the earlier edition's where it was measured."""
    for name, score in scores.items():
        notes = [f"95 % {score['low']} to {score['high']}, {score['rows']} rows"] if "low" in score else []
        notes += [f"always refusing: {score['always refusing']}"] if "always refusing" in score else []
        notes += [f"{score['bytes']} bytes"] if "bytes" in score else []
        notes += [f"most: {score['most']}; least: {score['least']}"] if "most" in score else []
        earlier = before.get(name, {}).get("value", "")
        print(f"{name:<48} {score['value']:>7} {earlier:>7}   {'; '.join(notes)}")


def earlier_scores(chosen: argparse.Namespace) -> dict:
    """The scores to compare with: those named, the first edition's, or the shipped ones for a candidate."""
    places = [chosen.beside, MODEL_FOLDER / "scores-first.json"]
    if chosen.model.resolve() != (MODEL_FOLDER / GGUF_NAME).resolve():
        places.append(MODEL_FOLDER / "scores.json")
    found = next((place for place in places if place and place.is_file()), None)
    return json.loads(found.read_text(encoding="utf-8"))["scores"] if found else {}


def measure(answer: Answerer, data: Path, count: int) -> dict:
    """Everything that is asked in words."""
    scores: dict = {}
    for part in (reading, summaries, opinions, objects, calls, more):
        scores |= part(answer, data, count)
    return scores


def main() -> int:
    chosen = arguments()
    started = time.monotonic()
    try:
        data = corpus.find_data(chosen.data)
    except corpus.DataMissing as error:
        print(f"scores: {error}", file=sys.stderr)
        return 2
    if not chosen.model.is_file():
        print(f"scores: there is no {chosen.model}; train it with recipe/run.py", file=sys.stderr)
        return 2
    scores: dict = {}
    if chosen.endpoint_url:
        through = "Converse"
        scores |= measure(converse_answerer(chosen.endpoint_url, chosen.model_id), data, chosen.count)
    elif not chosen.engine:
        through = "Converse"
        with served(chosen.model) as address:
            scores |= measure(converse_answerer(address, chosen.model_id), data, chosen.count)
    if not chosen.endpoint_url:
        with engine.serving(chosen.model) as running:
            if chosen.engine:
                through = "the engine alone"
                scores |= measure(engine_answerer(running), data, chosen.count)
            forward = Forward(chosen.model)
            scores |= perplexity(forward, running, data)
            scores |= harms.harms(forward, running)
    print_table(scores, earlier_scores(chosen))
    result = origin(chosen.model) | {
        "through": through,
        "minutes": round((time.monotonic() - started) / 60, 1),
        "scores": scores,
    }
    out = chosen.out or (None if chosen.endpoint_url else chosen.model.parent / "scores.json")
    if out:
        partial = out.with_name(out.name + ".partial")
        partial.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        partial.replace(out)
        print(f"written to {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
