"""Numbers that states give to persons and firms: types of the API, and names of ours, by country, where it has none."""

from __future__ import annotations

from rocamadre.guardrails.recognisers import checksums as sums
from rocamadre.guardrails.recognisers.pattern import Certainty, Pattern

_CHECKED = Certainty.CHECKED
_S = "[ .-]?"


def _not_temporary(value: str) -> bool:
    return value[:2].upper() not in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}


def _some_digits(value: str) -> bool:
    return sum(each.isdigit() for each in value) >= 4


_UNITED_STATES = (
    Pattern("US_SOCIAL_SECURITY_NUMBER", r"\d{3}-\d{2}-\d{4}|\d{3} \d{2} \d{4}", _CHECKED, check=sums.ssn),
    Pattern("US_SOCIAL_SECURITY_NUMBER", r"\d{9}", check=sums.ssn, near=r"\bssn\b|social security", before=40),
    Pattern(
        "US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER", r"9\d{2}[- ](?:5\d|6[0-5]|7\d|8[0-8]|9[0-24-9])[- ]\d{4}", _CHECKED
    ),
    Pattern(
        "US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER",
        r"9\d{2}(?:5\d|6[0-5]|7\d|8[0-8]|9[0-24-9])\d{4}",
        near=r"\bitin\b|taxpayer",
        before=40,
    ),
    Pattern(
        "US_PASSPORT_NUMBER",
        r"[A-Z]\d{8}|\d{9}|\d{8}",
        _CHECKED,
        near=r"passport|pasaporte|passaporte",
        before=50,
        after=20,
    ),
)
_CANADA = (
    Pattern(
        "CA_SOCIAL_INSURANCE_NUMBER",
        r"\d{3}[ -]?\d{3}[ -]?\d{3}",
        _CHECKED,
        check=sums.luhn,
        near=r"(?-i:\bSIN\b|\bNAS\b)|social insurance|assurance sociale|canad\w+",
        before=50,
        after=20,
    ),
    Pattern(
        "CA_HEALTH_NUMBER",
        r"\d{4}[ -]?\d{3}[ -]?\d{3}(?:[ -]?[A-Z]{2})?",
        _CHECKED,
        check=sums.luhn,
        near=r"\bohip\b|health (?:card|number|insurance)|\bphn\b|\bmsp\b|assurance maladie",
        before=50,
        after=20,
    ),
    Pattern(
        "CA_HEALTH_NUMBER",
        r"[A-Z]{4} ?\d{4} ?\d{4}",
        near=r"\bramq\b|health (?:card|number|insurance)|assurance maladie",
        before=50,
    ),
)
_UNITED_KINGDOM = (
    Pattern(
        "UK_NATIONAL_HEALTH_SERVICE_NUMBER",
        r"\d{3}[ -]?\d{3}[ -]?\d{4}",
        _CHECKED,
        check=sums.nhs,
        near=r"\bnhs\b|national health|health service",
        before=50,
        after=20,
    ),
    Pattern(
        "UK_NATIONAL_INSURANCE_NUMBER",
        r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]",
        _CHECKED,
        check=_not_temporary,
    ),
    Pattern(
        "UK_UNIQUE_TAXPAYER_REFERENCE_NUMBER",
        r"\d{5} ?\d{5}",
        _CHECKED,
        check=sums.utr,
        near=r"\butr\b|taxpayer|tax (?:ref|id|return)",
        before=50,
    ),
)
_SPAIN = (
    Pattern(
        "ES_DNI",
        r"\d{8}[ -]?[A-HJ-NP-TV-Za-hj-np-tv-z]|\d{1,2}\.\d{3}\.\d{3}[ -]?[A-HJ-NP-TV-Za-hj-np-tv-z]",
        _CHECKED,
        check=sums.dni,
    ),
    Pattern("ES_NIE", r"[XYZxyz][ -]?\d{7}[ -]?[A-Za-z]", _CHECKED, check=sums.nie),
    Pattern("ES_CIF", r"[ABCDEFGHJNPQRSUVW][ -]?\d{7}[ -]?[0-9A-J]", _CHECKED, check=sums.cif),
    Pattern("ES_SOCIAL_SECURITY", r"\d{2}[ /-]?\d{8}[ /-]?\d{2}", _CHECKED, check=sums.nuss),
    Pattern(
        "ES_SOCIAL_SECURITY",
        r"\d{2}[ /-]?\d{8}(?:[ /-]?\d{2})?",
        near=r"seguridad social|\b(?:nuss|nass|naf)\b",
        before=40,
    ),
    Pattern("ES_PASSPORT", r"[A-Z]{3}\d{6}", near=r"pasaporte|passport", before=50),
)
_PORTUGAL = (
    Pattern(
        "PT_NIF",
        r"\d{3} ?\d{3} ?\d{3}",
        _CHECKED,
        check=sums.nif_pt,
        near=r"\bnif\b|contribuinte|fiscal|\bnipc\b|finan[cç]as",
        before=50,
        after=20,
    ),
    Pattern(
        "PT_NISS",
        r"\d{11}|\d{3} \d{3} \d{3} \d{2}",
        _CHECKED,
        check=sums.niss_pt,
        near=r"\bniss\b|seguran[cç]a social",
        before=50,
    ),
    Pattern(
        "PT_CITIZEN_CARD",
        r"\d{8}[ -]?\d[ -]?[A-Z0-9]{2}\d",
        _CHECKED,
        check=sums.citizen_card,
        near=r"cidad[aã]o|\bcc\b|\bbi\b|identidade",
        before=60,
    ),
)
_BRAZIL = (
    Pattern(
        "BR_CPF", r"\d{3}\.\d{3}\.\d{3}-\d{2}|\d{9}-\d{2}|\d{3} \d{3} \d{3} \d{2}|\d{11}", _CHECKED, check=sums.cpf
    ),
    Pattern("BR_CNPJ", r"\d{2}\.?\d{3}\.?\d{3}/?\d{4}-?\d{2}", _CHECKED, check=sums.cnpj),
    Pattern(
        "BR_PIS", r"\d{3}\.?\d{5}\.?\d{2}-?\d", _CHECKED, check=sums.pis, near=r"\b(?:pis|pasep|nit|nis)\b", before=50
    ),
    Pattern("BR_VOTER_ID", r"\d{4} ?\d{4} ?\d{4}", _CHECKED, check=sums.voter_br, near=r"eleitor|t[ií]tulo", before=50),
    Pattern("BR_RG", r"\d{1,2}\.?\d{3}\.?\d{3}-?[\dXx]", near=r"(?-i:\bRG\b)|registro geral|identidade", before=35),
    Pattern(
        "BR_PIX_KEY", r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", near=r"\bpix\b", before=50
    ),
)
_LATIN_AMERICA = (
    Pattern("AR_CUIT", r"(?:20|23|24|25|26|27|30|33|34)-\d{8}-\d", _CHECKED, check=sums.cuit),
    Pattern(
        "AR_CUIT",
        r"(?:20|23|24|25|26|27|30|33|34)\d{9}",
        _CHECKED,
        check=sums.cuit,
        near=r"\bcui[tl]\b|argentin\w+|afip|arca",
        before=50,
    ),
    Pattern(
        "AR_DNI", r"\d{1,2}\.\d{3}\.\d{3}|\d{7,8}", near=r"(?-i:\bDNI\b)|\b(?:l\.?e\.?|l\.?c\.?)\b|documento", before=35
    ),
    Pattern("CL_RUT", r"\d{1,2}\.\d{3}\.\d{3}-[\dkK]|\d{7,8}-[\dkK]", _CHECKED, check=sums.rut),
    Pattern(
        "MX_CURP",
        r"[A-Z][AEIOUX][A-Z]{2}\d{2}(?:0\d|1[0-2])(?:[0-2]\d|3[01])[HMX][A-Z]{5}[A-Z0-9]\d",
        _CHECKED,
        check=sums.curp,
    ),
    Pattern(
        "MX_RFC",
        r"[A-ZÑ&]{3,4}[ -]?\d{2}(?:0\d|1[0-2])(?:[0-2]\d|3[01])[ -]?[A-Z0-9]{2}[A0-9]",
        _CHECKED,
        check=sums.rfc,
    ),
    Pattern("MX_NSS", r"\d{11}", _CHECKED, check=sums.luhn, near=r"\b(?:nss|imss)\b|seguro social", before=50),
    Pattern("CO_CEDULA", r"\d{1,3}(?:\.\d{3}){2,3}|\d{6,10}", near=r"c[eé]dula|\bc\.?c\.?\b|ciudadan[ií]a", before=40),
    Pattern("CO_NIT", r"\d{3}\.?\d{3}\.?\d{3} ?- ?\d", _CHECKED, check=sums.nit_co),
    Pattern("PE_DNI", r"\d{8}", near=r"(?-i:\bDNI\b)|documento", before=35),
    Pattern(
        "PE_RUC",
        r"(?:10|15|16|17|20)\d{9}",
        _CHECKED,
        check=sums.ruc_pe,
        near=r"\bruc\b|contribuyente|sunat",
        before=50,
    ),
    Pattern(
        "EC_CEDULA",
        r"\d{10}|\d{9}-\d",
        _CHECKED,
        check=sums.cedula_ec,
        near=r"c[eé]dula|\bci\b|ecuador\w*|identidad",
        far=r"ciudadan\w+.{0,10}$",
        before=50,
    ),
    Pattern("EC_RUC", r"\d{10}001", near=r"\bruc\b", before=40),
    Pattern("UY_CEDULA", r"\d?\.?\d{3}\.?\d{3}-\d", _CHECKED, check=sums.cedula_uy),
    Pattern("VE_CEDULA", r"[VEve]-?\d{1,2}\.?\d{3}\.?\d{3}", near=r"c[eé]dula|\bc\.?i\.?\b", before=40),
    Pattern("VE_RIF", r"[VEJPGvejpg]-\d{8}-?\d", near=r"\brif\b", before=30),
    Pattern("DO_CEDULA", r"\d{3}-\d{7}-\d", _CHECKED, check=sums.luhn),
)
NATIONAL = (*_SPAIN, *_PORTUGAL, *_BRAZIL, *_LATIN_AMERICA)
_PLATE = (
    r"\b(?:licen[cs]e plates?|licen[cs]e tag|number plate|plate|plates|registration|reg|tag"
    r"|matr[ií]culas?|patentes?|placas?|dominio|chapa)\b[^\d\n]{0,30}$"
)
_DRIVER = (
    r"(?:driver'?s?'? licen[cs]e|driving licen[cs]e|driver id|\bdl\b|permiso de conduc\w+"
    r"|carnet? de conduc\w+|licencia de conduc\w+|licencia de manejo|brevete"
    r"|carteira (?:nacional )?de (?:motorista|habilita\w+)|habilita[cç][aã]o|\bcnh\b|carta de condu[cç][aã]o)"
)
_VEHICLES = (
    Pattern("VEHICLE_IDENTIFICATION_NUMBER", r"[A-HJ-NPR-Z0-9]{17}", _CHECKED, check=sums.vin),
    Pattern(
        "VEHICLE_IDENTIFICATION_NUMBER",
        r"[A-HJ-NPR-Z0-9]{11}\d{6}",
        near=r"\bvin\b|chassis|bastidor|chassi|vehicle id",
        before=40,
    ),
    Pattern(
        "LICENSE_PLATE",
        r"[A-Z0-9]{1,4}[ -]?[A-Z0-9]{2,4}(?:[ -]?[A-Z0-9]{1,4})?",
        check=lambda value: (
            4 <= len(sums.characters(value)) <= 8 and any(map(str.isdigit, value)) and not value.isdigit()
        ),
        near=_PLATE,
        before=55,
    ),
    Pattern("LICENSE_PLATE", r"[A-Z]{3}\d[A-Z]\d{2}"),
    Pattern("DRIVER_ID", r"[A-Z0-9][A-Z0-9-]{4,20}[A-Z0-9]", check=_some_digits, near=_DRIVER, before=50),
)
PATTERNS = (*_UNITED_STATES, *_CANADA, *_UNITED_KINGDOM, *NATIONAL, *_VEHICLES)
