"""A real server with its console, and a real browser, both of one test process; tests are skipped without chromium.

`tab` is a page of the browser that fails the test when anything goes wrong in it unasked: an error in its console, a
request to another host, a script of strangers that ran (`xss`).
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

from rocamadre.cli.process import start_server, stop_server
from rocamadre.cli.session import Session
from rocamadre.cli.store import local_host
from rocamadre.core.settings import load_settings
from rocamadre.identity.operations import create_key
from rocamadre.server.console import address_of, console_command, console_environment, console_wish, listen
from rocamadre.testing.hostile_texts import PAYLOADS

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# Counts what strangers' scripts do, and what they would use to be seen.
WATCH = "window.ran = []; window.xss = (...name) => { window.ran.push(String(name)); }; window.alert = window.xss;"


@dataclass(frozen=True)
class Console:
    """A console under test, and the server it shows.

    Attributes:
        url: Where a browser finds it.
        server: Address of the API.
        home: State of the server.
    """

    url: str
    server: str
    home: Path
    access_key: str = "testing"
    secret_key: str = "testing"
    bearer: str = "testing"

    def client(self, service: str):
        """A boto3 client of the server."""
        return boto3.Session().client(
            service,
            endpoint_url=self.server,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(retries={"total_max_attempts": 1}, proxies={}, s3={"addressing_style": "path"}),
        )


@dataclass(frozen=True)
class Tuned:
    """A training that is over: the id of its job, and the name of its model."""

    job: str
    model: str


def ready(url: str) -> None:
    """Wait until a console answers."""
    with urllib.request.urlopen(f"{url}/healthz", timeout=60) as answer:
        assert answer.read() == b"ok\n"


def start(home: Path, **settings: str):
    """A server with a console on free ports."""
    home.mkdir(parents=True, exist_ok=True)
    names = {name: value for name, value in os.environ.items() if not name.startswith(("ROCA_", "AWS_"))}
    names |= {"ROCA_SERVER__PORT": "0", "ROCA_CONSOLE__PORT": "0", "ROCA_CONFIG": str(home / "none.toml")}
    names |= {f"ROCA_{name.upper()}": value for name, value in settings.items()}
    server = start_server(home, names)
    ready(server.console)
    return server


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Iterator[Console]:
    """An open one, whose text models are the fake engine; one model's card is hostile."""
    base = tmp_path_factory.mktemp("console")
    cards = base / "embedded" / "roca-mini"
    cards.mkdir(parents=True)
    for file in (checkout / "models" / "roca-mini").iterdir():
        if file.is_file() and file.name != "card.md":
            (cards / file.name).symlink_to(file)
    body = "\n\n".join([*PAYLOADS, *(f"[link]({text})" for text in PAYLOADS)])
    (cards / "card.md").write_text(f"---\nlicense: apache-2.0\n---\n# A hostile card\n\n**the beginning**\n\n{body}\n")
    server = start(
        base / "home",
        catalog__default_model="rocamadre.fake-v1:0",
        catalog__embedded_models=str(base / "embedded"),
        log__invocation_flush_s="0.2",
    )
    yield Console(server.console, server.address, base / "home")
    stop_server(base / "home", server)


@pytest.fixture(scope="session")
def locked_console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """One that wants keys, and keys for it; it has no model but the fake ones."""
    base = tmp_path_factory.mktemp("locked")
    home = base / "home"
    home.mkdir(parents=True)
    with local_host(Session(home)) as host:
        pair = create_key(host.sql, home, host.clock, name="pair", kind="signing")
        bearer = create_key(host.sql, home, host.clock, name="bearer", kind="bearer")
    server = start(home, server__auth="required", catalog__embedded_models=str(base / "none"))
    yield Console(server.console, server.address, home, pair.key.id, pair.secret, bearer.secret)
    stop_server(home, server)


@pytest.fixture(scope="session")
def lonely_console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """One whose server is gone."""
    home = tmp_path_factory.mktemp("lonely")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{taken.getsockname()[1]}"
    settings = load_settings(home=home, server={"port": 0}, console={"port": 0})
    listener = listen(settings, 0)
    process = subprocess.Popen(
        console_command(), stdin=subprocess.PIPE, env=console_environment(), pass_fds=(listener.fileno(),)
    )
    process.stdin.write(console_wish(settings, gone, listener))
    process.stdin.flush()
    url = address_of(settings, listener)
    ready(url)
    yield Console(url, gone, home)
    process.stdin.close()
    assert process.wait(timeout=10) == 0
    listener.close()


