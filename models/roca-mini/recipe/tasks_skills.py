"""More made-up tasks in three languages: topics, manners, dates, records, invented tools and facts, rewriting, dialogues."""

# ruff: noqa: E501 - sentences read better unbroken

import datetime
import json
import random
from collections.abc import Callable

import phrases
import themes
from tasks_made import LANGUAGES, NAMES, SURNAMES, TOWNS, asked, feeling_text, person, turn, value_of
from words import COLOURS, ITEMS, listed

TOPIC_ASKS = {
    "en": ("What is the topic of this text: {options}?\n{text}", "Classify the text as {options}.\n{text}", "{text}\n\nTopic ({options}):"),
    "es": ("¿Cuál es el tema de este texto: {options}?\n{text}", "Clasifica el texto: {options}.\n{text}", "{text}\n\nTema ({options}):"),
    "pt": ("Qual é o tema deste texto: {options}?\n{text}", "Classifique o texto: {options}.\n{text}", "{text}\n\nTema ({options}):"),
}  # fmt: skip
MANNER_ASKS = {
    "en": ("Is this text toxic? Answer yes or no.\n{text}", "{text}\n\nToxic, yes or no?"),
    "es": ("¿Es tóxico este texto? Responde sí o no.\n{text}", "{text}\n\n¿Tóxico, sí o no?"),
    "pt": ("Este texto é tóxico? Responda sim ou não.\n{text}", "{text}\n\nTóxico, sim ou não?"),
}
YES_NO = {"en": ("no", "yes"), "es": ("no", "sí"), "pt": ("não", "sim")}


def topic(dice: random.Random) -> dict:
    """The topic of one to three sentences, chosen from named ones."""
    language = dice.choice(LANGUAGES)
    lists = themes.TOPICS[language]
    label = dice.choice(list(lists))
    options = dice.sample([label, *dice.sample([other for other in lists if other != label], dice.randint(1, 4))], k=2)
    options = list(dict.fromkeys([label, *options]))
    dice.shuffle(options)
    lines = []
    for _ in range(dice.randint(1, 3)):
        a, b, c = dice.sample(lists[label].split(), 3)
        pattern = dice.choice(themes.NEWS[language])
        lines.append(pattern.format(a=a, b=b, c=c, n=person(dice), t=dice.choice(TOWNS)))
    wording = dice.choice(TOPIC_ASKS[language])
    return turn(wording.format(options=", ".join(options), text=" ".join(lines)), label)


def toxicity(dice: random.Random) -> dict:
    """Insults against harmless lines, some of which complain or use strong words for things."""
    language, rude = dice.choice(LANGUAGES), dice.random() < 0.5
    pattern = dice.choice((themes.RUDE_PATTERNS if rude else themes.CIVIL_PATTERNS)[language])
    text = pattern.format(r=dice.choice(themes.RUDE[language].split()), n=person(dice), t=dice.choice(TOWNS),
                          o=dice.choice(themes.JOBS[language].split()))  # fmt: skip
    if not rude and dice.random() < 0.3:
        text = feeling_text(language, dice.random() < 0.5, dice)
    return turn(dice.choice(MANNER_ASKS[language]).format(text=text), YES_NO[language][rude])


def written_date(day: datetime.date, language: str) -> str:
    month = themes.MONTHS[language].split()[day.month - 1]
    return f"{month} {day.day}, {day.year}" if language == "en" else f"{day.day} de {month} de {day.year}"


