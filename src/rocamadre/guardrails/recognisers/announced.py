"""Names and addresses in the places where people write them: after "my name is", under a greeting, behind "Street"."""

from __future__ import annotations

from rocamadre.guardrails.recognisers.pattern import Certainty, Pattern

_GUESS = Certainty.GUESS
_CAPITAL = r"[A-ZÀ-ÖØ-Þ][\pL'-]{1,24}"
_LINK = r"(?: (?:de|del|da|do|das|dos|la|las|los|van|von|di|y|e)){1,2}"
_NAME = rf"({_CAPITAL}(?: [A-Z]\.)?(?:(?:{_LINK})? {_CAPITAL}){{0,4}})"
_FULL_NAME = rf"({_CAPITAL}(?:(?:{_LINK})? {_CAPITAL}){{1,4}})"
_SAID = (
    r"\b(?i:my name is|my name's|name's|i am called|they call me|me llamo|mi nombre es"
    r"|se llama|nombre completo:?|nombre:"
    r"|name:|full name:?|meu nome é|o meu nome é|me chamo|chamo-me|se chama|nome:|nome completo:?|firmado por|signed by"
    r"|assinado por) {1,2}"
)
_CLOSING = (
    r"(?i:regards|best|best regards|kind regards|sincerely|yours|cheers|thanks|atentamente"
    r"|saludos|un saludo|cordialmente"
    r"|gracias|atenciosamente|abraços|cumprimentos|obrigad[oa]|atentamente)[,.]? ?\r?\n{1,2}"
)
_TITLE = r"\b(?:Mr|Mrs|Ms|Mx|Dr|Dra|Drs|Prof|Sr|Sra|Srta|Do[ñn]a|Don|D|Dª|Sir)\.? "
_PATIENT = r"\b(?i:patient|paciente|el señor|la señora|o senhor|a senhora) "

_CITY = r"[A-ZÀ-Þ][\pL.'-]{1,20}(?: (?:(?:de|do|da|del|la|of|upon) )?[A-ZÀ-Þ][\pL.'-]{1,20}){0,3}"
_ENGLISH_CODE = r"(?:\d{5}(?:-\d{4})?|[A-Z]\d[A-Z] ?\d[A-Z]\d|[A-Z]{1,2}\d[\dA-Z]? ?\d[A-Z]{2})"
_ENGLISH_TAIL = (
    rf"(?:,? (?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Fl|#)\.? ?[A-Z\d-]{{1,6}})?(?:(?:,|\n|,\n) ?{_CITY})?"
    rf"(?:,? (?:[A-Z]{{2}},? )?{_ENGLISH_CODE})?"
)
_ENGLISH_KIND = (
    r"(?:Street|St|Road|Rd|Avenue|Ave|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl"
    r"|Square|Sq|Terrace|Crescent|Close"
    r"|Highway|Hwy|Parkway|Pkwy|Circle|Cir|Way|Alley|Row|Mews|Gardens|Grove|Walk|Trail)"
)
_ENGLISH_NAME = (
    r"(?:(?:[NSEW]|North|South|East|West)\.? )?(?:\d{1,3}(?:st|nd|rd|th)"
    r"|[A-Z][\pL'.-]{1,24})(?: [A-Z][\pL'-]{1,24}){0,3}"
)
_IBERIAN_KIND = (
    r"(?i:calle|c/|avenida|avda\.?|av\.?|paseo|p\.º|plaza|pza\.?|carretera|ctra\.?|camino"
    r"|ronda|travesía|carrer|carrera|cra\.?"
    r"|rua|r\.|travessa|alameda|largo|praça|praca|estrada|rodovia)"
)
_IBERIAN_WORD = r"(?:[A-ZÀ-Þ\d][\pL\d.'´-]{0,24}|de|del|da|do|das|dos|la|las|los|el|e|y)"
_IBERIAN_NAME = rf"{_IBERIAN_WORD}(?: {_IBERIAN_WORD}){{0,6}}"
_IBERIAN_NUMBER = (
    r"(?:,? (?:n[º°.]{1,2}|n\.º|núm\.?|num\.?|#|No\.?) ?|,? )(?:\d{1,5}(?:[ -]{1,3}\d{1,4})?[A-Z]?\b|s/n|S/N)"
)
_IBERIAN_TAIL = (
    r"(?:,? (?:(?:piso|apto\.?|apartamento|sala|bloco|bloque|conjunto|puerta|portal"
    r"|dpto\.?|int\.?|casa|escalera|planta|andar)"
    r" ?[\dA-Z]{1,5}|\d{1,2}[º°ª.]{1,2} ?(?:[A-Z]\b|izquierda|izq\.?|derecha|dcha\.?"
    r"|esq\.?|dto\.?|Esq\.?|Dto\.?|andar|piso)?))"
)
_IBERIAN_CITY = (
    rf"(?:(?:[,.] ?| - | )(?:CEP |C\.?P\.? ?)?(?:[A-Z]?\d{{4,5}}[A-Z]{{0,3}}(?:-\d{{3}})?\b,? ?)?(?:{_CITY})?"
    rf"(?: ?[-,/] ?[A-Z]{{2}}\b)?(?:,? (?:CEP )?\d{{5}}-\d{{3}})?)"
)


def _cut(value: str) -> int:
    """Without blanks and marks at the end."""
    return len(value.rstrip(" ,;:-\n")) if not value.endswith(".") else len(value.rstrip(" ,;:-.\n"))


PATTERNS = (
    Pattern("NAME", rf"{_SAID}(?:{_TITLE})?{_NAME}", _GUESS, longest=120),
    Pattern("NAME", _CLOSING + _NAME + r"(?: ?$| ?\r?\n)", _GUESS, longest=120),
    Pattern("NAME", _TITLE + _NAME, _GUESS, longest=120),
    Pattern("NAME", _PATIENT + _FULL_NAME, _GUESS, longest=120),
    Pattern(
        "ADDRESS",
        rf"(?i:p\.? ?o\.? ?box|apartado(?: de correos)?"
        rf"|caixa postal) \d{{1,6}}(?:, {_CITY})?(?:,? (?:[A-Z]{{2}} )?\d{{5}})?",
        _GUESS,
        longest=120,
    ),
    Pattern(
        "ADDRESS",
        rf"(?:(?:Flat|Apt|Unit|Suite) \d{{1,4}}[A-Z]?, )?\d{{1,5}}[A-Z]? {_ENGLISH_NAME} {_ENGLISH_KIND}\b\.?"
        rf"(?: (?:East|West|North|South|[NSEW]{{1,2}})\b)?{_ENGLISH_TAIL}",
        _GUESS,
        cut=_cut,
        longest=200,
    ),
    Pattern(
        "ADDRESS",
        rf"{_IBERIAN_KIND} {{0,2}}{_IBERIAN_NAME}{_IBERIAN_NUMBER}{_IBERIAN_TAIL}{{0,3}}{_IBERIAN_CITY}{{0,2}}",
        _GUESS,
        cut=_cut,
        longest=250,
    ),
)
