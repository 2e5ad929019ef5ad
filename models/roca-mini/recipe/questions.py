"""What roca-mini is asked when it is scored: fixed samples of data that it was never trained on."""

import json
import random
import re
from dataclasses import dataclass, field
from pathlib import Path

import corpus
import phrases
import tasks_made
import tasks_skills

LANGUAGES = ("en", "es", "pt")
READING = {
    "en": ("squad-en/squad2-dev.jsonl.gz",),
    "es": ("squad-es/squad2-es-dev.jsonl.gz",),
    "pt": ("squad-pt/squad1-pt-sample.jsonl.gz", "faquad/faquad-train.jsonl"),
}
JSON_ASKS = {
    "en": "Write a JSON object with the fields topic and summary for this text.\n{text}",
    "es": "Escribe un objeto JSON con los campos tema y resumen para este texto.\n{text}",
    "pt": "Escreva um objeto JSON com os campos tema e resumo para este texto.\n{text}",
}


@dataclass(frozen=True)
class Ask:
    """One question with what the right answer is judged by."""

    prompt: str
    language: str
    gold: list[str] = field(default_factory=list)
    source: str = ""
    most: int = 40
    tools: tuple[dict, ...] = ()
    documents: tuple[dict, ...] = ()
    call: dict | None = None


def sample(rows: list, count: int, seed: str) -> list:
    """`count` rows at random, the same for the same seed."""
    return random.Random(seed).sample(rows, min(count, len(rows)))


def reading(data: Path, language: str, *, count: int) -> list[Ask]:
    """Answerable and unanswerable questions (gold empty) on test articles, `count` of each.

    English and Spanish have SQuAD 2's own unanswerable questions; Portuguese has none, so there a question is put to a
    passage of another article.
    """
    rows = [row for path in READING[language] for row in corpus.read_rows(data / path)]
    rows = [row for row in rows if corpus.is_test_article(row["title"])]
    answerable = sample([row for row in rows if row["answers"]], count, f"answerable {language}")
    refused = sample([row for row in rows if not row["answers"]], count, f"refused {language}")
    if not refused:
        dice = random.Random(f"foreign {language}")
        for row in sample([row for row in rows if row["answers"]], count, f"refused {language}"):
            other = dice.choice([candidate for candidate in rows if candidate["title"] != row["title"]])
            refused.append({**row, "context": other["context"], "answers": []})
    wording = phrases.PASSAGE_QUESTION[language][0]
    return [
        Ask(
            wording.format(context=row["context"], question=row["question"]),
            language,
            [answer["text"] for answer in row["answers"]],
        )
        for row in (*answerable, *refused)
    ]


def dialogues(data: Path, *, count: int) -> list[Ask]:
    """DialogSum's development dialogues: measured on, never trained on."""
    rows = [row for row in corpus.read_rows(data / "dialogsum/dialogsum-dev.jsonl") if len(row["dialogue"]) < 3000]
    return [
        Ask(phrases.SUMMARISE.format(text=row["dialogue"]), "en", row["summaries"], row["dialogue"], most=80)
        for row in sample(rows, count, "dialogsum")
    ]


