"""Tasks made from the allowed instruction, dialogue, intent and translation sets."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import corpus
import phrases
from tasks_made import REPEAT, asked, turn

TATOEBA_ROWS = 40_000
INTENT_ROWS = 3_000
UNTOLD = ("True", "False", "dontcare")
SPEAKERS = (("#Person1#", "#Person2#"), ("A", "B"), ("User", "Assistant"), ("Ana", "Tom"), ("Customer", "Agent"))


def spaced(name: str) -> str:
    """`FindRestaurants` or `card_arrival` as words: `find restaurants`, `card arrival`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").lower()


def translation(data: Path, dice: random.Random) -> Iterator[dict]:
    """Short sentences between English and Spanish or Portuguese, asked for in either language."""
    sources = (
        ("parallel-en-es/tatoeba.jsonl.gz", "es", TATOEBA_ROWS, 60),
        ("parallel-en-pt/opendocs.jsonl.gz", "pt", 4_000, 120),
        ("parallel-en-pt/gnome-help.jsonl", "pt", 3_000, 120),
        ("parallel-en-pt/pydocs.jsonl.gz", "pt", 12_000, 100),
        ("parallel-en-pt/django.jsonl.gz", "pt", 3_000, 100),
    )
    tests = corpus.test_sentences(data)
    for path, other, count, longest in sources:
        rows = [
            row
            for row in corpus.training_rows(data, path)
            if 3 < len(row["en"]) <= longest and tests.isdisjoint((corpus.plain(row["en"]), corpus.plain(row[other])))
        ]
        for row in dice.sample(rows, min(count, len(rows))):
            first, second = ("en", other) if dice.random() < 0.5 else (other, "en")
            asked_in = dice.choice((first, second))
            wording = dice.choice(phrases.TRANSLATE[asked_in])
            target = phrases.LANGUAGE_NAMES[asked_in][second]
            yield turn(wording.format(target=target, text=row[first]), row[second])


def pivot(data: Path, dice: random.Random) -> Iterator[dict]:
    """Spanish and Portuguese sentences that translate the same English one."""
    tests = corpus.test_sentences(data)
    for name in ("pydocs.jsonl.gz", "opendocs.jsonl.gz"):
        spanish = {row["en"]: row["es"] for row in corpus.training_rows(data, f"parallel-en-es/{name}")}
        for row in corpus.training_rows(data, f"parallel-en-pt/{name}"):
            sides = {"es": spanish.get(row["en"], ""), "pt": row["pt"]}
            if not 3 < len(sides["es"]) <= 160 or any(corpus.plain(side) in tests for side in sides.values()):
                continue
            first, second = dice.sample(("es", "pt"), 2)
            asked_in = dice.choice((first, second))
            target = phrases.LANGUAGE_NAMES[asked_in][second]
            yield turn(dice.choice(phrases.TRANSLATE[asked_in]).format(target=target, text=sides[first]), sides[second])


MEND = {
    "en": ("Correct the mistakes: {}", "Fix the spelling:\n{}"),
    "es": ("Corrige los errores: {}", "Corrige la ortografía:\n{}"),
    "pt": ("Corrija os erros: {}", "Corrija a ortografia:\n{}"),
}


def spoiled(text: str, dice: random.Random) -> str:
    """The text with one to three slips of a typist."""
    words = text.split()
    for _ in range(dice.randint(1, 3)):
        place = dice.randrange(len(words))
        word = words[place]
        slip, at = dice.randrange(4), dice.randrange(max(1, len(word) - 1))
        if slip == 0:
            words[place] = word[:at] + word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :]
        elif slip == 1 and len(word) > 2:
            words[place] = word[:at] + word[at + 1 :]
        elif slip == 2:
            words[place] = f"{word} {word}"
        else:
            words[place] = word.lower().translate(str.maketrans("áéíóúãõçñ", "aeiouaocn"))
    return " ".join(words)


def mending(data: Path, dice: random.Random) -> Iterator[dict]:
    """Sentences with slips, to be put right."""
    pools = (
        ("parallel-en-es/tatoeba.jsonl.gz", "en", 6_000),
        ("parallel-en-es/tatoeba.jsonl.gz", "es", 6_000),
        ("parallel-en-pt/pydocs.jsonl.gz", "pt", 6_000),
    )
    for path, language, count in pools:
        lines = [row[language] for row in corpus.training_rows(data, path) if 15 < len(row[language]) < 90]
        for line in dice.sample(lines, min(count, len(lines))):
            yield turn(dice.choice(MEND[language]).format(spoiled(line, dice)), line)


REPEATS = 12_000


def repeats(data: Path, dice: random.Random) -> Iterator[dict]:
    """Long runs of unrelated words of three languages to be written again: nothing but copying predicts them."""
    texts = (
        ("parallel-en-es/tatoeba.jsonl.gz", "en"),
        ("parallel-en-es/tatoeba.jsonl.gz", "es"),
        ("parallel-en-pt/pydocs.jsonl.gz", "pt"),
    )
    found: set[str] = set()
    for path, language in texts:
        for row in corpus.training_rows(data, path):
            found.update(re.findall(r"\w+", row[language]))
    words = sorted(found)
    for _ in range(REPEATS):
        text = dice.choice((" ", " ", " ", ", ")).join(dice.choices(words, k=dice.randint(3, dice.choice((10, 50)))))
        yield turn(dice.choice(REPEAT).format(text), text)


QUOTE = {
    "en": ("Which sentence mentions {word}?", "Quote the sentence with {word}."),
    "es": ("¿Qué frase menciona {word}?", "Cita la frase con {word}."),
    "pt": ("Que frase menciona {word}?", "Cite a frase com {word}."),
}


