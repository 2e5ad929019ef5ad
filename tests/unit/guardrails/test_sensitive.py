"""The sensitive-information policy: what is found, what is left, what is done about it, and that nothing takes long."""

from __future__ import annotations

import time

import pytest
from botocore.session import get_session

from rocamadre.core.errors import InvalidRequest
from rocamadre.guardrails.policies.protocol import Action, Source, Surroundings
from rocamadre.guardrails.policies.sensitive import TYPES, SensitiveInformation
from rocamadre.guardrails.recognisers.registry import NAMED
from rocamadre.guardrails.text import Text

EVERY = [{"type": kind, "action": "ANONYMIZE"} for kind in TYPES]


def check(raw, config, source=Source.INPUT):
    findings = SensitiveInformation().checker(config, "CLASSIC").check(Text(raw), source, Surroundings())
    assert all(raw[one.start : one.end] == one.match for one in findings)
    assert [one.start for one in findings] == sorted(one.start for one in findings)
    return findings


def masked(raw, config):
    """What the guardrail's operation makes of the findings."""
    for one in reversed(check(raw, config)):
        if one.action is Action.ANONYMIZE:
            raw = raw[: one.start] + one.placeholder + raw[one.end :]
    return raw


def recognised(raw, name):
    return [
        one.match
        for one in check(raw, {"regexesConfig": [{"name": "x", "pattern": f"recogniser:{name}", "action": "BLOCK"}]})
    ]


def test_every_type_of_the_api_is_found():
    shape = get_session().get_service_model("bedrock").shape_for("GuardrailPiiEntityType")
    assert set(shape.enum) <= set(TYPES)