def opinions(data: Path, language: str, *, count: int) -> list[Ask]:
    """SST-2 and its Portuguese translation: measured on, never trained on. Half of each label."""
    path = {"en": "sst2/sst2-train.jsonl", "pt": "plue-pt/sst2-train.jsonl"}[language]
    rows = [row for row in corpus.read_rows(data / path) if len(row["text"].split()) > 3]
    chosen = [
        row
        for label in (0, 1)
        for row in sample([row for row in rows if int(row["label"]) == label], count // 2, f"sst2 {language} {label}")
    ]
    wording, labels = phrases.SENTIMENT[language], phrases.SENTIMENT_LABELS[language]
    return [Ask(wording.format(text=row["text"]), language, [labels[int(row["label"])]], most=6) for row in chosen]


def objects(*, count: int) -> list[Ask]:
    """Extraction to JSON as in training, with people that the made-up training rows may share only by chance."""
    dice = random.Random("json scores")
    asks = []
    for number in range(count):
        language = LANGUAGES[number % 3]
        messages = tasks_made.extraction(dice, language=language)["messages"]
        asks.append(Ask(messages[0]["content"], language, [messages[1]["content"]], most=100))
    return asks


def free_objects(data: Path, *, count: int) -> list[Ask]:
    """JSON asked for in words and about texts that training never showed."""
    asks = []
    for language in LANGUAGES:
        rows = [row for path in READING[language] for row in corpus.read_rows(data / path)]
        contexts = sorted({row["context"] for row in rows if corpus.is_test_article(row["title"])})
        for context in sample(contexts, max(1, count // 3), f"json {language}"):
            asks.append(Ask(JSON_ASKS[language].format(text=context[:600]), language, most=150))
    return asks


def is_json_object(answer: str) -> bool:
    """Whether the whole answer is one JSON object."""
    try:
        return isinstance(json.loads(answer), dict)
    except ValueError:
        return False


def texts(data: Path, language: str, *, characters: int = 30_000) -> dict[str, str]:
    """Text to be predicted: held-out training-domain text, and NTREX news (the same sentences in each language)."""
    entries = [entry for entry in corpus.SOURCES if entry.weight and entry.language == language]
    held = [row["text"] for entry in entries for row in corpus.read_rows(data / entry.path) if corpus.is_held_out(row)]
    held = sample(sorted(held), len(held), f"held out {language}")
    other = "es" if language == "en" else language
    news = [row[language] for row in corpus.read_rows(data / f"ntrex/ntrex-en-{other}.jsonl")]
    joined = {"held-out text": "\n\n".join(text[:1500] for text in held), "news (NTREX)": "\n".join(news)}
    return {name: text[:characters] for name, text in joined.items()}


TYPES = {"dict": "object", "float": "number", "tuple": "array", "list": "array", "any": "string", "bool": "boolean"}


def tool_name(name: str) -> str:
    """A function's name as the service takes it: letters, digits, `_` and `-`."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)


def json_schema(schema: dict) -> dict:
    """The benchmark's parameter description as JSON Schema: its own names of types, few keywords."""
    kept = {key: schema[key] for key in ("description", "enum", "required") if key in schema}
    kept["type"] = TYPES.get(schema.get("type", "string"), schema.get("type", "string"))
    if "properties" in schema:
        kept["properties"] = {name: json_schema(entry) for name, entry in schema["properties"].items()}
    if "items" in schema:
        kept["items"] = json_schema(schema["items"])
    return kept


def function_calls(data: Path, *, count: int) -> list[Ask]:
    """Berkeley Function Calling, one function and one call: never trained on."""
    asks = []
    rows = [row for row in corpus.read_rows(data / "tool-bfcl/bfcl.jsonl.gz")
            if row["category"] in ("simple_python", "live_simple") and row["answer"]
            and len(json.dumps(row["tools"])) < 2500]  # fmt: skip
    for row in sample(rows, count, "bfcl"):
        tool, (name, arguments) = row["tools"][0], next(iter(row["answer"][0].items()))
        offered = {"name": tool_name(tool["name"]), "description": tool["description"],
                   "parameters": json_schema(tool["parameters"])}  # fmt: skip
        asked = row["messages"][-1]["content"]
        wanted = {"name": tool_name(name), "arguments": arguments}
        asks.append(Ask(asked, "en", most=120, tools=(offered,), call=wanted))
    return asks


def invented_calls(*, count: int) -> list[Ask]:
    """Calls of invented tools as in training, with requests that training shares only by chance."""
    dice, asks = random.Random("tool scores"), []
    while len(asks) < count:
        row = tasks_skills.any_tool(dice)
        calls = row["messages"][-1].get("tool_calls")
        if calls:
            accepted = {name: [value] for name, value in calls[0]["arguments"].items()}
            wanted = {"name": tool_name(calls[0]["name"]), "arguments": accepted}
            tools = tuple({**tool, "name": tool_name(tool["name"])} for tool in row["tools"])
            asks.append(Ask(row["messages"][0]["content"], "", most=120, tools=tools, call=wanted))
    return asks


def counterfactuals(*, count: int) -> list[Ask]:
    """Questions on passages that contradict the world; the passage is right."""
    dice, asks = random.Random("counterfactual scores"), []
    while len(asks) < count:
        row = tasks_skills.counterfactual(dice)
        question, answer = (message["content"] for message in row["messages"][:2])
        language = next((name for name, text in phrases.REFUSAL.items() if text == answer), "")
        if "documents" in row and not language:
            first = phrases.PASSAGE_QUESTION["en"][0].format(context=row["documents"][0]["text"], question=question)
            asks.append(Ask(first, "en", [answer]))
    return asks


def manners(data: Path, language: str, *, count: int) -> list[Ask]:
    """Toxic and harmless posts, half of each; the model was taught on word lists alone."""
    path, bad, good = {
        "en": ("hate-davidson/tweets.jsonl.gz", ("hate", "offensive"), ("neither",)),
        "es": ("hatecheck/hatecheck.es.jsonl", ("hateful",), ("non-hateful",)),
        "pt": ("told-br/told-br.jsonl.gz", (True,), (False,)),
    }[language]
    rows = list(corpus.read_rows(data / path))
    label = "toxic" if language == "pt" else "label"
    wording, answers = tasks_skills.MANNER_ASKS[language][0], tasks_skills.YES_NO[language]
    return [
        Ask(wording.format(text=row["text"]), language, [answers[kind]], most=6)
        for kind, labels in enumerate((good, bad))
        for row in sample([row for row in rows if row[label] in labels], count // 2, f"manners {language} {kind}")
    ]


def translations(data: Path, first: str, second: str, *, count: int) -> list[Ask]:
    """Short test sentences of Tatoeba, left out of training."""
    other = second if first == "en" else first
    rows = [row for row in corpus.read_rows(data / f"parallel-en-{other}/tatoeba-test.jsonl.gz")
            if 10 < len(row["en"]) < 60]  # fmt: skip
    wording, target = phrases.TRANSLATE[first][0], phrases.LANGUAGE_NAMES[first][second]
    return [
        Ask(wording.format(target=target, text=row[first]), second, [row[second]], most=40)
        for row in sample(rows, count, f"translations {first} {second}")
    ]
