"""Ways in which an answer goes wrong. Each takes a sentence and gives it spoiled, or None where it does not apply."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from rocamadre.guardrails.folding import without_accents
from rocamadre.guardrails.grounding.vocabulary import opposites

NAME = re.compile(
    r"(?<![.!?¿¡\"“] )(?<!^)\b[A-ZÁÉÍÓÚÂÊÔÃÕÇÑ][\w'’-]{2,}(?: (?:de |of |do |da |del )?[A-ZÁÉÍÓÚÂÊÔÃÕÇÑ][\w'’-]+)*"
)
NUMBER = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)*(?![\w])")
_AUX = {
    "en": re.compile(r"\b(is|are|was|were|can|could|will|would|has|had|have|should|may|might|must)\b(?! not)"),
    "es": re.compile(
        r"\b(es|son|fue|fueron|era|eran|está|están|tiene|tenía|tienen|puede|pueden|podía|ha|han|había|hay|debe|se"
        r"|\w{3,}(?:aron|ieron|aba|aban|ía|ían)|\w{3,}ó)\b"
    ),
    "pt": re.compile(
        r"\b(é|são|foi|foram|era|eram|está|estão|tem|tinha|têm|pode|podem|podia|há|deve|havia"
        r"|\w{3,}(?:aram|eram|iram|ava|avam)|\w{3,}ou)\b"
    ),
}
_NEGATOR = {
    "en": re.compile(r"\b(?:not|never|no) |n't\b"),
    "es": re.compile(r"\b(?:no|nunca) "),
    "pt": re.compile(r"\b(?:não|nunca) "),
}
_NO = {"en": ("{} not", "{} never"), "es": ("no {}", "nunca {}"), "pt": ("não {}", "nunca {}")}
_OPPOSITES = {
    "en": "first last,largest smallest,increased decreased,before after,north south,high low,won lost,most least,more "
    "less,early late,eastern western,public private,major minor,began ended,larger smaller,old new,only also,several "
    "two,popular obscure,successful failed,expanded contracted,built demolished,improved worsened,modern ancient,"
    "important trivial,rural urban,local foreign,victory defeat,wealthy poor,direct indirect,similar different,known "
    "unknown,below above,joined left,friendly hostile,permanent temporary,natural artificial,famous forgotten",
    "es": "primero último,primera última,aumentó disminuyó,antes después,norte sur,alto bajo,ganó perdió,más menos,"
    "mayor menor,pública privada,público privado,comenzó terminó,oriental occidental,antiguo moderno,grande pequeño,"
    "grandes pequeñas,importante trivial,éxito fracaso,victoria derrota,rural urbano,famoso olvidado,natural "
    "artificial,construyó demolió,conocido desconocido,similar diferente,mejoró empeoró,interior exterior,rápido lento,"
    "permanente temporal,aliados enemigos,directa indirecta,mayoría minoría,superior inferior",
    "pt": "primeiro último,primeira última,aumentou diminuiu,antes depois,norte sul,alto baixo,ganhou perdeu,"
    "mais menos,maior menor,pública privada,público privado,começou terminou,oriental ocidental,antigo moderno,"
    "grande pequeno,"
    "grandes pequenas,importante trivial,sucesso fracasso,vitória derrota,rural urbano,famoso esquecido,natural "
    "artificial,construiu demoliu,conhecido desconhecido,semelhante diferente,melhorou piorou,interior exterior,rápido "
    "lento,permanente temporário,aliados inimigos,direta indireta,maioria minoria,superior inferior",
}
_UNITS = {
    "en": "million billion,billion million,years months,days years,months weeks,percent thousand,% million,miles feet,"
    "km miles,metres kilometres,feet miles,hours days,people families,students teachers,acres miles,minutes hours",
    "es": "millones miles,mil millones,años meses,días años,meses semanas,% millones,kilómetros metros,km millas,"
    "metros kilómetros,horas días,personas familias,estudiantes profesores,minutos horas,siglos años",
    "pt": "milhões bilhões,bilhões milhões,mil milhões,anos meses,dias anos,meses semanas,% milhões,quilômetros metros,"
    "km milhas,metros quilômetros,horas dias,pessoas famílias,alunos professores,minutos horas,séculos anos",
}
_AND = {"en": ", and {}", "es": ", y {}", "pt": ", e {}"}


@dataclass(frozen=True)
class Around:
    """What a spoiler may take from.

    Attributes:
        source: The text that must not bear the spoiled sentence out.
        other: A sentence of another passage of the article.
        far: A sentence of another article.
        names: Names of other articles.
    """

    language: str
    source: str
    other: str
    far: str
    names: list[str]


Spoiler = Callable[[str, Around, random.Random], str | None]


def _replace(text: str, match: re.Match[str], new: str) -> str:
    return text[: match.start()] + new + text[match.end() :]


def number_new(text: str, around: Around, draw: random.Random) -> str | None:
    found = list(NUMBER.finditer(text))
    if not found:
        return None
    match = draw.choice(found)
    written = match.group()
    for _ in range(10):
        if re.fullmatch(r"1\d{3}|20\d\d", written):
            new = str(int(written) + draw.choice((-1, 1)) * draw.randint(1, 60))
        else:
            new = "".join(
                each if not each.isdigit() or draw.random() < 0.4 else str(draw.randint(1, 9)) for each in written
            )
        if new != written and new not in around.source:
            return _replace(text, match, new)
    return None


def number_swap(text: str, around: Around, draw: random.Random) -> str | None:
    return _swapped(NUMBER, text, around, draw)


def name_swap(text: str, around: Around, draw: random.Random) -> str | None:
    return _swapped(NAME, text, around, draw)


def _swapped(pattern: re.Pattern[str], text: str, around: Around, draw: random.Random) -> str | None:
    found = list(pattern.finditer(text))
    here = {match.group() for match in found}
    others = [each for each in sorted(set(pattern.findall(around.source))) if not _akin(each, here)]
    if not found or not others:
        return None
    match = draw.choice(found)
    alike = [each for each in others if each.count(" ") == match.group().count(" ") or len(others) < 3]
    return _replace(text, match, draw.choice(alike or others))


def _akin(one: str, others: set[str]) -> bool:
    return any(one in each or each in one for each in others)


def name_new(text: str, around: Around, draw: random.Random) -> str | None:
    found = list(NAME.finditer(text))
    names = [each for each in draw.sample(around.names, min(20, len(around.names))) if each not in around.source]
    return _replace(text, draw.choice(found), names[0]) if found and names else None


def exchanged(text: str, around: Around, draw: random.Random) -> str | None:
    """Two names or two numbers of the sentence, each in the other's place."""
    for pattern in draw.sample((NAME, NUMBER), 2):
        found = list(pattern.finditer(text))
        if len(found) < 2:
            continue
        left, right = sorted(draw.sample(found, 2), key=lambda match: match.start())
        between = text[left.end() : right.start()]
        # In an enumeration the order says nothing.
        if _akin(left.group(), {right.group()}) or len(between.split()) < 2 or between.strip() in {"and", "y", "e"}:
            continue
        return text[: left.start()] + right.group() + between + left.group() + text[right.end() :]
    return None


