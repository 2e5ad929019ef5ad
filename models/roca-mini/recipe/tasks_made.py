"""Made-up tasks in three languages: feelings, look-ups, extraction to JSON, copying, sums, tool calls, greetings."""

# ruff: noqa: E501 - sentences and word lists read better unbroken

import json
import random
from collections.abc import Callable

import phrases
from words import BLAME, CITIES, COLOURS, FIRST_NAMES, ITEMS, LAST_NAMES, NEGATIVE, POSITIVE, PRAISE, SUBJECTS, listed

LANGUAGES = ("en", "es", "pt")
NAMES, SURNAMES, TOWNS = listed(FIRST_NAMES), listed(LAST_NAMES), listed(CITIES)
FEELING_PATTERNS = {
    "en": ("The {s} is {a} and {b}.", "A {a}, {b} {s}.", "{p}", "The {s} was {a}, {p}.", "What a {a} {s}!", "so {a} and {b}",
           "{a} {s} with {b} {t}", "one of the most {a} and {b} {s}s i have seen", "it is {a} , {b} and {c}", "{p}, {p2}.",
           "This {s} is very {a}. {p}.", "a {a} {s} that is {b} and {c}"),
    "es": ("{s} es {a} y {b}.", "{s} me pareció {a}.", "{p}", "{s} es muy {a}, {p}.", "Qué {a}: {p}.", "{p} y {p2}.",
           "es {a}, {b} y {c}", "{s} fue {a}. {p}."),
    "pt": ("{s} é {a} e {b}.", "achei {s} {a}.", "{p}", "{s} é muito {a}, {p}.", "Que {a}: {p}.", "{p} e {p2}.",
           "é {a}, {b} e {c}", "{s} foi {a}. {p}.", "um filme {a} e {b}", "tão {a} quanto {b}"),
}  # fmt: skip
TURNS = {
    "en": (
        "not {a}, but {b}",
        "it could have been {a}, but it is {b}",
        "although some call it {a}, it is {b}",
        "far from {a}: {b}",
    ),
    "es": ("no es {a}, sino {b}", "podía ser {a}, pero es {b}", "aunque parece {a}, es {b}"),
    "pt": ("não é {a}, e sim {b}", "podia ser {a}, mas é {b}", "embora pareça {a}, é {b}"),
}


def turn(user: str, assistant: str, *, system: str = "") -> dict:
    """A conversation of one question."""
    messages = [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]
    return {"messages": [{"role": "system", "content": system}, *messages] if system else messages}


def feeling_text(language: str, good: bool, dice: random.Random) -> str:
    """A short opinion made of word lists."""
    pool = listed((POSITIVE if good else NEGATIVE)[language])
    a, b, c = dice.sample(pool, 3)
    if dice.random() < 0.2:
        other = dice.choice(listed((NEGATIVE if good else POSITIVE)[language]))
        return dice.choice(TURNS[language]).format(a=other, b=a)
    p, p2 = dice.sample(listed((PRAISE if good else BLAME)[language], "|"), 2)
    s, t = dice.sample(listed(SUBJECTS[language]), 2)
    text = dice.choice(FEELING_PATTERNS[language]).format(a=a, b=b, c=c, p=p, p2=p2, s=s, t=t)
    return text if dice.random() < 0.5 else text[0].upper() + text[1:]


def sentiment(dice: random.Random) -> dict:
    """Positive or negative, one word."""
    language, good = dice.choice(LANGUAGES), dice.random() < 0.5
    wording = phrases.SENTIMENT[language]
    if dice.random() < 0.25:
        wording = dice.choice(phrases.SENTIMENT_OTHER[language])
    text = " ".join(feeling_text(language, good, dice) for _ in range(dice.choice((1, 1, 2))))
    return turn(wording.format(text=text), phrases.SENTIMENT_LABELS[language][good])


FACTS = {
    "en": {
        "age": ("{n} is {v} years old.", "How old is {n}?"),
        "city": ("{n} lives in {v}.", "Where does {n} live?"),
        "phone": ("The phone number of {n} is {v}.", "What is the phone number of {n}?"),
        "item": ("{n} bought a {v}.", "What did {n} buy?"),
        "code": ("The code of {n} is {v}.", "What is the code of {n}?"),
    },
    "es": {
        "age": ("{n} tiene {v} años.", "¿Cuántos años tiene {n}?"),
        "city": ("{n} vive en {v}.", "¿Dónde vive {n}?"),
        "phone": ("El teléfono de {n} es {v}.", "¿Cuál es el teléfono de {n}?"),
        "item": ("{n} compró una {v}.", "¿Qué compró {n}?"),
        "code": ("El código de {n} es {v}.", "¿Cuál es el código de {n}?"),
    },
    "pt": {
        "age": ("{n} tem {v} anos.", "Quantos anos tem {n}?"),
        "city": ("{n} mora em {v}.", "Onde mora {n}?"),
        "phone": ("O telefone de {n} é {v}.", "Qual é o telefone de {n}?"),
        "item": ("{n} comprou uma {v}.", "O que {n} comprou?"),
        "code": ("O código de {n} é {v}.", "Qual é o código de {n}?"),
    },
}
FIELD_NAMES = {
    "en": {"name": "name", "age": "age", "city": "city", "phone": "phone", "item": "item", "code": "code"},
    "es": {
        "name": "nombre",
        "age": "edad",
        "city": "ciudad",
        "phone": "teléfono",
        "item": "artículo",
        "code": "código",
    },
    "pt": {"name": "nome", "age": "idade", "city": "cidade", "phone": "telefone", "item": "item", "code": "código"},
}


