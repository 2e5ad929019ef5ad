from __future__ import annotations

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from rocamadre.core.errors import InvalidRequest
from rocamadre.neighbours.lambdas import runner
from rocamadre.neighbours.lambdas.errors import ContentInvalid, FunctionNotFound, TooManyInvocations
from rocamadre.neighbours.lambdas.invoking import _slots_of, invoke, invoke_function
from rocamadre.neighbours.logs.reading import filter_events

ARN = "arn:aws:lambda:us-east-1:123456789012:function:mapped"


@pytest.fixture
def web():
    """A server that answers as `answers` says by path; `web.got` is what came."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            server.got.append((self.path, self.headers["content-type"], body))
            status, answer, headers = server.answers[self.path]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.got, server.answers = [], {}
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("key", ["mapped", ARN])
@pytest.mark.parametrize("name", ["mapped", ARN, "123456789012:function:mapped", f"{ARN}:1"])
def test_a_url_answers_for_a_function(make_context, web, key, name):
    web.answers["/f"] = (200, '{"é": 1}'.encode(), {})
    ctx = make_context(neighbours={"lambda_functions": {key: f"{web.address}/f"}})
    done = invoke_function(ctx, name, {"q": "ü"})
    assert (done.value(), done.failed) == ({"é": 1}, False)
    path, kind, body = web.got[0]
    assert (path, kind, json.loads(body)) == ("/f", "application/json", {"q": "ü"})
    logged = [event.message for event in filter_events(ctx, "/aws/lambda/mapped").events]
    assert logged[0].startswith("START RequestId: ")


def test_a_version_may_be_mapped_apart(make_context, web):
    web.answers |= {"/one": (200, b"1", {}), "/any": (200, b"0", {})}
    functions = {"mapped:1": f"{web.address}/one", "mapped": f"{web.address}/any"}
    ctx = make_context(neighbours={"lambda_functions": functions})
    assert invoke_function(ctx, "mapped:1", None).value() == 1
    assert invoke_function(ctx, "mapped:2", None).value() == 0


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((500, b"broken", {}), "Function.HttpError"),
        ((302, b"", {"location": "/elsewhere"}), "Function.HttpError"),
        ((200, b"no json", {}), "Runtime.MarshalError"),
        ((200, b"x" * 6_300_000, {}), "Function.ResponseSizeTooLarge"),
    ],
)
def test_what_a_url_answers_wrongly_is_the_functions_error(make_context, web, answer, kind):
    web.answers["/f"] = answer
    ctx = make_context(neighbours={"lambda_functions": {"mapped": f"{web.address}/f"}})
    done = invoke_function(ctx, "mapped", None)
    assert (done.failed, done.value()["errorType"]) == (True, kind)
    assert [path for path, _, _ in web.got] == ["/f"]


def test_a_url_where_nobody_is(make_context):
    ctx = make_context(neighbours={"lambda_functions": {"mapped": "http://127.0.0.1:9/f"}})
    assert invoke_function(ctx, "mapped", None).value()["errorType"] == "Function.Unreachable"


def test_the_owners_python_answers_for_a_function_without_walls(make_context, tmp_path, monkeypatch):
    source = (
        "import os\n"
        "def handler(event, context):\n"
        "    print('seen', event)\n"
        "    return [event, context.function_name, os.getpid(), 'ROCA_HOME' in os.environ, os.environ['KEPT']]\n"
    )
    (tmp_path / "mine.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROCA_HOME", "x")
    monkeypatch.setenv("KEPT", "y")
    monkeypatch.setitem(runner._unwallable, os.getpid(), "it does not matter")
    ctx = make_context(neighbours={"lambda_functions": {"mapped": "mine:handler"}})
    done = invoke_function(ctx, "mapped", 5)
    event, name, pid, has_home, kept = done.value()
    assert (event, name, has_home, kept) == (5, "mapped", False, "y")
    assert pid != os.getpid()
    assert "\nseen 5\n" in done.log


@pytest.mark.parametrize("target", ["nonsense", "a b:c", "module:", ":f", "ftp://127.0.0.1/x", "file:///etc/passwd"])
def test_other_targets_are_refused(make_context, target):
    ctx = make_context(neighbours={"lambda_functions": {"mapped": target}})
    with pytest.raises(InvalidRequest, match="lambda_functions"):
        invoke_function(ctx, "mapped", None)


def test_events_and_names_are_checked(ctx):
    with pytest.raises(FunctionNotFound):
        invoke_function(ctx, "absent", None)
    with pytest.raises(FunctionNotFound):
        invoke_function(ctx, "arn:aws:lambda:us-east-1:111122223333:function:f", None)
    with pytest.raises(ContentInvalid):
        invoke(ctx, "absent", b"{")


def test_more_than_may_run_are_throttled(make_context, web):
    web.answers["/f"] = (200, b"1", {})
    settings = {"lambda_functions": {"mapped": f"{web.address}/f"}, "lambda_concurrency": 1}
    ctx = make_context(neighbours=settings)
    slots = _slots_of(ctx)
    assert slots.acquire(blocking=False)
    with pytest.raises(TooManyInvocations, match=r"lambda_concurrency"):
        invoke_function(ctx, "mapped", None)
    slots.release()
    for _ in range(3):
        assert invoke_function(ctx, "mapped", None).value() == 1
