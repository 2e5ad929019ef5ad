"""Own cases for personal data in English, Spanish and Portuguese: values made with their checksums, and look-alikes.

Written before the recognisers were tuned. Every value comes from `_Values`, whose checksums are written out here on
their own, not taken from the recognisers; `python -m benchmarks.pii_cases` compares them with python-stdnum.
"""

from __future__ import annotations

import json
import random
import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SEED = 20260801
LETTERS = string.ascii_uppercase


@dataclass(frozen=True)
class Case:
    """A text with what is to be found in it.

    Attributes:
        language: en, es or pt.
        text: The text.
        gold: Start, end and type of each piece of personal data; empty for a look-alike.
    """

    language: str
    text: str
    gold: tuple[tuple[int, int, str], ...] = ()


class _Values:
    """Random values of each type, valid where there is a checksum."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def digits(self, count: int, first: str = "0123456789") -> str:
        return self.random.choice(first) + "".join(self.random.choices("0123456789", k=count - 1))

    def letters(self, count: int, among: str = LETTERS) -> str:
        return "".join(self.random.choices(among, k=count))

    def make(self, kind: str) -> str:
        return getattr(self, kind)()

    # Cards and banks

    def CREDIT_DEBIT_CARD_NUMBER(self) -> str:
        prefix, length = self.random.choice(
            (("4", 16), ("5" + self.random.choice("12345"), 16), ("34", 15), ("6011", 16))
        )
        number = self.digits(length - 1 - len(prefix), "123456789")
        number = prefix + number
        number += luhn_digit(number)
        if length == 16 and self.random.random() < 0.6:
            sign = self.random.choice(" -")
            number = sign.join(number[at : at + 4] for at in range(0, 16, 4))
        return number

    def CREDIT_DEBIT_CARD_CVV(self) -> str:
        return self.digits(3)

    def CREDIT_DEBIT_CARD_EXPIRY(self) -> str:
        return f"{self.random.randint(1, 12):02}/{self.random.choice(('27', '28', '2029', '30'))}"

    def INTERNATIONAL_BANK_ACCOUNT_NUMBER(self) -> str:
        country, bank = self.random.choice(
            (
                ("ES", self.digits(20)),
                ("PT", self.digits(21)),
                ("GB", self.letters(4) + self.digits(14)),
                ("DE", self.digits(18)),
            )
        )
        number = "".join(str(int(each, 36)) for each in f"{bank}{country}00")
        iban = f"{country}{98 - int(number) % 97:02}{bank}"
        if self.random.random() < 0.5:
            iban = " ".join(iban[at : at + 4] for at in range(0, len(iban), 4))
        return iban

    def SWIFT_CODE(self) -> str:
        return (
            self.letters(4)
            + self.random.choice(("ES", "PT", "BR", "US", "GB", "MX"))
            + self.letters(1)
            + self.random.choice(("M", "2", "L"))
            + self.random.choice(("", "XXX"))
        )

    def US_BANK_ACCOUNT_NUMBER(self) -> str:
        return self.digits(self.random.choice((10, 11, 12)), "123456789")

    def US_BANK_ROUTING_NUMBER(self) -> str:
        number = self.random.choice(("02", "12", "06", "31", "07")) + self.digits(6)
        total = sum(int(each) * weight for each, weight in zip(number, (3, 7, 1, 3, 7, 1, 3, 7), strict=True))
        return number + str(-total % 10)

    # North America and the United Kingdom

    def US_SOCIAL_SECURITY_NUMBER(self) -> str:
        return f"{self.random.randint(100, 665)}-{self.random.randint(10, 99)}-{self.random.randint(1000, 9999)}"

    def US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER(self) -> str:
        return f"9{self.digits(2)}-{self.random.choice((50, 60, 71, 83, 94))}-{self.digits(4)}"

    def US_PASSPORT_NUMBER(self) -> str:
        return self.random.choice((self.digits(9, "123456"), self.letters(1) + self.digits(8)))

    def CA_SOCIAL_INSURANCE_NUMBER(self) -> str:
        number = self.digits(8, "1245679")
        number += luhn_digit(number)
        return self.random.choice(
            (f"{number[:3]}-{number[3:6]}-{number[6:]}", f"{number[:3]} {number[3:6]} {number[6:]}")
        )

    def CA_HEALTH_NUMBER(self) -> str:
        number = self.digits(9, "123456789")
        number += luhn_digit(number)
        return f"{number[:4]}-{number[4:7]}-{number[7:]}-{self.letters(2)}"

    def UK_NATIONAL_HEALTH_SERVICE_NUMBER(self) -> str:
        while True:
            number = self.digits(9, "46")
            check = -sum(int(each) * weight for each, weight in zip(number, range(10, 1, -1), strict=True)) % 11
            if check < 10:
                return f"{number[:3]} {number[3:6]} {number[6:]}{check}"

    def UK_NATIONAL_INSURANCE_NUMBER(self) -> str:
        head = self.random.choice(("AB", "CE", "JG", "PX", "SY", "WK"))
        number = head + self.digits(6) + self.random.choice("ABCD")
        return self.random.choice((number, " ".join((number[:2], number[2:4], number[4:6], number[6:8], number[8:]))))

    def UK_UNIQUE_TAXPAYER_REFERENCE_NUMBER(self) -> str:
        number = self.digits(9)
        rest = sum(int(each) * weight for each, weight in zip(number, (6, 7, 8, 9, 10, 5, 4, 3, 2), strict=True)) % 11
        return "21987654321"[rest] + number

    # Machines, vehicles, accounts

    def AWS_ACCESS_KEY(self) -> str:
        return self.random.choice(("AKIA", "ASIA")) + self.letters(16, LETTERS + "234567")

    def AWS_SECRET_KEY(self) -> str:
        return "".join(self.random.choices(string.ascii_letters + string.digits + "/+", k=40))

    def IP_ADDRESS(self) -> str:
        if self.random.random() < 0.3:
            return "2001:db8:" + ":".join(f"{self.random.randrange(1, 65536):x}" for _ in range(6))
        return ".".join(str(self.random.randint(1, 254)) for _ in range(4))

    def MAC_ADDRESS(self) -> str:
        return self.random.choice(":-").join(f"{self.random.randrange(256):02X}" for _ in range(6))

    def URL(self) -> str:
        return self.random.choice(
            ("https://intranet.{}.example.com/u/{}?tab=2", "http://{}.example.org/{}", "www.{}-{}.com.br")
        ).format(self.letters(6, "abcdehimnorst"), self.letters(5, "aeioumnrst"))

    def EMAIL(self) -> str:
        name = self.letters(5, "aeioumnrstl") + self.random.choice((".", "_", "+", "")) + self.letters(6, "aeioumnrstl")
        ending = self.random.choice(("com", "es", "pt", "com.br", "co.uk", "org.mx"))
        return f"{name}@{self.letters(7, 'bcdefgmnoprsaeiou')}.{ending}"

    def VEHICLE_IDENTIFICATION_NUMBER(self) -> str:
        letters = "0123456789.ABCDEFGH..JKLMN.P.R..STUVWXYZ"
        number = list(self.letters(17, "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"))
        weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
        total = sum(letters.index(each) % 10 * weight for each, weight in zip(number, weights, strict=True))
        number[8] = "0123456789X"[total % 11]
        return "".join(number)

    def PASSWORD(self) -> str:
        return (
            self.letters(4, string.ascii_letters)
            + self.random.choice("!#$%&")
            + self.digits(4)
            + self.letters(2, string.ascii_letters)
        )

    def USERNAME(self) -> str:
        return self.letters(6, "aeioumnrst") + self.random.choice(("_", ".", "")) + self.digits(2)

    def PIN(self) -> str:
        return self.digits(self.random.choice((4, 4, 6)))

    def AGE(self) -> str:
        return str(self.random.randint(18, 94))

    # Spain

    def ES_DNI(self) -> str:
        number = self.digits(8)
        return number + self.random.choice(("", "-")) + "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23]

    def ES_NIE(self) -> str:
        head, number = self.random.randrange(3), self.digits(7)
        return (
            "XYZ"[head]
            + number
            + self.random.choice(("", "-"))
            + "TRWAGMYFPDXBNJZSQVHLCKE"[int(f"{head}{number}") % 23]
        )

    def ES_CIF(self) -> str:
        number = self.digits(7)
        odd = sum(sum(divmod(2 * int(each), 10)) for each in number[::2])
        return self.random.choice("AB") + number + str(-(odd + sum(map(int, number[1::2]))) % 10)

    def ES_SOCIAL_SECURITY(self) -> str:
        province, number = self.random.choice(("08", "28", "41", "46")), self.digits(8, "123456789")
        return f"{province} {number} {int(province + number) % 97:02}"

    # Portugal and Brazil

    def PT_NIF(self) -> str:
        number = self.random.choice("12") + self.digits(7)
        rest = sum(int(each) * weight for each, weight in zip(number, range(9, 1, -1), strict=True)) % 11
        number += "0" if rest < 2 else str(11 - rest)
        return self.random.choice((number, f"{number[:3]} {number[3:6]} {number[6:]}"))

    def PT_NISS(self) -> str:
        number = self.random.choice("12") + self.digits(9)
        weights = (29, 23, 19, 17, 13, 11, 7, 5, 3, 2)
        return number + str(9 - sum(int(each) * weight for each, weight in zip(number, weights, strict=True)) % 10)

    def PT_CITIZEN_CARD(self) -> str:
        number = self.digits(9) + self.letters(2)
        total = 0
        for place, each in enumerate(number):
            value = int(each, 36)
            if (len(number) - place) % 2 == 1:
                value *= 2
                value -= 9 if value > 9 else 0
            total += value
        check = str(-total % 10)
        return f"{number[:8]} {number[8]} {number[9:]}{check}"

    def BR_CPF(self) -> str:
        number = self.digits(9)
        for length in (10, 11):
            rest = sum(int(each) * weight for each, weight in zip(number, range(length, 1, -1), strict=True)) % 11
            number += "0" if rest < 2 else str(11 - rest)
        return self.random.choice((number, f"{number[:3]}.{number[3:6]}.{number[6:9]}-{number[9:]}"))

    def BR_CNPJ(self) -> str:
        number = self.digits(8) + "0001"
        for weights in ((5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2), (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)):
            rest = sum(int(each) * weight for each, weight in zip(number, weights, strict=True)) % 11
            number += "0" if rest < 2 else str(11 - rest)
        return f"{number[:2]}.{number[2:5]}.{number[5:8]}/{number[8:12]}-{number[12:]}"

    def BR_PIS(self) -> str:
        number = self.random.choice("12") + self.digits(9)
        rest = sum(int(each) * weight for each, weight in zip(number, (3, 2, 9, 8, 7, 6, 5, 4, 3, 2), strict=True)) % 11
        number += "0" if rest < 2 else str(11 - rest)
        return f"{number[:3]}.{number[3:8]}.{number[8:10]}-{number[10]}"

    # Latin America

    def AR_CUIT(self) -> str:
        while True:
            number = self.random.choice(("20", "23", "27", "30")) + self.digits(8, "1234")
            check = (
                -sum(int(each) * weight for each, weight in zip(number, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2), strict=True))
                % 11
            )
            if check < 10:
                return self.random.choice((f"{number[:2]}-{number[2:]}-{check}", f"{number}{check}"))

    def CL_RUT(self) -> str:
        number = str(self.random.randint(5_000_000, 24_999_999))
        total = sum(int(each) * (2 + place % 6) for place, each in enumerate(reversed(number)))
        check = "0123456789K0"[11 - total % 11] if total % 11 else "0"
        return f"{int(number):,}".replace(",", self.random.choice((".", ""))) + f"-{check}"

    def MX_CURP(self) -> str:
        body = self.letters(1, "GHLMPRS") + self.letters(1, "AEIOU") + self.letters(2, "GHLMPRS")
        body += f"{self.random.randint(50, 99)}{self.random.randint(1, 12):02}{self.random.randint(1, 28):02}"
        body += (
            self.random.choice("HM")
            + self.random.choice(("DF", "JC", "NL", "OC", "PL"))
            + self.letters(3, "BCDFGLMNRST")
            + "0"
        )
        alphabet = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
        total = sum(alphabet.index(each) * (18 - place) for place, each in enumerate(body))
        return body + str(-total % 10)

    def MX_RFC(self) -> str:
        body = (
            self.letters(4, "GHLMPRS")
            + f"{self.random.randint(50, 99)}{self.random.randint(1, 12):02}{self.random.randint(1, 28):02}"
        )
        body += self.letters(2, "ABCDEFGH123456789")
        alphabet = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ Ñ"
        total = sum(alphabet.index(each) * (13 - place) for place, each in enumerate(body))
        return body + "0123456789A0"[11 - total % 11 if total % 11 else 0]

    def MX_CLABE(self) -> str:
        number = self.random.choice(("002", "012", "072")) + self.digits(14)
        total = sum(int(each) * weight % 10 for each, weight in zip(number, (3, 7, 1) * 6, strict=False))
        return number + str(-total % 10)

    def CO_CEDULA(self) -> str:
        number = self.random.choice((self.digits(8, "1234579"), "1" + self.digits(9, "0")))
        return self.random.choice((number, f"{int(number):,}".replace(",", ".")))

    def CO_NIT(self) -> str:
        number = self.random.choice("89") + self.digits(8)
        rest = (
            sum(
                int(each) * weight
                for each, weight in zip(reversed(number), (3, 7, 13, 17, 19, 23, 29, 37, 41), strict=True)
            )
            % 11
        )
        return f"{number[:3]}.{number[3:6]}.{number[6:]}-{rest if rest < 2 else 11 - rest}"

    def PE_RUC(self) -> str:
        number = self.random.choice(("10", "20")) + self.digits(8)
        rest = (
            -sum(int(each) * weight for each, weight in zip(number, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2), strict=True)) % 11
        )
        return number + str((11 if rest == 0 else rest) % 10)

    def EC_CEDULA(self) -> str:
        number = f"{self.random.randint(1, 24):02}{self.random.randint(0, 5)}" + self.digits(6)
        return number + luhn_digit(number)

    def UY_CEDULA(self) -> str:
        number = self.digits(7, "1234")
        check = -sum(int(each) * weight for each, weight in zip(number, (2, 9, 8, 7, 6, 3, 4), strict=True)) % 10
        return f"{number[0]}.{number[1:4]}.{number[4:]}-{check}"


def luhn_digit(number: str) -> str:
    total = 0
    for place, each in enumerate(reversed(number)):
        doubled = int(each) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)


DATA = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
"""By language: texts with slots (what stands in braces is made; the words around it are how people write), look-alikes,
and values that cannot be made by rule."""
_LISTED = {
    **{"NAME": "names", "ADDRESS": "addresses", "PHONE": "phones"},
    **{"LICENSE_PLATE": "plates", "DRIVER_ID": "licences"},
}
STDNUM = """\
luhn CREDIT_DEBIT_CARD_NUMBER
iban INTERNATIONAL_BANK_ACCOUNT_NUMBER
us.rtn US_BANK_ROUTING_NUMBER
us.ssn US_SOCIAL_SECURITY_NUMBER
us.itin US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER
ca.sin CA_SOCIAL_INSURANCE_NUMBER
gb.nhs UK_NATIONAL_HEALTH_SERVICE_NUMBER
gb.utr UK_UNIQUE_TAXPAYER_REFERENCE_NUMBER
es.dni ES_DNI
es.nie ES_NIE
es.cif ES_CIF
pt.nif PT_NIF
pt.cc PT_CITIZEN_CARD
br.cpf BR_CPF
br.cnpj BR_CNPJ
ar.cuit AR_CUIT
cl.rut CL_RUT
mx.curp MX_CURP
mx.rfc MX_RFC
co.nit CO_NIT
pe.ruc PE_RUC
ec.ci EC_CEDULA"""
_SLOT = re.compile(r"\{([A-Z_]+)\}")


def cases(seed: int = SEED, rounds: int = 3) -> list[Case]:
    """Every template `rounds` times with new values, and every look-alike once."""
    values = _Values(seed)
    made = [
        filled(language, template, values)
        for language, templates in DATA["positive"].items()
        for _ in range(rounds)
        for template in templates
    ]
    return made + [Case(language, text) for language, texts in DATA["benign"].items() for text in texts]


def filled(language: str, template: str, values: _Values) -> Case:
    """A template with a value in each slot."""
    text, gold, at = "", [], 0
    for slot in _SLOT.finditer(template):
        kind = slot.group(1)
        value = values.random.choice(DATA[_LISTED[kind]][language]) if kind in _LISTED else values.make(kind)
        text += template[at : slot.start()]
        gold.append((len(text), len(text) + len(value), kind))
        text, at = text + value, slot.end()
    return Case(language, text + template[at:], tuple(gold))


def main() -> None:
    """Compare the checksums here with python-stdnum, for an environment that has it."""
    from importlib import import_module

    for name, kind in (line.split() for line in STDNUM.splitlines()):
        valid: Callable[[str], bool] = import_module(f"stdnum.{name}").is_valid
        values = _Values(SEED)
        made = [values.make(kind).replace(" ", "").replace("-", "") for _ in range(1000)]
        print(f"{kind:45} {sum(map(valid, made))} of 1000 valid")


if __name__ == "__main__":
    main()
