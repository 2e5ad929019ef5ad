"""Check digits of cards, accounts and national numbers. Each takes the value as written and ignores its separators.

Sources: ISO/IEC 7812-1 (Luhn), ISO 13616 (IBAN), ISO 7064; the rules that the issuing authorities publish.
"""

from __future__ import annotations

from collections.abc import Sequence

IBAN_LENGTHS = dict(
    each.split(":")
    for each in (
        "AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24 DE:22 DK:18 "
        "DO:28 EE:20 EG:29 ES:24 FI:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27 GT:28 HR:21 HU:28 IE:22 IL:23 "
        "IQ:23 IS:26 IT:27 JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20 LV:21 LY:25 MC:27 MD:24 ME:22 MK:19 "
        "MR:27 MT:31 MU:30 NL:18 NO:15 PK:24 PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 SA:24 SC:31 SD:18 SE:24 SI:19 "
        "SK:24 SM:27 ST:25 SV:28 TL:23 TN:24 TR:26 UA:29 VA:22 VG:24 XK:20 "
    ).split()
)
_DNI = "TRWAGMYFPDXBNJZSQVHLCKE"
_CURP = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
_RFC = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ Ñ"
_VIN = "0123456789.ABCDEFGH..JKLMN.P.R..STUVWXYZ"


def characters(value: str) -> str:
    """Letters and digits alone, in upper case."""
    return "".join(each for each in value if each.isalnum()).upper()


def digits(value: str) -> str:
    """Digits alone."""
    return "".join(each for each in value if "0" <= each <= "9")


def _weighted(number: Sequence[str], weights: Sequence[int]) -> int:
    return sum(int(each) * weight for each, weight in zip(number, weights, strict=False))


def varied(value: str) -> bool:
    """More than two different digits."""
    return len(set(digits(value))) > 2


def luhn(value: str) -> bool:
    """Luhn's sum, modulo 10."""
    total = 0
    for place, each in enumerate(reversed(digits(value))):
        doubled = int(each) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def card(value: str) -> bool:
    """A payment card: Luhn, and an issuer that has numbers of this length."""
    number = digits(value)
    length, four = len(number), int(number[:4])
    issued = (
        (number[0] == "4" and length in {13, 16, 19})
        or (5100 <= four <= 5599 and length == 16)
        or (2221 <= four <= 2720 and length == 16)
        or (number[:2] in {"34", "37"} and length == 15)
        or (number[:2] in {"30", "36", "38", "39"} and length in {14, 16, 19})
        or (four in {2131, 1800} and length == 15)
        or (3500 <= four <= 3599 and 16 <= length <= 19)
        or ((four == 6011 or number[:2] in {"62", "64", "65"}) and 16 <= length <= 19)
        or ((number[:2] in {"50", "60", "63", "67", "68"} or 5600 <= four <= 5899) and 12 <= length <= 19)
        or (2200 <= four <= 2205 and 16 <= length <= 19)
    )
    return issued and len(set(number)) > 1 and luhn(number)


def iban_length(value: str) -> int:
    """Characters of the IBAN that a text begins with, separators counted; 0 if there is none."""
    wanted = int(IBAN_LENGTHS.get(value[:2].upper(), 0))
    seen, taken = 0, ""
    for place, each in enumerate(value):
        if each.isalnum():
            seen, taken = seen + 1, taken + each
        if seen == wanted:
            moved = taken[4:] + taken[:4]
            return place + 1 if wanted and int("".join(str(int(one, 36)) for one in moved)) % 97 == 1 else 0
    return 0


def aba(value: str) -> bool:
    """A routing number of an American bank."""
    number = digits(value)
    region = int(number[:2])
    known = region <= 12 or 21 <= region <= 32 or 61 <= region <= 72 or region == 80
    return known and varied(number) and _weighted(number, (3, 7, 1) * 3) % 10 == 0


def ssn(value: str) -> bool:
    """An American social security number: no sum, but numbers that are never given."""
    number = digits(value)
    return number[:3] not in {"000", "666"} and number[0] != "9" and number[3:5] != "00" and number[5:] != "0000"


def nhs(value: str) -> bool:
    """A number of the British health service."""
    number = digits(value)
    return varied(number) and _weighted(number, range(10, 0, -1)) % 11 == 0


def utr(value: str) -> bool:
    """A British unique taxpayer reference."""
    number = digits(value)
    return number[0] == "21987654321"[_weighted(number[1:], (6, 7, 8, 9, 10, 5, 4, 3, 2)) % 11]


def vin(value: str) -> bool:
    """A vehicle's number with its check digit in the ninth place."""
    number = value.upper()
    if number.isdigit() or number.isalpha():
        return False
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    total = sum(_VIN.index(each) % 10 * weight for each, weight in zip(number, weights, strict=True))
    return number[8] == "0123456789X"[total % 11]


def dni(value: str) -> bool:
    """A Spanish DNI, its letter by the remainder of 23."""
    number = characters(value)
    return number[-1] == _DNI[int(number[:-1]) % 23]


def nie(value: str) -> bool:
    """A Spanish number for foreigners: X, Y, Z stand for 0, 1, 2."""
    number = characters(value)
    return number[-1] == _DNI[int(str("XYZ".index(number[0])) + number[1:-1]) % 23]


def cif(value: str) -> bool:
    """A Spanish company's number."""
    number = characters(value)
    odd = sum(sum(divmod(2 * int(each), 10)) for each in number[1:8:2])
    check = -(odd + sum(map(int, number[2:8:2]))) % 10
    return number[8] in {str(check), "JABCDEFGHI"[check]}