def value_of(kind: str, language: str, dice: random.Random) -> str | int:
    """A made-up value for a kind of fact."""
    if kind == "age":
        return dice.randint(5, 95)
    if kind == "city":
        return dice.choice(TOWNS)
    if kind == "phone":
        return f"{dice.randint(200, 999)}-{dice.randint(1000, 9999)}"
    if kind == "code":
        return f"{dice.choice('ABCDEFGHJKLMNPQRSTUVWXYZ')}{dice.randint(10, 9999)}"
    return f"{dice.choice(listed(ITEMS[language]))} {dice.choice(listed(COLOURS[language]))}" if language != "en" else (
        f"{dice.choice(listed(COLOURS[language]))} {dice.choice(listed(ITEMS[language]))}")  # fmt: skip


def person(dice: random.Random) -> str:
    name = dice.choice(NAMES)
    return f"{name} {dice.choice(SURNAMES)}" if dice.random() < 0.5 else name


def lookup(dice: random.Random) -> dict:
    """Several facts as documents or one text; questions on each of them, or on somebody who is not there."""
    language = dice.choice(LANGUAGES)
    people = list(dict.fromkeys(person(dice) for _ in range(dice.randint(2, 5))))
    kinds = [dice.choice(list(FACTS[language])) for _ in people]
    values = [value_of(kind, language, dice) for kind in kinds]
    lines = [FACTS[language][kind][0].format(n=n, v=v) for n, kind, v in zip(people, kinds, values, strict=True)]
    pairs = []
    for chosen in dice.sample(range(len(people)), len(people)):
        who, answer = people[chosen], str(values[chosen])
        if dice.random() < 0.15:
            who, answer = f"{dice.choice(NAMES)} {dice.choice(SURNAMES)}", phrases.REFUSAL[language]
            if who in people:
                continue
        pairs.append((FACTS[language][kinds[chosen]][1].format(n=who), answer))
    if not pairs:
        return lookup(dice)
    if dice.random() < 0.6:
        documents = [{"text": line} for line in lines] if dice.random() < 0.4 else [{"text": " ".join(lines)}]
        return {"messages": asked(pairs), "documents": documents}
    wording = dice.choice(phrases.PASSAGE_QUESTION[language])
    first = wording.format(context=" ".join(lines), question=pairs[0][0])
    return {"messages": asked([(first, pairs[0][1]), *pairs[1:]])}


def asked(pairs: list[tuple[str, str]]) -> list[dict]:
    """Questions and answers as the turns of one conversation."""
    return [
        {"role": role, "content": text}
        for pair in pairs
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]


def extraction(dice: random.Random, *, language: str = "") -> dict:
    """A person's facts in prose to one JSON object with the named fields in order."""
    language = language or dice.choice(LANGUAGES)
    who, names = person(dice), FIELD_NAMES[language]
    kinds = dice.sample(list(FACTS[language]), dice.randint(1, 3))
    record: dict[str, str | int] = {names["name"]: who}
    lines = []
    for kind in kinds:
        value = value_of(kind, language, dice)
        record[names[kind]] = value
        lines.append(FACTS[language][kind][0].format(n=who, v=value))
    dice.shuffle(lines)
    fields = ", ".join(record)
    return turn(
        phrases.EXTRACT[language].format(fields=fields, text=" ".join(lines)), json.dumps(record, ensure_ascii=False)
    )


def copying(dice: random.Random) -> dict:
    """Repeat, upper-case or list what is given: practice in copying exactly."""
    words = [
        dice.choice((dice.choice(NAMES), dice.choice(TOWNS), str(dice.randint(0, 9999))))
        for _ in range(dice.randint(2, 7))
    ]
    text = " ".join(words)
    wording, answer = dice.choice((
        ("Repeat exactly: {}", text), ("Repite exactamente: {}", text), ("Repita exatamente: {}", text),
        ("Write as a JSON list: {}", json.dumps(words, ensure_ascii=False)),
        ("Escribe como lista JSON: {}", json.dumps(words, ensure_ascii=False)),
        ("Escreva como lista JSON: {}", json.dumps(words, ensure_ascii=False)),
        ("What is the first word? {}", words[0]), ("¿Cuál es la última palabra? {}", words[-1]),
        ("Qual é a primeira palavra? {}", words[0]),
    ))  # fmt: skip
    return turn(wording.format(text), answer)


REPEAT = (
    "Repeat exactly: {}",
    "Repite exactamente: {}",
    "Repita exatamente: {}",
    "Copy this text:\n{}",
    "Copia este texto:\n{}",
    "Copie este texto:\n{}",
)


