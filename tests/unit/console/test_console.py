"""Sessions, logins, metrics, charts, Markdown and elements of the console, without a browser."""

from __future__ import annotations

import html.parser
import os

import pytest

from rocamadre.console.api import Credentials
from rocamadre.console.failures import ApiFailure
from rocamadre.console.history import History, Sample, intervals, quantile, read_metrics
from rocamadre.console.page import address
from rocamadre.console.pages.models import model_page
from rocamadre.console.parts.charts import round_up
from rocamadre.console.parts.elements import is_safe_address
from rocamadre.console.parts.markdown import to_safe_html
from rocamadre.console.sessions import LIFETIME_S, Attempts, Sessions, read_secret
from rocamadre.testing.hostile_texts import PAYLOADS


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_session_lasts_until_its_end_or_the_log_out():
    clock = Clock()
    sessions = Sessions(b"secret", clock)
    cookie = sessions.begin(Credentials("a", "b"))
    found = sessions.find(cookie)
    assert found is not None
    assert found.credentials == Credentials("a", "b")
    assert sessions.any() is found
    assert "a" not in cookie.split(".")
    clock.now += LIFETIME_S
    assert sessions.find(cookie) is None
    assert sessions.any() is None
    cookie = sessions.begin(Credentials("c", "d"))
    sessions.end(sessions.find(cookie))
    assert sessions.find(cookie) is None


@pytest.mark.parametrize(
    "change", [lambda c: c[:-1], lambda c: "x" + c, lambda c: c.partition(".")[0], lambda c: "", lambda c: "é." + c]
)
def test_cookies_cannot_be_made_up(change):
    sessions = Sessions(b"secret")
    cookie = sessions.begin(Credentials())
    assert sessions.find(change(cookie)) is None
    other = Sessions(b"another")
    assert other.find(cookie) is None


def test_the_oldest_session_goes_when_there_are_too_many():
    sessions = Sessions(b"secret")
    first = sessions.begin(Credentials("first", "x"))
    for _ in range(1000):
        last = sessions.begin(Credentials("other", "x"))
    assert sessions.find(first) is None
    assert sessions.find(last) is not None


def test_attempts_are_counted_per_address_and_altogether():
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(5):
        assert attempts.allowed("a")
        attempts.failed("a")
    assert not attempts.allowed("a")
    assert attempts.allowed("b")
    attempts.forgive("a")
    assert attempts.allowed("a")
    for number in range(30):
        attempts.failed(str(number))
    assert not attempts.allowed("fresh")
    clock.now += 61
    assert attempts.allowed("fresh")


def test_the_secret_is_made_once_and_for_its_owner(tmp_path):
    first = read_secret(tmp_path)
    assert len(first) == 32
    assert read_secret(tmp_path) == first
    assert os.stat(tmp_path / "keys" / "console.secret").st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["console.secret"]


METRICS = """\
# HELP rocamadre_requests_total Requests answered.
rocamadre_requests_total{operation="GET /metrics",service="plain",status="200"} 900.0
rocamadre_requests_total{operation="Converse",service="bedrock-runtime",status="200"} %d.0
rocamadre_requests_total{operation="Converse",service="bedrock-runtime",status="429"} 2.0
rocamadre_requests_total{operation="Converse",service="bedrock-runtime",status="500"} 1.0
rocamadre_request_seconds_bucket{le="0.1",operation="Converse",service="bedrock-runtime"} %d.0
rocamadre_request_seconds_bucket{le="+Inf",operation="Converse",service="bedrock-runtime"} %d.0
rocamadre_request_seconds_bucket{le="0.1",operation="GET /healthz",service="plain"} 900.0
rocamadre_input_tokens_total{model="a\\"}b"} %d.0
rocamadre_output_tokens_total{model="m"} 7.0
rocamadre_server_memory_bytes 1e+06
rocamadre_engine_memory_bytes{model="m"} 2e+06
no metric at all
"""


def test_metrics_are_read():
    sample = read_metrics(METRICS % (5, 5, 8, 11), 1.0)
    assert sample.requests == {"ok": 5.0, "refused": 2.0, "failed": 1.0}
    assert sample.operations == {"Converse": 8.0}
    assert sample.input_tokens == {'a\\"}b': 11.0}
    assert sample.seconds == {0.1: 5.0, float("inf"): 8.0}
    assert sample.memory_bytes == 3_000_000