def dates(dice: random.Random) -> dict:
    """A date in ISO form, the days between two, the day after, the weekday that follows."""
    language = dice.choice(LANGUAGES)
    day = datetime.date(1900, 1, 1) + datetime.timedelta(days=dice.randrange(50_000))
    kind = dice.randrange(4)
    if kind == 0:
        wording = {
            "en": "Write as YYYY-MM-DD: {}",
            "es": "Escribe como AAAA-MM-DD: {}",
            "pt": "Escreva como AAAA-MM-DD: {}",
        }
        return turn(wording[language].format(written_date(day, language)), day.isoformat())
    if kind == 1:
        wording = {"en": "Write in words: {}", "es": "Escribe en palabras: {}", "pt": "Escreva por extenso: {}"}
        return turn(wording[language].format(day.isoformat()), written_date(day, language))
    if kind == 2:
        wording = {
            "en": "What date is {} days after {}?",
            "es": "¿Qué fecha es {} días después de {}?",
            "pt": "Que data é {} dias depois de {}?",
        }
        more = dice.randint(1, 10)
        return turn(wording[language].format(more, day.isoformat()), (day + datetime.timedelta(days=more)).isoformat())
    names = themes.DAYS[language].split()
    number = dice.randrange(7)
    wording = {"en": "Which day comes after {}?", "es": "¿Qué día sigue al {}?", "pt": "Que dia vem depois de {}?"}
    return turn(wording[language].format(names[number]), names[(number + 1) % 7])


def field_value(kind: str, name: str, language: str, dice: random.Random) -> object:
    """A value for a field of an invented tool or record."""
    if kind == "integer":
        return dice.randint(1900, 2030) if name == "year" else dice.randint(1, 500)
    if kind == "number":
        return dice.choice((dice.randint(1, 900), round(dice.uniform(1, 900), 2)))
    if kind == "boolean":
        return dice.random() < 0.5
    made = {
        "city": lambda: dice.choice(TOWNS),
        "name": lambda: person(dice),
        "date": lambda: f"20{dice.randint(10, 39)}-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}",
        "email": lambda: f"{dice.choice(NAMES).lower()}{dice.randint(1, 99)}@example.com",
        "color": lambda: dice.choice(listed(COLOURS[language])),
        "language": lambda: dice.choice(list(phrases.LANGUAGE_NAMES[language].values())),
        "title": lambda: " ".join(dice.sample(listed(ITEMS[language]), 2)),
    }
    return made.get(name, lambda: str(value_of("code", language, dice)))()


def shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def invented(dice: random.Random) -> tuple[int, int, list[str]]:
    """A verb, a noun and fields for a tool that nobody has seen."""
    verbs, nouns = themes.VERBS.split(), themes.NOUNS.split()
    return dice.randrange(len(verbs)), dice.randrange(len(nouns)), dice.sample(list(themes.FIELDS), dice.randint(1, 3))


def definition(made: tuple[int, int, list[str]], style: int) -> dict:
    verb, noun, fields = themes.VERBS.split()[made[0]], themes.NOUNS.split()[made[1]], made[2]
    name = (f"{verb}_{noun}", f"{verb}{noun.capitalize()}", f"{noun}.{verb}")[style]
    properties: dict[str, dict] = {field: {"type": themes.FIELDS[field]} for field in fields}
    if style == 2:
        properties = {
            field: {**entry, "description": f"The {field.replace('_', ' ')}"} for field, entry in properties.items()
        }
    schema = {"type": "object", "properties": properties, "required": fields}
    return {"name": name, "description": f"{verb.capitalize()} the {noun}", "parameters": schema}


def any_tool(dice: random.Random) -> dict:
    """One to four invented tools; the request names one of them and every argument, or none of them fits."""
    language, style = dice.choice(LANGUAGES), dice.randrange(3)
    tools = [invented(dice) for _ in range(dice.randint(1, 4))]
    names = {definition(tool, style)["name"] for tool in tools}
    chosen = tools[0]
    missing = dice.random() < 0.15
    if missing:
        chosen = invented(dice)
        if definition(chosen, style)["name"] in names:
            return any_tool(dice)
    values = {field: field_value(themes.FIELDS[field], field, language, dice) for field in chosen[2]}
    verbs = themes.VERBS.split() if language == "en" else themes.VERB_WORDS[language].split()
    nouns = themes.NOUNS.split() if language == "en" else themes.NOUN_WORDS[language].split()
    details = " ".join(themes.FIELD_WORDS[language][field].format(v=shown(value)) for field, value in values.items())
    link = {"en": "the ", "es": "", "pt": ""}[language]
    request = f"{verbs[chosen[0]].capitalize()} {link}{nouns[chosen[1]]} {details}"
    if dice.random() < 0.3:
        request = {"en": "Please {}.", "es": "Por favor, {}.", "pt": "Por favor, {}."}[language].format(
            request[0].lower() + request[1:]
        )
    answer: dict = {"role": "assistant", "content": ""}
    if missing:
        answer["content"] = phrases_no_tool(language)
    else:
        answer["tool_calls"] = [{"name": definition(chosen, style)["name"], "arguments": values}]
    offered = [definition(tool, style) for tool in dice.sample(tools, len(tools))]
    return {"messages": [{"role": "user", "content": request}, answer], "tools": offered}


