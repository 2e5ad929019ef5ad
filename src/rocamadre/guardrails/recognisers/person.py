"""How old someone is; names and addresses where the sentence announces them."""

from __future__ import annotations

from rocamadre.guardrails.recognisers.pattern import Pattern

_PERSON = (
    r"(?:paciente|mujer|var[oó]n|hombre|ni(?:ñ|n)[oa]|se(?:ñ|n)ora?|joven|ancian[oa]|chic[oa]|enferm[oa]|persona|hij[oa]|herman[oa]|madre|padre|espos[oa]"
    r"|abuel[oa]|adolescente|beb[eé]|lactante|muchach[oa]|alumn[oa]|estudiante|trabajador|trabajadora|gestante|homem|mulher|menin[oa]|senhora?|garot[oa]|rapaz"
    r"|rapariga|idos[oa]|filh[oa]|irm[aã]o?|m[aã]e|pai|mo[cç][oa]|crian[cç]a|doente|utente|alun[oa]|estudante|trabalhador|trabalhadora|v[ií]tima)"
)
_HAS = r"(?:teng[oa]|tiene[ns]?|ten[ií]a[ns]?|tenemos|cumpl\w+|cumplid[oa]s|tenho|tem|t[eê]m|tinha|temos|completou|fez|completo|edad(?: actual)?(?: de)?|idade(?: de)?|con|com|aos|a los)"
_UNIT = r"(?:a(?:ñ|n)os|mes(?:es)?|d[ií]as|semanas)"
_NUMBER = r"(?:1[01]\d|\d{1,2})"
_SPELT = r"(?:(?:un|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|trece|catorce|quince|dieci\w+|veinti\w+|veinte|treinta|cuarenta|cincuenta|sesenta|setenta|ochenta|noventa)(?: y \w+)?)"

PATTERNS = (
    Pattern("AGE", rf"(?i)({_NUMBER})[ -](?:years?|yrs?|months?)[ -]?old", far=r"(?:^|\s)[$£]$", bounded=False),
    Pattern(
        "AGE",
        rf"(?i)\b(?:aged?(?: of)?|age ?[:=]|aging|turned|turning|turns|at the age of)\s{{1,2}}({_NUMBER})(?: years?)?\b",
    ),
    Pattern("AGE", rf"(?i)\b(?:age|aged|edad|idade) ?[:=]? ?\s{{0,2}}({_NUMBER}(?: {_UNIT})?)\b"),
    Pattern("AGE", rf"(?i)({_NUMBER}) ?(?:y/?o|yr/?o|yrs\.? old)\b"),
    Pattern(
        "AGE",
        rf"(?i)\b(?:I'?m|I am|he is|she is|he's|she's) (?:now |only |just |already )?({_NUMBER})(?: years)?\b",
        far=r"%$",
    ),
    Pattern(
        "AGE", rf"(?i)\b{_PERSON}[\pL ,()]{{0,40}}? ?,? ?(?:de|con|com) ((?:{_NUMBER}|{_SPELT}) {_UNIT})\b", longest=100
    ),
    Pattern(
        "AGE", rf"(?i)\b{_HAS} (?:los |unos |uns |ya |já |apenas |solo |só )?((?:{_NUMBER}|{_SPELT}) a(?:ñ|n)os)\b"
    ),
    Pattern("AGE", rf"(?i)((?:{_NUMBER}|{_SPELT}) {_UNIT}) de (?:edad|idade|vida)\b"),
    Pattern("AGE", rf"[A-ZÀ-Ý][\pL.'-]{{1,30}},? (?:de|con|com) ({_NUMBER} a(?:ñ|n)os)\b", longest=80),
)
