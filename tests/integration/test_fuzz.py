"""The short form of `python -m benchmarks.fuzz`."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
import pytest

import rocamadre.api.endpoints  # noqa: F401  (registers every handler)
from rocamadre.api.wire.models import load_models
from rocamadre.testing.fuzz import Fuzzer


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_is_sent_nothing_breaks(server, seed):
    tally = Fuzzer(server.address, load_models(), seed).run(seconds=60, most=2500)
    assert tally.faults == []
    assert tally.sent.total() == 2500
    assert tally.statuses[200] > 50
    assert tally.statuses[400] > 500
    assert psutil.pid_exists(server.pid)
    logs = "".join(path.read_text() for path in (server.home / "logs").rglob("*.*"))
    assert "crashed" not in logs


class Broken(BaseHTTPRequestHandler):
    """A server that answers everything with a bare 500."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        self.send_response(500)
        self.send_header("content-length", "4")
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(b"oops")
        self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer

    def log_message(self, *_):
        pass


def test_the_fuzzer_sees_faults():
    """Without this, a fuzzer that notices nothing would pass for a server that is sound."""
    broken = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
    thread = threading.Thread(target=broken.serve_forever)
    thread.start()
    try:
        tally = Fuzzer(f"http://127.0.0.1:{broken.server_port}", load_models(), 1).run(seconds=30, most=40)
    finally:
        broken.shutdown()
        thread.join()
        broken.server_close()
    assert any("a server error" in fault for fault in tally.faults)
    assert any("500 to raw" in fault for fault in tally.faults)
    assert any("no JSON" in fault for fault in tally.faults)
