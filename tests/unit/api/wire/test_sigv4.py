from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from rocamadre.api.wire.credentials import Credential, parse_authorization
from rocamadre.api.wire.sigv4 import EMPTY_SHA256, signing_key, verify
from rocamadre.core.errors import CommonError

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-v2:1"
HOST = "http://127.0.0.1:4599"


class Wire:
    """A signed request as a server sees it."""

    def __init__(self, method, url, headers, body):
        parts = urlsplit(url)
        self.method, self.body = method, body
        self.raw_path, self.query = parts.path.encode(), parts.query.encode()
        self.headers = [(name.lower().encode(), value) for name, value in headers]
        if not any(name == b"host" for name, _ in self.headers):
            self.headers.append((b"host", parts.netloc.encode()))

    @property
    def table(self):
        return {name.decode(): value.decode("latin-1") for name, value in self.headers}

    def credential(self):
        return parse_authorization(self.table, self.query)

    def change(self, name, value):
        self.headers = [(key, value if key == name else old) for key, old in self.headers]
        return self

    def verify(self, *, secret=SECRET, now=None, **changed):
        credential = self.credential()
        now = now or datetime.strptime(credential.amz_date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        arguments = {
            "method": self.method,
            "raw_path": self.raw_path,
            "query": self.query,
            "headers": self.headers,
            "body": self.body,
        } | changed
        return verify(credential, secret=secret, now=now, **arguments)


def sign(
    url="/", *, method="POST", body=b"{}", headers=(), service="bedrock", signer=None, token=None, region="eu-west-1"
):
    request = AWSRequest(method=method, url=HOST + url, data=body)
    for name, value in headers:
        request.headers.add_header(name, value)
    signer = signer or SigV4Auth
    signer(Credentials("AKIDEXAMPLE", SECRET, token), service, region).add_auth(request)
    prepared = request.prepare()
    pairs = []
    for name, value in request.headers.items():
        text = value.decode() if isinstance(value, bytes) else str(value)
        try:
            pairs.append((name, text.encode("latin-1")))
        except UnicodeEncodeError:
            pairs.append((name, text.encode()))
    return Wire(method, prepared.url, pairs, body)


def refused(wire, **changed):
    with pytest.raises(CommonError) as caught:
        wire.verify(**changed)
    return caught.value


@pytest.mark.parametrize(
    "path",
    [
        "/model/us.amazon.nova-lite-v1%3A0/converse",
        "/model/us.amazon.nova-lite-v1:0/converse",
        f"/model/{quote(ARN, safe='')}/converse",
        f"/model/{quote(ARN, safe=':')}/converse",
        f"/model/{ARN}/converse",
        "/bedrock-runtime/model/a.b/converse",
        "/agents/ABC/",
        "/a//b/./c/../d",
        "/../..",
        "//",
        "/",
        "/%E2%82%AC/%20~-._!$'()*,;=@&+",
        "/model/%2e%2e/%2F",
        "/" + "x" * 2000,
    ],
)
def test_paths_are_read_raw_as_botocore_signs_them(path):
    wire = sign(path)
    assert wire.verify() == b"{}"
    assert refused(wire, raw_path=wire.raw_path + b"x").code == "InvalidSignatureException"


@pytest.mark.parametrize(
    "query",
    [
        "?maxResults=7&nextToken=abc",
        "?tagKeys=b&tagKeys=a&tagKeys=",
        "?b=1&a=2&A=3",
        "?flag",
        "?flag=&flag",
        "?x=%20%2B%2F%3D%E2%82%AC",
        "?a=b=c",
        "?~=-._~",
    ],
)
def test_queries_are_sorted(query):
    wire = sign("/p" + query, method="GET", body=b"")
    assert wire.verify() == b""
    assert refused(wire, query=wire.query + b"&z=1").code == "InvalidSignatureException"
    assert refused(wire, query=b"").code == "InvalidSignatureException"


def test_a_query_signed_in_its_canonical_encoding_is_accepted_in_another():
    wire = sign("/p?a=%7Eb&c=%2F", method="GET", body=b"")
    wire.query = b"c=%2f&a=%7Eb"
    assert refused(wire).code == "InvalidSignatureException"  # botocore signs what stands there: `%7E`.
    wire = sign("/p?a=~b&c=%2F", method="GET", body=b"")
    assert wire.verify(query=b"c=%2f&a=%7eb") == b""


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Amzn-Bedrock-Trace", "ENABLED")],
        [("X-Test", "  a   b\t c  ")],
        [("X-Test", "one"), ("X-Test", "two"), ("X-Test", "one")],
        [("X-Test", "café €")],
        [("X-Test", "caf\u00e9")],
        [("X-Test", "")],
        [("Content-Type", "application/json")],
        [("User-Agent", "anything; not signed")],
    ],
)
def test_headers_are_trimmed_joined_and_in_utf8(headers):
    assert sign("/p", headers=headers).verify() == b"{}"


