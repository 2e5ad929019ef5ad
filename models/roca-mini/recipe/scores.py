"""Measure roca-mini on data it was not trained on.  `make scores`

    python models/roca-mini/recipe/scores.py                                  the shipped file, through the engine alone
    python models/roca-mini/recipe/scores.py --endpoint-url http://127.0.0.1:4599   the same questions through Converse

Greedy answers, free generation (no grammar), fixed samples; 95 % intervals by the bootstrap. Writes scores.json.
"""

import argparse
import datetime
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import chat
import corpus
import engine
import measures
import numpy as np
import phrases
import questions
from forward import Forward
from questions import Ask

MODEL_FOLDER = Path(__file__).resolve().parents[1]
WINDOW = 512
"""Tokens of text predicted in one piece, the length that the model was trained at."""
Answerer = Callable[[Ask], str]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ROCA_DATA", corpus.DEFAULT_DATA)))
    parser.add_argument("--model", type=Path, default=MODEL_FOLDER / "roca-mini-q8_0.gguf")
    parser.add_argument("--out", type=Path, help="JSON file; scores.json beside the model, none with --endpoint-url")
    parser.add_argument("--endpoint-url", help="a running Rocamadre; its Converse answers instead of the engine alone")
    parser.add_argument("--model-id", default="rocamadre.roca-mini-v1:0", help="with --endpoint-url")
    parser.add_argument("--count", type=int, default=100, help="rows of each sample (reading: of each kind)")
    return parser.parse_args()


def engine_answerer(running: engine.Engine) -> Answerer:
    """Answers of the engine itself, with the shipped chat template."""

    def answer(ask: Ask) -> str:
        prompt = chat.render([{"role": "user", "content": ask.prompt}], prompt=True)
        return running.complete(prompt, most=ask.most)["content"].strip()

    return answer


def converse_answerer(url: str, model_id: str) -> Answerer:
    """Answers through Amazon Bedrock's Converse, as any client gets them."""
    import boto3

    client = boto3.client(
        "bedrock-runtime", endpoint_url=url, region_name="us-east-1",
        aws_access_key_id="scores", aws_secret_access_key="scores",
    )  # fmt: skip

    def answer(ask: Ask) -> str:
        found = client.converse(
            modelId=model_id,
            messages=[{"role": "user", "content": [{"text": ask.prompt}]}],
            inferenceConfig={"maxTokens": ask.most, "temperature": 0},
        )
        return "".join(block.get("text", "") for block in found["output"]["message"]["content"]).strip()

    return answer


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


def perplexity(model: Path, running: engine.Engine, data: Path) -> dict:
    """Perplexity per byte of unseen text by language, in windows of 512 tokens; from the file's own weights."""
    forward, scores = Forward(model), {}
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


def print_table(scores: dict) -> None:
    for name, score in scores.items():
        notes = [f"95 % {score['low']} to {score['high']}, {score['rows']} rows"] if "low" in score else []
        notes += [f"always refusing: {score['always refusing']}"] if "always refusing" in score else []
        notes += [f"{score['bytes']} bytes"] if "bytes" in score else []
        print(f"{name:<46} {score['value']:>7}   {'; '.join(notes)}")


def main() -> int:
    chosen = arguments()
    started = time.monotonic()
    try:
        data = corpus.find_data(chosen.data)
    except corpus.DataMissing as error:
        print(f"scores: {error}", file=sys.stderr)
        return 2
    if not chosen.model.is_file():
        print(f"scores: there is no {chosen.model}; train it with recipe/run.py --publish", file=sys.stderr)
        return 2
    scores: dict = {}
    with engine.serving(chosen.model) as running:
        if chosen.endpoint_url:
            answer = converse_answerer(chosen.endpoint_url, chosen.model_id)
        else:
            answer = engine_answerer(running)
        scores |= reading(answer, data, chosen.count)
        scores |= summaries(answer, data, chosen.count)
        scores |= opinions(answer, data, chosen.count)
        scores |= objects(answer, data, chosen.count)
        if not chosen.endpoint_url:
            scores |= perplexity(chosen.model, running, data)
    print_table(scores)
    result = origin(chosen.model) | {
        "through": "Converse" if chosen.endpoint_url else "the engine alone",
        "minutes": round((time.monotonic() - started) / 60, 1),
        "scores": scores,
    }
    out = chosen.out or (None if chosen.endpoint_url else MODEL_FOLDER / "scores.json")
    if out:
        partial = out.with_name(out.name + ".partial")
        partial.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        partial.replace(out)
        print(f"written to {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