def nuss(value: str) -> bool:
    """A Spanish social security number: the last two are the rest of 97."""
    number = digits(value)
    body = number[:2] + number[2:10].lstrip("0") if number[2] == "0" else number[:10]
    return number[10:] == f"{int(body) % 97:02}" and 1 <= int(number[:2]) <= 66


def nif_pt(value: str) -> bool:
    """A Portuguese taxpayer's number."""
    number = digits(value)
    rest = _weighted(number, range(9, 1, -1)) % 11
    return number[0] in "1235689" and varied(number) and int(number[8]) == (0 if rest < 2 else 11 - rest)


def niss_pt(value: str) -> bool:
    """A Portuguese social security number."""
    number = digits(value)
    return number[0] in "12" and int(number[10]) == 9 - _weighted(number, (29, 23, 19, 17, 13, 11, 7, 5, 3, 2)) % 10


def citizen_card(value: str) -> bool:
    """A Portuguese citizen's card: Luhn over letters too."""
    total = 0
    for place, each in enumerate(reversed(characters(value))):
        doubled = int(each, 36) * (1 + place % 2)
        total += doubled - 9 if place % 2 and doubled > 9 else doubled
    return total % 10 == 0


def _brazilian(number: str, first: Sequence[int], second: Sequence[int]) -> bool:
    for weights, place in ((first, -2), (second, -1)):
        rest = _weighted(number, weights) % 11
        if int(number[place]) != (0 if rest < 2 else 11 - rest):
            return False
    return True


def cpf(value: str) -> bool:
    """A Brazilian person's number."""
    number = digits(value)
    return len(set(number)) > 1 and _brazilian(number, range(10, 1, -1), range(11, 1, -1))


def cnpj(value: str) -> bool:
    """A Brazilian company's number."""
    number = digits(value)
    weights = (5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    return len(set(number)) > 1 and _brazilian(number, weights, (6, *weights))


def pis(value: str) -> bool:
    """A Brazilian worker's number (PIS, PASEP, NIT)."""
    number = digits(value)
    rest = _weighted(number, (3, 2, 9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return len(set(number)) > 1 and int(number[10]) == (0 if rest < 2 else 11 - rest)


def voter_br(value: str) -> bool:
    """A Brazilian voter's number."""
    number = digits(value)
    state = int(number[8:10])
    first = _weighted(number[:8], range(2, 10)) % 11 % 10
    second = (_weighted(number[8:10], (7, 8)) + first * 9) % 11 % 10
    return 1 <= state <= 28 and number[10:] == f"{first}{second}"


def cuit(value: str) -> bool:
    """An Argentine taxpayer's number."""
    number = digits(value)
    return -_weighted(number[:10], (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11 == int(number[10])


def cbu(value: str) -> bool:
    """An Argentine bank account: two blocks, a check digit each."""
    number = digits(value)
    first = -sum(int(each) * (7, 1, 3, 9)[place % 4] for place, each in enumerate(number[:7])) % 10
    second = -sum(int(each) * (3, 9, 7, 1)[place % 4] for place, each in enumerate(number[8:21])) % 10
    return first == int(number[7]) and second == int(number[21])


def rut(value: str) -> bool:
    """A Chilean person's or company's number."""
    number = characters(value)
    total = sum(int(each) * (2 + place % 6) for place, each in enumerate(reversed(number[:-1])))
    return number[-1] == "0K987654321"[total % 11]


def curp(value: str) -> bool:
    """A Mexican population register key."""
    number = value.upper()
    total = sum(_CURP.index(each) * (18 - place) for place, each in enumerate(number[:17]))
    return number[17] == str(-total % 10)


def rfc(value: str) -> bool:
    """A Mexican taxpayer's key; twelve characters for companies, thirteen for persons."""
    number = "".join(each for each in value.upper() if each.isalnum() or each == "&").rjust(13)
    total = sum(_RFC.index(each) * (13 - place) for place, each in enumerate(number[:12]))
    return number[12] == "0123456789A0"[11 - total % 11 if total % 11 else 0]


def clabe(value: str) -> bool:
    """A Mexican bank account."""
    number = digits(value)
    total = sum(int(each) * weight % 10 for each, weight in zip(number[:17], (3, 7, 1) * 6, strict=False))
    return number[17] == str(-total % 10) and varied(number)


def nit_co(value: str) -> bool:
    """A Colombian taxpayer's number with its check digit."""
    number = digits(value)
    rest = (
        sum(
            int(each) * weight
            for each, weight in zip(reversed(number[:-1]), (3, 7, 13, 17, 19, 23, 29, 37, 41, 43), strict=False)
        )
        % 11
    )
    return int(number[-1]) == (rest if rest < 2 else 11 - rest)


def ruc_pe(value: str) -> bool:
    """A Peruvian taxpayer's number."""
    number = digits(value)
    rest = 11 - _weighted(number[:10], (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return int(number[10]) == rest % 10


def cedula_ec(value: str) -> bool:
    """An Ecuadorian identity number."""
    number = digits(value)
    return (1 <= int(number[:2]) <= 24 or number[:2] == "30") and number[2] < "6" and luhn(number)


def cedula_uy(value: str) -> bool:
    """An Uruguayan identity number."""
    number = digits(value).rjust(8, "0")
    return -_weighted(number[:7], (2, 9, 8, 7, 6, 3, 4)) % 10 == int(number[7])