def test_order_of_repeated_headers_counts():
    wire = sign("/p", headers=[("X-Test", "one"), ("X-Test", "two")])
    wire.headers.reverse()
    assert refused(wire).code == "InvalidSignatureException"


@pytest.mark.parametrize("service", ["bedrock", "s3", "sts"])
@pytest.mark.parametrize("body", [b"", b"\x00\xff" * 5000])
def test_s3_paths_are_taken_as_they_stand(service, body):
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    wire = sign("/bucket/a%20b//../c", body=body, service=service, signer=signer)
    assert wire.verify() == body


def test_session_token_is_part_of_the_signature():
    wire = sign("/p", token="FwoGZXIvYXdzEXAMPLE")
    assert wire.credential().session_token == "FwoGZXIvYXdzEXAMPLE"
    assert wire.verify() == b"{}"
    assert refused(wire.change(b"x-amz-security-token", b"other")).code == "InvalidSignatureException"


def test_date_header_instead_of_amz_date():
    wire = sign("/p", headers=[("Date", "Thu, 01 Jan 1970 00:00:00 GMT")])
    assert "x-amz-date" not in wire.table
    assert wire.verify() == b"{}"
    assert refused(wire.change(b"date", b"Thu, 01 Jan 1970 00:00:00 GMT")).code == "InvalidSignatureException"


@pytest.mark.parametrize(
    "changed",
    [{"method": "PUT"}, {"raw_path": b"/q"}, {"query": b"a=1"}, {"body": b"{} "}, {"body": b""}, {"secret": "other"}],
)
def test_any_change_is_refused_in_the_words_of_aws(changed):
    error = refused(sign("/p"), **changed)
    assert (error.code, error.status) == ("InvalidSignatureException", 403)
    assert error.message.startswith("The request signature we calculated does not match")


@pytest.mark.parametrize("part", ["us-east-1", "sts", "AKIDOTHER"])
def test_scope_is_signed(part):
    wire = sign("/p")
    old = {"us-east-1": "eu-west-1", "sts": "bedrock", "AKIDOTHER": None}[part]
    text = wire.table["authorization"]
    if old is None:  # The key's name is not signed; it selects the secret.
        assert wire.change(b"authorization", text.replace("AKIDEXAMPLE", part).encode()).verify() == b"{}"
    else:
        assert refused(wire.change(b"authorization", text.replace(old, part).encode())).status == 403


def test_signature_digit_changed():
    wire = sign("/p")
    text = wire.table["authorization"]
    wire.change(b"authorization", (text[:-1] + ("0" if text[-1] != "0" else "1")).encode())
    assert refused(wire).code == "InvalidSignatureException"