def phrases_no_tool(language: str) -> str:
    return {"en": "None of my functions can do that.", "es": "Ninguna de mis funciones sirve para eso.",
            "pt": "Nenhuma das minhas funções serve para isso."}[language]  # fmt: skip


def records(dice: random.Random) -> dict:
    """Free fields named in the question, given as `field: value` lines or in a sentence, to be written as JSON."""
    language = dice.choice(LANGUAGES)
    fields = dice.sample(list(themes.FIELDS), dice.randint(2, 5))
    values = {field: field_value(themes.FIELDS[field], field, language, dice) for field in fields}
    lines = [f"{field}: {shown(value)}" for field, value in values.items()]
    noise = [f"{other}: {shown(field_value(themes.FIELDS[other], other, language, dice))}"
             for other in dice.sample([name for name in themes.FIELDS if name not in fields], dice.randint(0, 2))]  # fmt: skip
    mixed = [*lines, *noise]
    dice.shuffle(mixed)
    text = dice.choice(("\n", "; ", ", ")).join(mixed)
    wording = phrases.EXTRACT[language]
    return turn(wording.format(fields=", ".join(fields), text=text), json.dumps(values, ensure_ascii=False))


def counterfactual(dice: random.Random) -> dict:
    """Statements that are mostly false in the world: the answer is what the text says."""
    language = dice.choice(LANGUAGES)
    facts, lines, pairs = themes.LAND_FACTS[language], [], []
    for number in dice.sample(range(len(facts)), dice.randint(2, 5)):
        statement, question = facts[number]
        things = themes.THINGS[language].split()
        value = {0: dice.choice(TOWNS), 1: f"{dice.choice(listed(ITEMS[language])).capitalize()} {dice.randint(2, 99)}", 2: dice.choice(things),
                 3: str(dice.randint(20, 9000)), 4: dice.choice(TOWNS), 5: str(dice.randint(900, 2020)), 6: dice.choice(things),
                 7: f"{dice.choice(NAMES)} {dice.choice(SURNAMES)}"}[number]  # fmt: skip
        who, where = person(dice), dice.choice(themes.LANDS.split())
        lines.append(statement.format(n=who, t=where, v=value))
        pairs.append((question.format(n=who, t=where), value))
        if dice.random() < 0.2:
            pairs.append(
                (
                    question.format(n=f"{dice.choice(NAMES)} {dice.choice(SURNAMES)}", t=f"{where}ia"),
                    phrases.REFUSAL[language],
                )
            )
    dice.shuffle(pairs)
    if dice.random() < 0.5:
        return {"messages": asked(pairs), "documents": [{"text": " ".join(lines)}]}
    first = dice.choice(phrases.PASSAGE_QUESTION[language]).format(context=" ".join(lines), question=pairs[0][0])
    return {"messages": asked([(first, pairs[0][1]), *pairs[1:]])}


