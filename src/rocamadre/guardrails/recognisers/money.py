"""Cards, accounts and banks."""

from __future__ import annotations

from rocamadre.guardrails.recognisers.checksums import aba, card, cbu, clabe, iban_length, varied
from rocamadre.guardrails.recognisers.pattern import Certainty, Pattern

_COUNTRIES = frozenset(
    (
        "AD AE AF AG AI AL AM AO AR AT AU AW AZ BA BB BD BE BF BG BH BI BJ BM BN BO BR BS BT BW BY BZ CA CD CG CH "
        "CI CL CM CN CO CR CU CV CY CZ DE DJ DK DM DO DZ EC EE EG ES ET FI FJ FR GA GB GD GE GH GI GM GN GQ GR GT "
        "GY HK HN HR HT HU ID IE IL IN IQ IR IS IT JM JO JP KE KG KH KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY "
        "MA MC MD ME MG MK ML MM MN MO MR MT MU MV MW MX MY MZ NA NE NG NI NL NO NP NZ OM PA PE PG PH PK PL PR PS "
        "PT PY QA RO RS RU RW SA SC SD SE SG SI SK SL SM SN SR ST SV SY SZ TD TG TH TJ TL TM TN TO TR TT TW TZ UA "
        "UG US UY UZ VA VC VE VG VN XK YE ZA ZM ZW "
    ).split()
)
_EXPIRES = (
    r"(?:\bexp\b|expir\w*|valid (?:thru|until|to)|good thru|caduc\w+|venc\w+|vence|v[aá]lid[ao]\w*"
    r"|validez|validade|expira\w*)"
)
_ACCOUNT = r"\b(?:account|acct|a/c|checking|savings|direct deposit|cuenta|conta)\b"


def _swift(value: str) -> bool:
    return value[4:6] in _COUNTRIES


PATTERNS = (
    Pattern("CREDIT_DEBIT_CARD_NUMBER", r"\d(?:[ -]?\d){11,18}", Certainty.CHECKED, check=card),
    Pattern(
        "CREDIT_DEBIT_CARD_CVV",
        r"\d{3,4}",
        near=(
            r"(?:\b(?:cvv2?|cvc2?|cid|csc|cvn)\b|(?:security|verification) (?:code|value|number)"
            r"|c[oó]digo (?:de )?(?:seguridad|seguran[cç]a|verifica\w+))[^\d\n]{0,20}$"
        ),
        before=50,
    ),
    Pattern(
        "CREDIT_DEBIT_CARD_EXPIRY",
        r"(?:0?[1-9]|1[0-2]) ?[/-] ?(?:20)?[2-4]\d",
        near=_EXPIRES,
        before=35,
    ),
    Pattern(
        "INTERNATIONAL_BANK_ACCOUNT_NUMBER",
        r"[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}|[a-z]{2}\d{2}(?:[ -]?[a-z0-9]){11,30}",
        Certainty.CHECKED,
        cut=iban_length,
    ),
    Pattern(
        "SWIFT_CODE",
        r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?",
        check=_swift,
        near=r"\b(?:swift|bic)\b",
        before=40,
        after=15,
    ),
    Pattern(
        "US_BANK_ACCOUNT_NUMBER",
        r"\d{6,17}|\d{3,6}(?:[ -]\d{3,6}){1,3}",
        near=_ACCOUNT + r"[^\d\n]{0,30}$",
        before=45,
        check=varied,
    ),
    Pattern(
        "US_BANK_ROUTING_NUMBER",
        r"\d{9}|\d{4}-\d{4}-\d",
        Certainty.CHECKED,
        check=aba,
        near=r"\b(?:routing|aba|rtn|transit|wire)\b",
        before=40,
        after=20,
    ),
    Pattern("MX_CLABE", r"\d{18}|\d{3} \d{3} \d{11} \d", Certainty.CHECKED, check=clabe, longest=24),
    Pattern("AR_CBU", r"\d{22}|\d{8} \d{14}", Certainty.CHECKED, check=cbu, longest=24),
)
