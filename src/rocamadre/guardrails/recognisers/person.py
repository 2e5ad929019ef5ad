"""How old someone is, where the sentence says so of a person."""

from __future__ import annotations

from rocamadre.guardrails.recognisers.pattern import Pattern

_PERSON = (
    r"(?:paciente|mujer|var[oó]n|hombre|ni(?:ñ|n)[oa]|se(?:ñ|n)ora?|joven|ancian[oa]|chic[oa]"
    r"|enferm[oa]|persona|hij[oa]"
    r"|herman[oa]|madre|padre|espos[oa]|abuel[oa]|adolescente|beb[eé]|lactante|muchach[oa]|alumn[oa]"
    r"|estudiante|gestante"
    r"|homem|mulher|menin[oa]|senhora?|garot[oa]|rapaz|rapariga|idos[oa]|filh[oa]|irm[aã]o?|m[aã]e"
    r"|pai|mo[cç][oa]|crian[cç]a"
    r"|doente|utente|alun[oa]|estudante|trabajador|trabajadora|trabalhador|trabalhadora|v[ií]tima)"
)
_HAS = (
    r"(?:teng[oa]|tiene[ns]?|ten[ií]a[ns]?|tenemos|cumpl\w+|cumplid[oa]s|tenho|tem|t[eê]m|tinha|temos|completou|fez"
    r"|edad(?: actual)?(?: de)?|idade(?: de)?|con|com|aos|a los)"
)
_NUMBER = r"(?:1[01]\d|\d{1,2})"
_SPELT = (
    r"(?:(?:un|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|trece|catorce|quince"
    r"|dieci\w+|veinti\w+|veinte"
    r"|treinta|cuarenta|cincuenta|sesenta|setenta|ochenta|noventa)(?: y \w+)?)"
)
_UNIT = r"(?:a(?:ñ|n)os?|mes(?:es)?|d[ií]as|semanas)"
_AGED = (
    rf"(?:(?:{_NUMBER}|{_SPELT}) {{0,2}}{_UNIT}(?: (?:y|e) (?:medio|meio|(?:{_NUMBER}|{_SPELT}) {_UNIT})(?:$|[^\pL]))?)"
)
_LABELLED = rf"(?:{_NUMBER}(?: {{0,2}}{_UNIT}(?: (?:y|e) {_NUMBER} {_UNIT})?)?)"
_THING = (
    r"[ -](?:years?|yrs?|months?)[ -]?old (?:bridge|whisk(?:y|ey)|wine|scotch|rum|cheese|building"
    r"|house|home|car|truck|tree"
    r"|oak|castle|church|company|firm|business|tradition|system|software|law|bottle|record|school|institution|city|town"
    r"|engine|ship|boat|plane|computer|laptop|phone|code|codebase|app|story|mystery|problem|conflict|war|painting"
    r"|document|manuscript|tomb|temple|rock|fossil)"
)


def _cut(value: str) -> int:
    """Without the character that ended the last word."""
    return len(value.rstrip(" ,.;:)\n"))


PATTERNS = (
    Pattern("AGE", rf"(?i)({_NUMBER})[ -](?:years?|yrs?|months?)[ -]?old", far=r"[$£]$", behind=_THING, bounded=False),
    Pattern(
        "AGE", rf"(?i)\b(?:aged?(?: of)?|aging|turned|turning|turns|at the age of)\s{{1,2}}({_NUMBER})(?: years?)?\b"
    ),
    Pattern("AGE", rf"(?i)\b(?:age|aged|edad|idade) ?[:=]? ?\s{{0,2}}({_LABELLED})\b"),
    Pattern("AGE", rf"(?i)({_NUMBER}) ?(?:y/?o|yr/?o|yrs\.? old)\b"),
    Pattern(
        "AGE",
        rf"(?i)\b(?:I'?m|I am|he is|she is|he's|she's) (?:now |only |just |already )?({_NUMBER})(?: years)?\b",
        behind=r" ?(?:%|percent|minutes?|hours?|days?|miles?|km|kilomet\w+|weeks?|feet|points?|pages?|dollars?)",
    ),
    Pattern("AGE", rf"(?i)\b{_PERSON}[\pL ,()]{{0,40}}? ?,? ?(?:(?:de|con|com) )?({_AGED})", cut=_cut, longest=120),
    Pattern(
        "AGE", rf"(?i)\b{_HAS} (?:los |unos |uns |ya |já |apenas |solo |só )?((?:{_NUMBER}|{_SPELT}) a(?:ñ|n)os)\b"
    ),
    Pattern("AGE", rf"(?i)({_AGED}) de (?:edad|idade|vida)\b", cut=_cut),
    Pattern("AGE", rf"[A-ZÀ-Ý][\pL.'-]{{1,30}},? (?:de|con|com) ({_NUMBER} a(?:ñ|n)os)\b", longest=80),
)