REWRITES = {
    "upper": ("Write in capital letters: {}", "Escribe en mayúsculas: {}", "Escreva em maiúsculas: {}"),
    "lower": ("Write in lower case: {}", "Escribe en minúsculas: {}", "Escreva em minúsculas: {}"),
    "polite": ("Make it polite: {}", "Hazlo amable: {}", "Torne educado: {}"),
    "negative": ("Say the opposite: {}", "Di lo contrario: {}", "Diga o contrário: {}"),
    "list": ("Rewrite as a list with dashes: {}", "Reescribe como lista con guiones: {}", "Reescreva como lista com traços: {}"),
    "third": ("Rewrite about {name}: {}", "Reescribe sobre {name}: {}", "Reescreva sobre {name}: {}"),
}  # fmt: skip
ORDERS = {
    "en": ("Send me the {i}", "Open the {i}", "Bring the {i} to {t}", "Call {n}"),
    "es": ("Envíame la {i}", "Abre la {i}", "Lleva la {i} a {t}", "Llama a {n}"),
    "pt": ("Envie a {i}", "Abra a {i}", "Leve a {i} a {t}", "Ligue para {n}"),
}
SAYS = {
    "en": (("I live in {t} and I have a {i}.", "{n} lives in {t} and has a {i}.", "I do not live in {t} and I do not have a {i}."),
           ("I like the {i} of {t}.", "{n} likes the {i} of {t}.", "I do not like the {i} of {t}.")),
    "es": (("Vivo en {t} y tengo una {i}.", "{n} vive en {t} y tiene una {i}.", "No vivo en {t} y no tengo una {i}."),
           ("Me gusta la {i} de {t}.", "A {n} le gusta la {i} de {t}.", "No me gusta la {i} de {t}.")),
    "pt": (("Moro em {t} e tenho uma {i}.", "{n} mora em {t} e tem uma {i}.", "Não moro em {t} e não tenho uma {i}."),
           ("Gosto da {i} de {t}.", "{n} gosta da {i} de {t}.", "Não gosto da {i} de {t}.")),
}  # fmt: skip


def rewriting(dice: random.Random) -> dict:
    """A sentence in another form."""
    language, kind = dice.choice(LANGUAGES), dice.choice(list(REWRITES))
    place = LANGUAGES.index(language)
    holes = {"i": dice.choice(listed(ITEMS[language])), "t": dice.choice(TOWNS), "n": dice.choice(NAMES)}
    first, third, negative = (text.format(**holes) for text in dice.choice(SAYS[language]))
    order = dice.choice(ORDERS[language]).format(**holes)
    please = {"en": "Please {}, thank you.", "es": "Por favor, {}, gracias.", "pt": "Por favor, {}, obrigado."}[
        language
    ]
    things = [str(value_of("item", language, dice)) for _ in range(dice.randint(2, 4))]
    source, result = {
        "upper": (first, first.upper()),
        "lower": (first.upper(), first.lower()),
        "polite": (order, please.format(order[0].lower() + order[1:])),
        "negative": (first, negative),
        "list": (", ".join(things), "\n".join(f"- {thing}" for thing in things)),
        "third": (first, third),
    }[kind]
    return turn(REWRITES[kind][place].format(source, name=holes["n"]), result)