@pytest.mark.parametrize(
    ("ahead_s", "words"),
    [(301, "Signature expired: "), (-301, "Signature not yet current: "), (300, None), (-300, None)],
)
def test_five_minutes_of_skew(ahead_s, words):
    wire = sign("/p")
    now = datetime.strptime(wire.table["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) + timedelta(seconds=ahead_s)
    if words is None:
        assert wire.verify(now=now) == b"{}"
    else:
        error = refused(wire, now=now)
        assert error.message.startswith(words)
        assert (error.code, error.status) == ("InvalidSignatureException", 403)
        assert wire.table["x-amz-date"] in error.message


def test_scope_of_another_day_is_refused():
    wire = sign("/p")
    day = wire.table["x-amz-date"][:8]
    wire.change(b"authorization", wire.table["authorization"].replace(f"/{day}/", "/20010101/").encode())
    assert "Date in Credential scope does not match" in refused(wire).message


@pytest.mark.parametrize("name", ["host", "x-amz-date"])
def test_host_and_amz_headers_must_be_signed(name):
    wire = sign("/p")
    text = wire.table["authorization"]
    head, _, tail = text.partition("SignedHeaders=")
    names, comma, rest = tail.partition(",")
    kept = ";".join(each for each in names.split(";") if each != name)
    wire.change(b"authorization", f"{head}SignedHeaders={kept}{comma}{rest}".encode())
    assert "sign" in refused(wire).message.lower()
    assert refused(wire).code == "InvalidSignatureException"


def test_an_amz_header_added_on_the_way_is_refused():
    wire = sign("/p")
    wire.headers.append((b"x-amz-security-token", b"mine"))
    assert "x-amz-security-token" in refused(wire).message


def test_a_signed_header_that_is_missing_is_refused():
    wire = sign("/p", headers=[("X-Test", "a")])
    wire.headers = [pair for pair in wire.headers if pair[0] != b"x-test"]
    assert refused(wire).code == "InvalidSignatureException"


@pytest.mark.parametrize(
    ("service", "code", "status"),
    [("s3", "XAmzContentSHA256Mismatch", 400), ("bedrock", "InvalidSignatureException", 403)],
)
def test_the_announced_hash_must_be_the_bodys(service, code, status):
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    headers = [] if service == "s3" else [("X-Amz-Content-SHA256", EMPTY_SHA256)]
    wire = sign("/p", service=service, signer=signer, headers=headers, body=b"" if service == "bedrock" else b"{}")
    error = refused(wire, body=b"another")
    assert (error.code, error.status) == (code, status)


def test_words_that_are_no_hash_are_refused():
    error = refused(sign("/p", headers=[("X-Amz-Content-SHA256", "whatever")]))
    assert "x-amz-content-sha256 must be" in error.message


def test_unsigned_payload():
    wire = sign("/p", headers=[("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD")])
    assert wire.verify(body=b"whatever") == b"whatever"


@pytest.mark.parametrize(("signer", "service"), [(SigV4QueryAuth, "bedrock"), (S3SigV4QueryAuth, "s3")])
def test_signed_urls(signer, service):
    wire = sign("/bucket/a%20b?x=1&y", method="GET", body=b"", signer=signer, service=service, token="t/+=")
    credential = wire.credential()
    assert (credential.kind, credential.service, credential.session_token) == ("query", service, "t/+=")
    assert wire.verify() == b""
    then = datetime.strptime(credential.amz_date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert wire.verify(now=then + timedelta(seconds=3600)) == b""
    error = refused(wire, now=then + timedelta(seconds=3601))
    assert (error.code, error.status) == ("ExpiredTokenException", 403)
    assert refused(wire, now=then - timedelta(seconds=301)).message.startswith("Signature not yet current")
    for old, new in ((b"x=1", b"x=2"), (b"X-Amz-Expires=3600", b"X-Amz-Expires=7200"), (b"t%2F", b"u%2F")):
        assert old in wire.query
        assert refused(wire, query=wire.query.replace(old, new)).code == "InvalidSignatureException"


def test_no_credential():
    assert parse_authorization({"host": "x"}, b"a=b") is None
    assert parse_authorization({}, b"X-Amz-Other=1") is None


def test_the_header_of_anthropics_clients():
    assert parse_authorization({"x-api-key": " roca-abc "}, b"") == Credential("bearer", token="roca-abc")
    both = {"x-api-key": "other", "authorization": "Bearer roca-abc"}
    assert parse_authorization(both, b"").token == "roca-abc"
    for wrong in ("", "a b", "a\x00"):
        with pytest.raises(CommonError):
            parse_authorization({"x-api-key": wrong}, b"")


def test_bearer():
    credential = parse_authorization({"authorization": "Bearer  roca-abc.DEF_1~+/="}, b"")
    assert (credential.kind, credential.token, credential.region) == ("bearer", "roca-abc.DEF_1~+/=", "")
    with pytest.raises(ValueError, match="bearer"):
        verify(credential, secret="", method="", raw_path=b"", query=b"", headers=[], body=b"", now=datetime.now(UTC))


GOOD = (
    "AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, "
    "Signature=" + "0" * 64
)


@pytest.mark.parametrize(
    ("authorization", "words"),
    [
        (
            GOOD.replace("Credential=AK/20260101/us-east-1/bedrock/aws4_request, ", ""),
            "requires 'Credential' parameter",
        ),
        (GOOD.replace("SignedHeaders=host;x-amz-date, ", ""), "requires 'SignedHeaders' parameter"),
        (GOOD.replace("Signature=", "Sig="), "requires 'Signature' parameter"),
        ("AWS4-HMAC-SHA256", "missing equal-sign"),
        ("AWS4-HMAC-SHA256 hello", "missing equal-sign"),
        (GOOD + ", Signature=" + "1" * 64, "repeats"),
        (GOOD.replace("/bedrock", ""), "exactly 5 slash-delimited elements"),
        (GOOD.replace("AK/", "A K/"), "access key"),
        (GOOD.replace("AK/", "/"), "access key"),
        (GOOD.replace("20260101/", "today/"), "YYYYMMDD"),
        (GOOD.replace("us-east-1", "US_EAST"), "valid region"),
        (GOOD.replace("us-east-1", "../../etc"), "5 slash"),
        (GOOD.replace("us-east-1", "-"), "valid region"),
        (GOOD.replace("/bedrock/", "/bed rock/"), "valid service"),
        (GOOD.replace("aws4_request", "aws5"), "terminator"),
        (GOOD.replace("host;x-amz-date", "Host"), "lower-case"),
        (GOOD.replace("host;x-amz-date", "host;host"), "twice"),
        (GOOD.replace("0" * 64, "0" * 63), "64"),
        (GOOD.replace("0" * 64, "G" * 64), "64"),
        ("Basic dXNlcjpwYXNz", "Unsupported AWS 'algorithm': 'Basic'"),
        ("AWS4-ECDSA-P256-SHA256 Credential=x", "Unsupported AWS 'algorithm'"),
        ("Bearer a b", "bearer"),
        ("Bearer caf\u00e9", "bearer"),
    ],
)
def test_malformed_credentials(authorization, words):
    headers = {"authorization": authorization, "x-amz-date": "20260101T000000Z"}
    with pytest.raises(CommonError, match=words) as caught:
        parse_authorization(headers, b"")
    assert (caught.value.code, caught.value.status) == ("IncompleteSignatureException", 400)


@pytest.mark.parametrize("authorization", ["", "   ", "Bearer", "Bearer   "])
def test_empty_credentials(authorization):
    with pytest.raises(CommonError) as caught:
        parse_authorization({"authorization": authorization}, b"")
    assert (caught.value.code, caught.value.status) == ("MissingAuthenticationTokenException", 403)


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, "'X-Amz-Date' or a 'Date' header"),
        ({"x-amz-date": "2026-01-01T00:00:00Z"}, "basic format"),
        ({"date": "yesterday"}, "basic format"),
    ],
)
def test_dates_that_are_none(headers, words):
    with pytest.raises(CommonError, match=words):
        parse_authorization({"authorization": GOOD, **headers}, b"")


