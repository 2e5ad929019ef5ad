"""Check digits of numbers that stand for people and accounts."""

from __future__ import annotations

import re

_DNI = "TRWAGMYFPDXBNJZSQVHLCKE"
_IBAN_LENGTHS = {
    "AD": 24, "AT": 20, "BE": 16, "BR": 29, "CH": 21, "CZ": 24, "DE": 22, "DK": 18, "ES": 24, "FI": 18, "FR": 27,
    "GB": 22, "GR": 27, "HU": 28, "IE": 22, "IT": 27, "LU": 20, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24,
    "SE": 24,
}  # fmt: skip


def luhn(text: str) -> bool:
    """Payment cards: 13 to 19 digits, the last by Luhn's rule.

    >>> luhn("4111 1111 1111 1111"), luhn("4111 1111 1111 1112")
    (True, False)
    """
    digits = _digits(text)
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def iban(text: str) -> bool:
    """Bank accounts: the country's length, and 1 modulo 97 (ISO 13616).

    >>> iban("ES91 2100 0418 4502 0005 1332"), iban("ES91 2100 0418 4502 0005 1333")
    (True, False)
    """
    plain = text.replace(" ", "").upper()
    expected = _IBAN_LENGTHS.get(plain[:2])
    if expected is not None and len(plain) != expected:
        return False
    number = "".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])
    return int(number) % 97 == 1


def cpf(text: str) -> bool:
    """Brazilian people.

    >>> cpf("529.982.247-25"), cpf("529.982.247-26")
    (True, False)
    """
    digits = _digits(text)
    return (
        len(digits) == 11 and len(set(digits)) > 1 and all(_weighted(digits, n, range(n + 1, 1, -1)) for n in (9, 10))
    )


def cnpj(text: str) -> bool:
    """Brazilian firms.

    >>> cnpj("11.222.333/0001-81"), cnpj("11.222.333/0001-82")
    (True, False)
    """
    digits = _digits(text)
    weights = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    return len(digits) == 14 and len(set(digits)) > 1 and all(_weighted(digits, n, weights[-n:]) for n in (12, 13))


def dni(text: str) -> bool:
    """Spanish people.

    >>> dni("12345678Z"), dni("12345678A")
    (True, False)
    """
    plain = text.replace("-", "").upper()
    return plain[-1] == _DNI[int(plain[:-1]) % 23]


def nie(text: str) -> bool:
    """Foreigners in Spain.

    >>> nie("X1234567L"), nie("X1234567A")
    (True, False)
    """
    plain = text.replace("-", "").upper()
    return dni(str("XYZ".index(plain[0])) + plain[1:])


def ssn(text: str) -> bool:
    """Numbers of the United States' social security: no checksum, but groups that are never given.

    >>> ssn("123-45-6789"), ssn("000-45-6789")
    (True, False)
    """
    area, group, serial = text.split("-")
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def _digits(text: str) -> list[int]:
    return [int(letter) for letter in re.sub(r"\D", "", text)]


def _weighted(digits: list[int], count: int, weights: range | tuple[int, ...]) -> bool:
    """Whether the digit behind `count` is the one that the weighted sum of those before it asks for."""
    total = sum(digit * weight for digit, weight in zip(digits[:count], weights, strict=True))
    return digits[count] == (total * 10 % 11) % 10