@pytest.mark.parametrize(
    ("raw", "after"),
    [
        ("Mail ana@example.org!", "Mail {EMAIL}!"),
        ("Call +34 612 345 678, please", "Call {PHONE}, please"),
        ("champions of 2018-2019 (93 points), call 2345-6789", "champions of 2018-2019 (93 points), call {PHONE}"),
        ("see https://example.org/a?b=1.", "see {URL}."),
        ("host 10.0.0.12:8080 and fe80::1ff:fe23:4567:890a", "host {IP_ADDRESS}:8080 and {IP_ADDRESS}"),
        ("mac 00:1B:44:11:3A:B7", "mac {MAC_ADDRESS}"),
        ("card 4111 1111 1111 1111, cvv 123", "card {CREDIT_DEBIT_CARD_NUMBER}, cvv {CREDIT_DEBIT_CARD_CVV}"),
        ("card exp 12/27", "card exp {CREDIT_DEBIT_CARD_EXPIRY}"),
        ("to GB82 WEST 1234 5698 7654 32 now", "to {INTERNATIONAL_BANK_ACCOUNT_NUMBER} now"),
        ("BIC CAIXESBBXXX", "BIC {SWIFT_CODE}"),
        ("routing number 021000021", "routing number {US_BANK_ROUTING_NUMBER}"),
        ("account 123456789012", "account {US_BANK_ACCOUNT_NUMBER}"),
        ("SSN 536-90-4399", "SSN {US_SOCIAL_SECURITY_NUMBER}"),
        ("ITIN 912-71-1234", "ITIN {US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER}"),
        ("passport 123456789", "passport {US_PASSPORT_NUMBER}"),
        ("SIN 046 454 286", "SIN {CA_SOCIAL_INSURANCE_NUMBER}"),
        ("NHS number 943 476 5919", "NHS number {UK_NATIONAL_HEALTH_SERVICE_NUMBER}"),
        ("nino AB 12 34 56 C", "nino {UK_NATIONAL_INSURANCE_NUMBER}"),
        ("UTR 1955839661", "UTR {UK_UNIQUE_TAXPAYER_REFERENCE_NUMBER}"),
        ("AKIAIOSFODNN7EXAMPLE aws wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "{AWS_ACCESS_KEY} aws {AWS_SECRET_KEY}"),
        ("VIN 1HGCM82633A004352", "VIN {VEHICLE_IDENTIFICATION_NUMBER}"),
        ("matrícula 1234 BCD", "matrícula {LICENSE_PLATE}"),
        ("password: hunter2!", "password: {PASSWORD}"),
        ("usuario: ana_77", "usuario: {USERNAME}"),
        ("senha é Xy12#zz", "senha é {PASSWORD}"),
        ("the PIN is 4821", "the PIN is {PIN}"),
        ("He is 47 years old", "He is {AGE} years old"),
        ("Tengo 47 años", "Tengo {AGE}"),
        ("CNH 04512398760", "CNH {DRIVER_ID}"),
        ("4\u200b111 11\u200b11 1111 1111", "{CREDIT_DEBIT_CARD_NUMBER}"),
        ("ａｎａ＠ｅｘａｍｐｌｅ．ｏｒｇ", "{EMAIL}"),
        ("x\ud800 ana@example.org \udc00", "x\ud800 {EMAIL} \udc00"),
        ("中文 ana@example.org 🙂\r\n\tok", "中文 {EMAIL} 🙂\r\n\tok"),
    ],
)  # fmt: skip
def test_masking_keeps_the_rest(raw, after):
    config = {"piiEntitiesConfig": [each for each in EVERY if each["type"] not in {"NAME", "ADDRESS"}]}
    assert masked(raw, config) == after


@pytest.mark.parametrize(
    ("raw", "name", "value"),
    [
        ("DNI 12345678Z", "ES_DNI", "12345678Z"),
        ("NIE X1234567L", "ES_NIE", "X1234567L"),
        ("CIF A58818501", "ES_CIF", "A58818501"),
        ("NIF 123456789, contribuinte", "PT_NIF", "123456789"),
        ("CPF 529.982.247-25", "BR_CPF", "529.982.247-25"),
        ("CNPJ 11.222.333/0001-81", "BR_CNPJ", "11.222.333/0001-81"),
        ("CUIT 20-05536168-2", "AR_CUIT", "20-05536168-2"),
        ("RUT 12.531.909-2", "CL_RUT", "12.531.909-2"),
        ("CURP BOXW310820HNERXN09", "MX_CURP", "BOXW310820HNERXN09"),
        ("RFC GODE561231GR8", "MX_RFC", "GODE561231GR8"),
        ("CLABE 032180000118359719", "MX_CLABE", "032180000118359719"),
        ("NIT 213.123.432-1", "CO_NIT", "213.123.432-1"),
        ("RUC 20512333797", "PE_RUC", "20512333797"),
        ("cédula 1714307103", "EC_CEDULA", "1714307103"),
        ("CI 1.234.567-2", "UY_CEDULA", "1.234.567-2"),
        ("cédula V-12345678", "VE_CEDULA", "V-12345678"),
        ("cédula 1.032.456.789", "CO_CEDULA", "1.032.456.789"),
    ],
)
def test_national_numbers_are_asked_for_by_name_or_country(raw, name, value):
    assert recognised(raw, name) == [value]
    assert value in recognised(raw, name[:2])
    assert value in recognised(raw, "NATIONAL_ID")


@pytest.mark.parametrize(
    "raw",
    [
        "DNI 12345678A",
        "CPF 529.982.247-26",
        "card 4111 1111 1111 1112",
        "GB82 WEST 1234 5698 7654 33",
        "1.2.3",
        "12:34:56",
    ],
)
def test_wrong_check_digits_are_left(raw):
    config = {
        "piiEntitiesConfig": [
            {"type": each, "action": "BLOCK"}
            for each in ("CREDIT_DEBIT_CARD_NUMBER", "INTERNATIONAL_BANK_ACCOUNT_NUMBER", "IP_ADDRESS")
        ],
        "regexesConfig": [
            {"name": "ids", "pattern": f"recogniser:{name}", "action": "BLOCK"} for name in ("ES_DNI", "BR_CPF")
        ],
    }
    assert check(raw, config) == []


@pytest.mark.parametrize(
    ("raw", "kind", "value"),
    [
        ("My name is Harriet Johnson and I live in Leeds.", "NAME", "Harriet Johnson"),
        ("Me llamo María Fernández García.", "NAME", "María Fernández García"),
        ("Meu nome é João da Silva.", "NAME", "João da Silva"),
        ("Ship to 1420 Maplewood Avenue, Apt 5, please", "ADDRESS", "1420 Maplewood Avenue, Apt 5"),
        ("Vivo en la Calle Alcalá 123.", "ADDRESS", "Calle Alcalá 123"),
        ("Moro na Rua Augusta, 22, Lisboa.", "ADDRESS", "Rua Augusta, 22, Lisboa"),
    ],
)
def test_names_and_addresses(raw, kind, value):
    assert [one.match for one in check(raw, {"piiEntitiesConfig": [{"type": kind, "action": "BLOCK"}]})] == [value]


@pytest.mark.parametrize(
    "raw",
    [
        "Llámame al {PHONE} o escribe a {EMAIL}.",
        "Mi nombre es {NAME}, vivo en {ADDRESS}.",
        "My name is {NAME} and my password is {PASSWORD}.",
        "Tax: {US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER}, user name: {USERNAME}",
    ],
)
def test_what_is_masked_already_is_no_value(raw):
    assert masked(raw, {"piiEntitiesConfig": EVERY}) == raw


def test_settings_by_source():
    config = {
        "piiEntitiesConfig": [
            {"type": "EMAIL", "action": "BLOCK", "inputAction": "NONE"},
            {"type": "IP_ADDRESS", "action": "ANONYMIZE", "outputEnabled": False},
        ],
        "regexesConfig": [
            {
                "name": "ticket",
                "pattern": "T-[0-9]+",
                "action": "BLOCK",
                "outputAction": "ANONYMIZE",
                "inputEnabled": False,
            }
        ],
    }
    raw = "ana@example.org 10.1.2.3 T-77"
    assert [(one.match, one.action) for one in check(raw, config)] == [
        ("ana@example.org", Action.NONE),
        ("10.1.2.3", Action.ANONYMIZE),
    ]
    answered = check(raw, config, Source.OUTPUT)
    assert [(one.match, one.action) for one in answered] == [
        ("ana@example.org", Action.BLOCK),
        ("T-77", Action.ANONYMIZE),
    ]
    assert (answered[1].kind, answered[1].name, answered[1].placeholder, answered[1].detail) == (
        "regexes",
        "ticket",
        "{ticket}",
        {"regex": "T-[0-9]+"},
    )


def test_a_strict_finding_is_not_hidden_by_a_longer_one():
    config = {
        "piiEntitiesConfig": [{"type": "URL", "action": "ANONYMIZE"}],
        "regexesConfig": [
            {"name": "secret", "pattern": "hush", "action": "BLOCK"},
            {"name": "path", "pattern": "/hush", "action": "ANONYMIZE"},
        ],
    }
    findings = check("https://example.org/hush/x", config)
    assert [(one.type or one.name, one.action) for one in findings] == [
        ("URL", Action.ANONYMIZE),
        ("secret", Action.BLOCK),
    ]


def test_what_reaches_beyond_another_mask_is_masked_too():
    patterns = {"left": "aaa-bbb", "right": "bbb-ccc", "within": "a-b"}
    config = {
        "regexesConfig": [{"name": name, "pattern": each, "action": "ANONYMIZE"} for name, each in patterns.items()]
    }
    assert masked("x aaa-bbb-ccc y", config) == "x {left}{right} y"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"piiEntitiesConfig": [{"type": "SHOE_SIZE", "action": "BLOCK"}]}, "no type 'SHOE_SIZE'.*EMAIL"),
        ({"piiEntitiesConfig": [{"type": "EMAIL", "action": "BLOCK"}] * 2}, "EMAIL twice"),
        ({"piiEntitiesConfig": [{"type": "EMAIL", "action": "HIDE"}]}, "BLOCK, ANONYMIZE and NONE"),
        ({"regexesConfig": [{"name": "a", "pattern": "(?=x)", "action": "BLOCK"}]}, "'a' is not taken.*RE2"),
        ({"regexesConfig": [{"name": "a", "pattern": r"(x)\1", "action": "BLOCK"}]}, "'a' is not taken"),
        ({"regexesConfig": [{"name": "a", "pattern": "x{5000}", "action": "BLOCK"}]}, "repetitions up to 1000"),
        ({"regexesConfig": [{"name": "a", "pattern": "((x{100}){100}){100}", "action": "BLOCK"}]}, "'a' is not taken"),
        ({"regexesConfig": [{"name": "a", "pattern": "\ud800", "action": "BLOCK"}]}, "'a' is not taken"),
        ({"regexesConfig": [{"name": "a", "pattern": "recogniser:XX_ID", "action": "BLOCK"}]}, "XX_ID.*ES_DNI"),
        ({"regexesConfig": [{"name": "a", "pattern": "x", "action": "BLOCK"}] * 31}, "31 expressions; 30"),
    ],
)
def test_settings_that_make_no_sense_are_refused(config, message):
    with pytest.raises(InvalidRequest, match=message):
        SensitiveInformation().checker(config, "CLASSIC")