def test_intervals_are_differences_and_survive_a_new_server():
    samples = [read_metrics(METRICS % (n, n, n, 2 * n), at) for n, at in ((1, 0.0), (5, 10.0), (6, 20.0))]
    found = intervals(samples, since=0.0, count=10)
    assert [each.requests for each in found] == [{"ok": 4.0}, {"ok": 1.0}]
    assert [each.input_tokens for each in found] == [8.0, 2.0]
    assert found[0].median_s == pytest.approx(0.05)
    fresh = read_metrics(METRICS % (0, 0, 0, 0), 30.0)
    assert intervals([samples[-1], fresh], since=0.0, count=10)[0].requests == {"refused": 2.0, "failed": 1.0}
    assert intervals([], since=0.0, count=10) == []
    assert intervals(samples[:1], since=0.0, count=10) == []


def test_intervals_are_no_more_than_asked_for():
    samples = [Sample(float(at)) for at in range(100)]
    found = intervals(samples, since=0.0, count=10)
    assert len(found) <= 10
    assert found[-1].at == 99.0


def test_quantiles_of_nothing_and_beyond_the_last_bound():
    assert quantile({}, 0.5) is None
    assert quantile({1.0: 0.0, float("inf"): 0.0}, 0.5) is None
    assert quantile({1.0: 1.0, float("inf"): 10.0}, 0.9) == 1.0


async def test_the_history_keeps_a_failure_until_it_works_again():
    answers = [ApiFailure("gone", code="Unreachable"), METRICS % (1, 1, 1, 1), METRICS % (2, 2, 2, 2)]

    class Api:
        async def get(self, path):
            answer = answers.pop(0)
            if isinstance(answer, ApiFailure):
                raise answer
            return answer

    history = History(Api)
    await history.sample()
    assert history.failure is not None
    await history.sample()
    await history.sample()
    assert history.failure is None
    assert len(history.samples) == 2
    await History(lambda: None).sample()


class Reader(html.parser.HTMLParser):
    """Notes tags and attributes."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.addresses = set(), set(), set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses |= {value for name, value in attrs if name == "href"}


@pytest.mark.parametrize("text", PAYLOADS)
def test_markdown_of_strangers_can_do_nothing(text):
    reader = Reader()
    for source in (text, f"[x]({text})", f"# {text}", f"`{text}`", f"> {text}", f"| {text} |\n|---|\n| {text} |"):
        reader.feed(to_safe_html(source))
    harmless = "p br hr h3 h4 h5 h6 ul ol li blockquote pre code em strong del s table thead tbody tr th td a"
    assert reader.tags <= set(harmless.split())
    assert reader.attributes <= {"href", "title", "rel", "start", "tabindex"}
    for target in reader.addresses:
        scheme = target.partition(":")[0].lower() if ":" in target else ""
        assert scheme in ("", "http", "https", "mailto") or not scheme.isalnum(), target


def test_markdown_is_markdown():
    found = to_safe_html("# Title\n\n**bold** `code`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- one\n")
    for piece in ("<h3>Title</h3>", "<strong>bold</strong>", "<code>code</code>", "<td>1</td>", "<li>one</li>"):
        assert piece in found


@pytest.mark.parametrize("text", [text for text in PAYLOADS if "script:" in text.lower() and text[0] not in "<["])
def test_addresses_that_are_code_are_refused(text):
    assert not is_safe_address(text)


def test_addresses():
    assert address("/a") == "/a"
    assert address("/a", x="<b>&", y="") == "/a?x=%3Cb%3E%26"
    assert model_page("a.b-v1:0") == "/models/a.b-v1:0"
    assert model_page("a?b#c é\n") == "/models/a%3Fb%23c%20%C3%A9%0A"


def test_scales_end_on_round_numbers():
    assert [round_up(value) for value in (0.003, 0.7, 1, 1.01, 99, 100, 101, 12_345)] == [
        0.005, 1.0, 1.0, 2.0, 100.0, 100.0, 200.0, 20_000.0,
    ]  # fmt: skip