TALKS = {
    "en": (
        (("Hi {b}, can you bring the {i} tomorrow?", "Sure. When do you need it?", "At {h} o'clock, at my place in {t}.", "Fine, I will be there."),
         "{a} asks {b} to bring the {i} to {t} at {h} o'clock, and {b} agrees."),
        (("I have bought a {i} in {t}!", "Nice. Was it expensive?", "It cost {h} dollars, but it is broken.", "You should take it back."),
         "{a} has bought a {i} in {t} that is broken. {b} tells {a} to take it back."),
        (("I am moving to {t} next month.", "Really? Why?", "I have found a job as a {o}.", "Congratulations, {a}!"),
         "{a} is moving to {t} to work as a {o}, and {b} is happy for {a}."),
        (("Good morning, I would like to book a room in {t}.", "For how many nights?", "{h} nights, please.", "It is booked. Your code is {c}."),
         "{a} books a room in {t} for {h} nights and gets the code {c}."),
        (("{b}, I can not come to the meeting.", "What happened?", "My {i} is lost and I must look for it.", "Then let us meet on {d}."),
         "{a} can not come because the {i} is lost. They will meet on {d}."),
        (("What are you doing on {d}?", "Nothing. Why?", "Let us go to {t} to see the new museum.", "Good idea, I will buy the tickets."),
         "{a} and {b} plan to visit the new museum in {t} on {d}. {b} will buy the tickets."),
    ),
    "es": (
        (("Hola {b}, ¿puedes traer la {i} mañana?", "Claro. ¿A qué hora?", "A las {h}, a mi casa en {t}.", "De acuerdo, allí estaré."),
         "{a} pide a {b} que lleve la {i} a {t} a las {h}, y {b} acepta."),
        (("¡He comprado una {i} en {t}!", "Qué bien. ¿Fue cara?", "Costó {h} euros, pero está rota.", "Deberías devolverla."),
         "{a} ha comprado en {t} una {i} que está rota. {b} le dice que la devuelva."),
        (("Me mudo a {t} el mes que viene.", "¿De verdad? ¿Por qué?", "He encontrado trabajo de {o}.", "¡Enhorabuena, {a}!"),
         "{a} se muda a {t} para trabajar de {o}, y {b} se alegra."),
    ),
    "pt": (
        (("Oi {b}, você pode trazer a {i} amanhã?", "Claro. A que horas?", "Às {h}, na minha casa em {t}.", "Combinado, estarei lá."),
         "{a} pede que {b} leve a {i} para {t} às {h}, e {b} aceita."),
        (("Comprei uma {i} em {t}!", "Que bom. Foi cara?", "Custou {h} reais, mas está quebrada.", "Você deveria devolver."),
         "{a} comprou em {t} uma {i} que está quebrada. {b} sugere devolver."),
        (("Vou me mudar para {t} no mês que vem.", "Sério? Por quê?", "Encontrei trabalho de {o}.", "Parabéns, {a}!"),
         "{a} vai se mudar para {t} para trabalhar de {o}, e {b} fica feliz."),
    ),
}  # fmt: skip
FILLERS = {
    "en": (
        ("How are you?", "Fine, thanks."),
        ("It is raining again.", "Yes, all day."),
        ("Did you see {n}?", "No, not today."),
    ),
    "es": (
        ("¿Cómo estás?", "Bien, gracias."),
        ("Llueve otra vez.", "Sí, todo el día."),
        ("¿Has visto a {n}?", "No, hoy no."),
    ),
    "pt": (
        ("Como vai?", "Bem, obrigado."),
        ("Está chovendo de novo.", "Sim, o dia todo."),
        ("Você viu {n}?", "Não, hoje não."),
    ),
}
SUMMARISE = {
    "en": (phrases.SUMMARISE, "Summarise this dialogue.\n\n{text}", "{text}\n\nWhat is this conversation about?"),
    "es": ("Resume este diálogo en una o dos frases.\n\n{text}", "{text}\n\n¿De qué trata esta conversación?"),
    "pt": ("Resuma este diálogo em uma ou duas frases.\n\n{text}", "{text}\n\nDo que trata esta conversa?"),
}


def dialogue(dice: random.Random) -> dict:
    """A short talk, with small talk around it, and what it came to."""
    language = dice.choice(("en", "en", *LANGUAGES))
    lines, summary = dice.choice(TALKS[language])
    a, b = dice.choice((dice.sample(NAMES, 2), ["#Person1#", "#Person2#"], [person(dice), dice.choice(NAMES)]))
    if a == b:
        return dialogue(dice)
    holes = {"a": a, "b": b, "i": dice.choice(listed(ITEMS[language])), "t": dice.choice(TOWNS), "h": dice.randint(2, 11),
             "o": dice.choice(themes.JOBS[language].split()), "c": value_of("code", language, dice), "n": dice.choice(NAMES),
             "d": dice.choice(themes.DAYS[language].split())}  # fmt: skip
    spoken = [*lines]
    if dice.random() < 0.5:
        spoken = [*dice.choice(FILLERS[language]), *spoken]
    if dice.random() < 0.5:
        spoken = [*spoken, *dice.choice(FILLERS[language])]
    text = "\n".join(f"{(a, b)[number % 2]}: {line.format(**holes)}" for number, line in enumerate(spoken))
    return turn(dice.choice(SUMMARISE[language]).format(text=text), summary.format(**holes))


MAKERS: dict[str, Callable[[random.Random], dict]] = {
    "topic": topic, "toxicity": toxicity, "dates": dates, "any_tool": any_tool, "records": records,
    "counterfactual": counterfactual, "rewriting": rewriting, "dialogue": dialogue,
}  # fmt: skip