def repeat(dice: random.Random) -> dict:
    """A long run of unrelated words and numbers to be written again: every token of the answer is a copy."""
    language = dice.choice(LANGUAGES)
    pool = [
        *NAMES,
        *SURNAMES,
        *TOWNS,
        *listed(POSITIVE[language]),
        *listed(NEGATIVE[language]),
        *listed(ITEMS[language]),
    ]
    words = [
        dice.choice(pool)
        if dice.random() < 0.8
        else str(value_of(dice.choice(("age", "phone", "code")), language, dice))
        for _ in range(dice.randint(6, 45))
    ]
    text = dice.choice((" ", " ", ", ", "\n")).join(words)
    return turn(dice.choice(REPEAT).format(text), text)


def sums(dice: random.Random) -> dict:
    """Additions and subtractions of small numbers."""
    a, b = dice.randint(0, 20), dice.randint(0, 20)
    sign, result = ("+", a + b) if dice.random() < 0.6 else ("-", a - b)
    wording = dice.choice(("What is {}?", "{} =", "¿Cuánto es {}?", "Quanto é {}?"))
    return turn(wording.format(f"{a} {sign} {b}"), str(result))


TOOLS = {
    "get_weather": ("Current weather in a city", {"city": "string"}),
    "get_time": ("Local time in a city", {"city": "string"}),
    "find_person": ("Look up a person in the directory", {"name": "string"}),
    "send_message": ("Send a short message", {"to": "string", "text": "string"}),
    "book_flight": ("Book a flight", {"origin": "string", "destination": "string"}),
    "set_alarm": ("Set an alarm", {"hour": "integer"}),
    "get_order": ("State of an order", {"order_id": "string"}),
}
REQUESTS = {
    "get_weather": ("What is the weather in {city}?", "¿Qué tiempo hace en {city}?", "Como está o tempo em {city}?", "Weather for {city}"),
    "get_time": ("What time is it in {city}?", "¿Qué hora es en {city}?", "Que horas são em {city}?"),
    "find_person": ("Find {name} in the directory", "Busca a {name} en el directorio", "Procure {name} no diretório"),
    "send_message": ("Send {to} the message: {text}", "Envía a {to} el mensaje: {text}", "Envie a {to} a mensagem: {text}"),
    "book_flight": ("Book a flight from {origin} to {destination}", "Reserva un vuelo de {origin} a {destination}",
                    "Reserve um voo de {origin} para {destination}"),
    "set_alarm": ("Wake me up at {hour}", "Despiértame a las {hour}", "Acorde-me às {hour}"),
    "get_order": ("Where is order {order_id}?", "¿Dónde está el pedido {order_id}?", "Onde está o pedido {order_id}?"),
}  # fmt: skip
NOTES = ("I am late", "see you soon", "llego tarde", "nos vemos mañana", "chego tarde", "até amanhã", "call me", "ok")


def tool_definition(name: str) -> dict:
    """A made-up tool in the form of JSON Schema."""
    description, fields = TOOLS[name]
    properties = {field: {"type": kind} for field, kind in fields.items()}
    schema = {"type": "object", "properties": properties, "required": list(fields)}
    return {"name": name, "description": description, "parameters": schema}


def argument(field: str, dice: random.Random) -> str | int:
    if field in ("city", "origin", "destination"):
        return dice.choice(TOWNS)
    if field in ("name", "to"):
        return person(dice)
    if field == "hour":
        return dice.randint(4, 11)
    return dice.choice(NOTES) if field == "text" else f"{dice.choice('ABCDXZ')}{dice.randint(100, 99999)}"


def tool_call(dice: random.Random) -> dict:
    """One to three tools and a request that one of them serves."""
    offered = dice.sample(list(TOOLS), dice.randint(1, 3))
    name = dice.choice(offered)
    arguments = {field: argument(field, dice) for field in TOOLS[name][1]}
    request = dice.choice(REQUESTS[name]).format(**arguments)
    call = {"role": "assistant", "content": "", "tool_calls": [{"name": name, "arguments": arguments}]}
    tools = [tool_definition(tool) for tool in offered]
    return {"messages": [{"role": "user", "content": request}, call], "tools": tools}


def greeting(dice: random.Random) -> dict:
    """Greetings and questions about the model itself."""
    language = dice.choice(LANGUAGES)
    questions, answers = dice.choice(phrases.IDENTITY[language])
    system = dice.choice(phrases.SYSTEM[language]) if dice.random() < 0.3 else ""
    return turn(dice.choice(questions), dice.choice(answers), system=system)


MAKERS: dict[str, tuple[Callable[[random.Random], dict], int]] = {
    "sentiment": (sentiment, 8000),
    "lookup": (lookup, 6000),
    "extraction": (extraction, 6000),
    "copying": (copying, 4000),
    "repeat": (repeat, 6000),
    "sums": (sums, 1500),
    "tool_call": (tool_call, 3000),
    "greeting": (greeting, 1500),
}
"""Each made-up task with how many rows are made of it."""