@pytest.fixture(scope="session")
def browser(needs: Callable[[object, str], None]):
    """Debian's chromium, driven by Playwright; no browser is downloaded."""
    program = next((found for found in map(shutil.which, PROGRAMS) if found), None)
    needs(program, "chromium is not installed; tests of the console need it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield opened
        opened.close()


@dataclass
class Tab:
    """A page of the browser on one console.

    Attributes:
        page: Playwright's.
        wrong: What went wrong in it, as sentences.
        expected: Words of errors that the test brings about.
    """

    page: object
    url: str
    wrong: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def open(self, path: str = "/"):
        """Go to a page and wait until it shows and listens."""
        answer = self.page.goto(self.url + path)
        self.page.wait_for_selector("h1")
        if answer.status < 500 and "/login" not in self.page.url:
            self.page.wait_for_function("window.did_handshake === true")
        return answer

    def settled(self):
        """Wait until nothing is loading."""
        self.page.wait_for_function("document.querySelector('[aria-busy=true], .skeleton') === null")

    def check(self) -> None:
        """Nothing went wrong and nothing of strangers ran."""
        assert self.page.evaluate("window.ran") == []
        assert [text for text in self.wrong if not any(word in text for word in self.expected)] == []


@pytest.fixture
def make_tab(browser):
    """`make_tab(console, viewport=…, theme=…, language=…)`: pages that are checked at the end of the test."""
    contexts, tabs = [], []

    def make(console: Console, *, viewport=WIDE, theme: str = "", language: str = "en") -> Tab:
        context = browser.new_context(viewport=viewport, locale=language)
        contexts.append(context)
        if theme:
            context.add_cookies([{"name": "roca_theme", "value": theme, "url": console.url}])
        context.add_init_script(WATCH)
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=console.url)
        page = context.new_page()
        page.set_default_timeout(20_000)
        tab = Tab(page, console.url)
        host = urlsplit(console.url).netloc
        page.on("console", lambda each: tab.wrong.append(each.text) if each.type == "error" else None)
        page.on("pageerror", lambda each: tab.wrong.append(str(each)))
        page.on("dialog", lambda each: (tab.wrong.append(f"dialog {each.message}"), each.dismiss()))

        def watch(request):
            parts = urlsplit(request.url)
            if parts.scheme not in ("data", "blob") and parts.netloc != host:
                tab.wrong.append(f"request to {request.url[:200]}")

        page.on("request", watch)
        tabs.append(tab)
        return tab

    yield make
    for tab in tabs:
        tab.check()
    for context in contexts:
        context.close()


@pytest.fixture
def tab(make_tab, console) -> Tab:
    """A wide page of the open console."""
    return make_tab(console)


def eventually(check: Callable[[], object], *, timeout_s: float = 20.0) -> object:
    """What `check` returns once it is true."""
    deadline = time.monotonic() + timeout_s
    while not (found := check()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found


@pytest.fixture
def wait() -> Callable[..., object]:
    """`wait(check)`: what it returns once it is true."""
    return eventually


@pytest.fixture
def record() -> Callable[..., bytes]:
    """`record(text)`: one line of an invocation log, with a text of strangers in every place."""

    def make(text: str) -> bytes:
        return json.dumps(
            {
                "schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "timestamp": text, "accountId": text,
                "identity": {"arn": text}, "region": text, "requestId": text, "operation": text, "modelId": text,
                "servedModelId": text, "errorCode": text, "requestMetadata": {text: text},
                "input": {"inputContentType": text, "inputBodyJson": {text: [text]}, "inputTokenCount": text},
                "output": {"outputContentType": text, "outputBodyS3Path": text, "outputTokenCount": text},
            }
        ).encode()  # fmt: skip

    return make


@pytest.fixture(scope="session")
def tuned(console) -> Tuned:
    """A real training that is over, and the model that it made."""
    s3, bedrock = console.client("s3"), console.client("bedrock")
    s3.create_bucket(Bucket="tuned-data")
    rows = [{"prompt": f"Say hello {n}", "completion": "Hello there"} for n in range(8)]
    for part in ("train", "validation"):
        s3.put_object(Bucket="tuned-data", Key=f"{part}.jsonl", Body="\n".join(map(json.dumps, rows)).encode())
    made = bedrock.create_model_customization_job(
        jobName="redstart",
        customModelName="redstart-model",
        roleArn="arn:aws:iam::123456789012:role/tuning",
        baseModelIdentifier="rocamadre.roca-mini-v1:0",
        trainingDataConfig={"s3Uri": "s3://tuned-data/train.jsonl"},
        validationDataConfig={"validators": [{"s3Uri": "s3://tuned-data/validation.jsonl"}]},
        outputDataConfig={"s3Uri": "s3://tuned-data/out/"},
        hyperParameters={"epochCount": "1", "batchSize": "4"},
    )
    deadline = time.monotonic() + 300
    while (job := bedrock.get_model_customization_job(jobIdentifier=made["jobArn"]))["status"] == "InProgress":
        assert time.monotonic() < deadline, "the training takes too long"
        time.sleep(0.5)
    assert job["status"] == "Completed", job.get("failureMessage")
    return Tuned(job["jobArn"].rpartition("/")[2], job["outputModelName"])