def test_impossible_date_is_refused_when_verified():
    credential = parse_authorization({"authorization": GOOD, "x-amz-date": "20269999T000000Z"}, b"")
    with pytest.raises(CommonError, match="basic format"):
        verify(credential, secret="", method="", raw_path=b"", query=b"", headers=[], body=b"", now=datetime.now(UTC))


def _url(**changed):
    values = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": "AK%2F20260101%2Fus-east-1%2Fs3%2Faws4_request",
        "X-Amz-Date": "20260101T000000Z",
        "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": "0" * 64,
    } | {f"X-Amz-{name}": value for name, value in changed.items()}
    return "&".join(f"{name}={value}" for name, value in values.items() if value is not None).encode()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (_url(Date=None), "must include 'X-Amz-Date'"),
        (_url(Signature=""), "must include 'X-Amz-Signature'"),
        (_url(Algorithm="X"), "Unsupported"),
        (_url(Expires="0"), "X-Amz-Expires"),
        (_url(Expires="604801"), "X-Amz-Expires"),
        (_url(Expires="-1"), "X-Amz-Expires"),
        (_url(Expires="1e3"), "X-Amz-Expires"),
        (_url() + b"&X-Amz-Expires=61", "repeated"),
    ],
)
def test_malformed_signed_urls(query, words):
    with pytest.raises(CommonError, match=words) as caught:
        parse_authorization({}, query)
    assert caught.value.code == "IncompleteSignatureException"


def test_signing_keys_are_kept_by_secret_too():
    one = signing_key("AK", "first", "20260101", "us-east-1", "bedrock")
    assert signing_key("AK", "second", "20260101", "us-east-1", "bedrock") != one
    assert signing_key.cache_info().maxsize <= 4096


# What http.client lets through: visible ASCII, spaces and tabs.
header_values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40)
segments = st.text(max_size=12).map(lambda text: quote(text, safe=""))
odd_paths = st.lists(segments | st.sampled_from(["", ".", "..", "%2e", "a:b", "~"]), max_size=6)
odd_queries = st.lists(st.tuples(segments, segments), max_size=5)


@settings(max_examples=150, deadline=None)
@given(odd_paths, odd_queries, st.lists(header_values, max_size=3), st.binary(max_size=64), st.data())
def test_whatever_botocore_signs_is_accepted_and_nothing_else(path, query, values, body, data):
    url = "/" + "/".join(path)
    if query:
        url += "?" + "&".join(f"{name}={value}" for name, value in query)
    wire = sign(url, body=body, headers=[("X-Odd", value) for value in values])
    assert wire.verify() == body
    place = data.draw(st.sampled_from(["body", "raw_path", "query", "header"]))
    if place == "header":
        wire.headers = [(key, old + b"!" if key in (b"host", b"x-odd") else old) for key, old in wire.headers]
        assert refused(wire).status == 403
    else:
        assert refused(wire, **{place: getattr(wire, place) + (b"!" if place == "body" else b"/!")}).status == 403


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200), st.binary(max_size=200))
def test_garbage_is_refused_and_never_crashes(text, query):
    headers = [
        {"authorization": form.format(text), "x-amz-date": text} for form in ("{}", "AWS4-HMAC-SHA256 {}", "Bearer {}")
    ]
    for head, tail in [*((header, query) for header in headers), ({}, b"X-Amz-Signature=" + query)]:
        with suppress(CommonError):
            parse_authorization(head, tail)