def quotes(data: Path, dice: random.Random) -> Iterator[dict]:
    """A few sentences, then one to be quoted for a word of it: finding and copying."""
    pools = (
        ("parallel-en-es/tatoeba.jsonl.gz", "en", 3000),
        ("parallel-en-es/tatoeba.jsonl.gz", "es", 3000),
        ("parallel-en-pt/pydocs.jsonl.gz", "pt", 3000),
    )
    for path, language, count in pools:
        lines = [row[language] for row in corpus.training_rows(data, path) if 20 < len(row[language]) < 90]
        for _ in range(count):
            chosen = dice.sample(lines, dice.randint(3, 7))
            pairs = []
            for line in dice.sample(chosen, min(3, len(chosen))):
                words = [word for word in re.findall(r"\w{5,}", line) if sum(word in other for other in chosen) == 1]
                if words:
                    pairs.append((dice.choice(QUOTE[language]).format(word=dice.choice(words)), line))
            if pairs and dice.random() < 0.5:
                yield {"messages": asked(pairs), "documents": [{"text": " ".join(chosen)}]}
            elif pairs:
                first = f"{' '.join(chosen)}\n\n{pairs[0][0]}"
                yield {"messages": asked([(first, pairs[0][1]), *pairs[1:]])}


def instructions(data: Path, dice: random.Random) -> Iterator[dict]:
    """Dolly and the self-instruct seeds, answers of moderate length."""
    for row in corpus.training_rows(data, "dolly/dolly.jsonl.gz"):
        if len(row["response"]) < 700:
            system = dice.choice(phrases.SYSTEM["en"]) if dice.random() < 0.2 else ""
            yield turn(row["instruction"], row["response"], system=system)
    for row in corpus.training_rows(data, "self-instruct/seeds.jsonl"):
        question = f"{row['instruction']}\n{row['input']}" if row["input"] else row["instruction"]
        yield turn(question, row["response"])


def intents(data: Path, dice: random.Random) -> Iterator[dict]:
    """Intent of a request, chosen from four named ones."""
    for path, field in (("banking77/banking77.jsonl.gz", "category"), ("clinc150/clinc150.jsonl.gz", "intent")):
        rows = list(corpus.training_rows(data, path))
        labels = sorted({row[field] for row in rows} - {"oos"})
        for row in dice.sample([row for row in rows if row[field] != "oos"], INTENT_ROWS):
            offered = {row[field], *dice.sample(labels, 3)}
            names = [spaced(label) for label in dice.sample(sorted(offered), len(offered))]
            question = f"Choose the intent: {', '.join(names)}.\n{row['text']}"
            yield turn(question, spaced(row[field]))


def dialogue_calls(data: Path, dice: random.Random) -> Iterator[dict]:
    """Schema-Guided Dialogue: each first tool call, with the turns that lead to it."""
    tools = {row["id"]: row for row in corpus.training_rows(data, "tool-dialogues/sgd-train-tools.jsonl")}
    for row in corpus.training_rows(data, "tool-dialogues/sgd-train.jsonl.gz"):
        calls = [number for number, message in enumerate(row["messages"]) if "tool_call" in message]
        if not calls:
            continue
        call = row["messages"][calls[0]]["tool_call"]
        own = [name for name in row["tools"] if name.endswith("." + call["name"])]
        offered = [*own[:1], *dice.sample(row["tools"], 1)]
        before = [
            {"role": m["role"], "content": m["content"]} for m in row["messages"][max(0, calls[0] - 5) : calls[0]]
        ]
        while before and before[0]["role"] != "user":
            before.pop(0)
        if before and own:
            messages = [*before, {"role": "assistant", "content": "", "tool_calls": [call]}]
            shown = [_short(tools[name]) for name in sorted(set(offered))]
            yield {"messages": messages, "tools": shown, "only_last": True}


def _short(tool: dict) -> dict:
    properties = {name: {"type": field["type"]} for name, field in tool["parameters"]["properties"].items()}
    schema = {"type": "object", "properties": properties, "required": tool["parameters"]["required"]}
    return {"name": tool["name"], "description": tool["description"], "parameters": schema}


def summaries(data: Path, dice: random.Random) -> Iterator[dict]:
    """Service dialogues with a summary made from what was called and found."""
    for row in corpus.training_rows(data, "tool-dialogues/sgd-train.jsonl.gz"):
        first, second = dice.choice(SPEAKERS)
        spoken = [m for m in row["messages"] if m["role"] != "tool" and m.get("content")][:10]
        calls = [m["tool_call"] for m in row["messages"][:14] if "tool_call" in m]
        if not calls or len(spoken) < 4:
            continue
        lines = [f"{first if m['role'] == 'user' else second}: {m['content']}" for m in spoken]
        wishes = []
        for call in calls[:2]:
            details = [
                value
                for value in call["arguments"].values()
                if re.fullmatch(r"[A-Za-z .']{3,}", value) and value not in UNTOLD
            ]
            wishes.append(f"{spaced(call['name'])} ({', '.join(details[:3])})" if details else spaced(call["name"]))
        summary = f"{first} wants to {' and '.join(wishes)}. {second} helps {first}."
        yield turn(phrases.SUMMARISE.format(text="\n".join(lines)), summary)


def titles(data: Path, dice: random.Random) -> Iterator[dict]:
    """A title for the first paragraph of an encyclopedia article."""
    rows = [row for row in corpus.training_rows(data, "text-en/wikipedia-03.jsonl.gz") if not corpus.is_held_out(row)]
    for row in rows:
        paragraph = row["text"].split("\n\n")[0]
        if 80 < len(paragraph) < 700 and row["title"]:
            wording = dice.choice(("Give this text a title.\n\n{}", "What is this text about?\n\n{}"))
            yield turn(wording.format(paragraph), row["title"])