def test_how_much_a_stream_holds_back():
    def longest(*patterns, kinds=()):
        config = {
            "piiEntitiesConfig": [{"type": kind, "action": "BLOCK"} for kind in kinds],
            "regexesConfig": [{"name": each, "pattern": each, "action": "BLOCK"} for each in patterns],
        }
        return SensitiveInformation().checker(config, "").longest_match

    assert longest("ab{2,5}c") >= 7
    assert longest("ab+") is None
    assert 100 < longest(kinds=["PHONE"]) < 400


HOSTILE = {
    "digits": "1" * 60_000,
    "grouped digits": "1234 " * 12_000,
    "dotted": "1.1." * 15_000,
    "at": "a@" * 30_000,
    "dots": "a." * 30_000,
    "capitals": "Ana Ruiz " * 4_000,
    "colons": "a:" * 30_000,
    "passwords": "password " * 7_000,
    "words": "cuenta 1" * 7_000,
    "surrogates": "\ud800" * 60_000,
    "pluses": "+1 (" * 15_000,
    "iban": "ES12 3456 " * 6_000,
    "plates": "placa " * 10_000,
    "wide": "\u0661" * 60_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_take_linear_time(name):
    config = {
        "piiEntitiesConfig": EVERY,
        "regexesConfig": [
            {"name": "ids", "pattern": "recogniser:NATIONAL_ID", "action": "BLOCK"},
            {"name": "evil", "pattern": "(a+)+$", "action": "BLOCK"},
            {"name": "evil2", "pattern": r"^(([a-z])+.)+[A-Z]([a-z])+$", "action": "BLOCK"},
        ],
    }
    checker = SensitiveInformation().checker(config, "CLASSIC")
    started = time.process_time()
    checker.check(Text(HOSTILE[name]), Source.INPUT, Surroundings())
    assert time.process_time() - started < 60


def test_a_hundred_thousand_matches():
    raw = "a@b.co " * 100_000
    findings = check(raw, {"piiEntitiesConfig": [{"type": "EMAIL", "action": "ANONYMIZE"}]})
    assert len(findings) == 100_000


def test_all_names_of_ours_have_their_country():
    assert {name[:2] for name in NAMED} == {"AR", "BR", "CL", "CO", "DO", "EC", "ES", "MX", "PE", "PT", "UY", "VE"}
