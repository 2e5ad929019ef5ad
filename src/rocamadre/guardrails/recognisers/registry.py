"""Which patterns there are, and how a guardrail asks for those that no type of the API covers."""

from __future__ import annotations

from rocamadre.guardrails.recognisers import announced, contact, identity, money, person, secrets
from rocamadre.guardrails.recognisers.pattern import Pattern

PATTERNS: tuple[Pattern, ...] = (
    *contact.PATTERNS,
    *money.PATTERNS,
    *secrets.PATTERNS,
    *identity.PATTERNS,
    *person.PATTERNS,
    *announced.PATTERNS,
)
TAGGED = ("NAME", "ADDRESS")
"""Types that the tagger finds, beside patterns."""

NAMED = tuple(
    sorted(
        {
            each.type
            for each in (*identity.NATIONAL, *money.PATTERNS)
            if each.type[2] == "_" and each.type[:3] not in {"US_", "CA_", "UK_"}
        }
    )
)
"""Recognisers of ours, by country and document; a guardrail asks for one by the pattern `recogniser:ES_DNI`."""

GROUPS = {
    "NATIONAL_ID": NAMED,
    **{country: tuple(name for name in NAMED if name.startswith(country)) for country in {name[:2] for name in NAMED}},
}
"""Several at once: all of them, or those of a country, as in `recogniser:NATIONAL_ID` and `recogniser:BR`."""


def named(name: str) -> tuple[str, ...] | None:
    """The types that a name asks for; None if there is no such recogniser or group."""
    return (name,) if name in NAMED else GROUPS.get(name)