def negation(text: str, around: Around, draw: random.Random) -> str | None:
    there = list(_NEGATOR[around.language].finditer(text))
    if there:
        return _replace(text, there[0], "")
    found = list(_AUX[around.language].finditer(text))
    if not found:
        return None
    match = found[0] if draw.random() < 0.7 else draw.choice(found)
    return _replace(text, match, draw.choice(_NO[around.language]).format(match.group()))


def without_negator(text: str, language: str) -> str:
    """A sentence without its negator; empty if it has none, or more than one."""
    found = list(_NEGATOR[language].finditer(text))
    return _replace(text, found[0], "") if len(found) == 1 else ""


def _listed(table: str, both: bool) -> dict[str, str]:
    pairs = [pair.split() for pair in table.split(",")]
    return {left: right for left, right in pairs} | ({right: left for left, right in pairs} if both else {})


def opposite(text: str, around: Around, draw: random.Random) -> str | None:
    """A word made its opposite; both are in the product's list."""
    table = opposites(around.language)
    found = [match for match in re.finditer(r"\w+", text) if without_accents(match.group()) in table]
    if not found:
        return None
    match = draw.choice(found)
    return _replace(text, match, draw.choice(sorted(table[without_accents(match.group())])))


def antonym(text: str, around: Around, draw: random.Random) -> str | None:
    """The same with words that the product does not know as opposites."""
    known = opposites(around.language)
    table = _listed(_OPPOSITES[around.language], both=True)
    table = {word: other for word, other in table.items() if without_accents(word) not in known}
    found = [match for match in re.finditer(r"\w+", text) if match.group() in table]
    if not found:
        return None
    match = draw.choice(found)
    return _replace(text, match, table[match.group()])


def unit(text: str, around: Around, draw: random.Random) -> str | None:
    table = _listed(_UNITS[around.language], both=False)
    found = [match for match in re.finditer(r"(?<=\d) ?(\w+|%)", text) if match[1] in table]
    if not found:
        return None
    match = draw.choice(found)
    return _replace(text, match, " " + table[match[1]])


def added(text: str, around: Around, draw: random.Random) -> str | None:
    return _joined(text, around.other, around, draw)


def added_far(text: str, around: Around, draw: random.Random) -> str | None:
    return _joined(text, around.far, around, draw)


def _joined(text: str, other: str, around: Around, draw: random.Random) -> str | None:
    if len(other) < 25:
        return None
    words = other.rstrip(".").split()
    clause = " ".join(words[: draw.randint(6, 16)])
    if draw.random() < 0.5:
        return text.rstrip(".") + _AND[around.language].format(clause[:1].lower() + clause[1:]) + "."
    return f"{text} {clause}."


TRAINED: dict[str, Spoiler] = {
    "number_new": number_new,
    "number_swap": number_swap,
    "name_new": name_new,
    "name_swap": name_swap,
    "negation": negation,
    "opposite": opposite,
    "added": added,
}
HELD_OUT: dict[str, Spoiler] = {
    "exchanged": exchanged,
    "antonym": antonym,
    "unit": unit,
    "added_far": added_far,
}
