from __future__ import annotations

import json
import logging
import stat
import threading
import warnings
from pathlib import Path

import pytest

from rocamadre.core.errors import Conflict
from rocamadre.observability import logging as observed
from rocamadre.observability.logging import configure_logging


@pytest.fixture
def quiet_root():
    """The root logger without pytest's own handlers, put back afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    for handler in handlers:
        root.removeHandler(handler)
    yield root
    root.setLevel(level)
    for handler in handlers:
        root.addHandler(handler)


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_writes_event_and_fields_as_json(tmp_path, quiet_root):
    logs = configure_logging(folder=tmp_path / "logs")
    logging.getLogger("rocamadre.test").info("job.started", extra={"run": "r1", "queue": 3, "model": "ñ"})
    logs.close()
    (line,) = lines(logs.path)
    assert line["event"] == "job.started"
    assert (line["level"], line["logger"], line["run"], line["queue"], line["model"]) == (
        "INFO", "rocamadre.test", "r1", 3, "ñ",
    )  # fmt: skip
    assert line["time"].endswith("+00:00")
    assert stat.S_IMODE(logs.path.stat().st_mode) == 0o600


def test_sensitive_fields_and_keys_in_text_are_dropped(tmp_path, quiet_root):
    logs = configure_logging(folder=tmp_path)
    logger = logging.getLogger("x")
    logger.warning(
        "call.failed",
        extra={
            "prompt": "TOP",
            "headers": {"Authorization": "TOP", "X-Amz-Security-Token": "TOP", "host": "h"},
            "parts": [{"text": "TOP"}],
            "detail": "Bearer TOP",
        },
    )
    logger.warning("retrying %s", "https://h/?X-Amz-Signature=TOP&a=1 with AKIATOPTOPTOPTOPTOP")
    logs.close()
    text = logs.path.read_text()
    assert "TOP" not in text
    first, second = lines(logs.path)
    assert first["headers"]["host"] == "h"
    assert "a=1" in second["event"]


def test_error_is_logged_without_foreign_sentences(tmp_path, quiet_root):
    logs = configure_logging(folder=tmp_path)
    try:
        try:
            raise ValueError("".join(("SE", "CRET")))
        except ValueError as error:
            raise Conflict("guardrail 'g' exists") from error
    except Conflict:
        logging.getLogger("x").exception("request.failed")
    logs.close()
    (line,) = lines(logs.path)
    assert "SECRET" not in logs.path.read_text()
    assert "rocamadre.core.errors.Conflict: guardrail 'g' exists" in line["error"]
    assert "caused by" in line["error"]
    assert "builtins.ValueError" in line["error"]
    assert "test_logging.py" in line["error"]


def test_level_and_noisy_libraries(tmp_path, quiet_root):
    logs = configure_logging(folder=tmp_path, level="DEBUG")
    logging.getLogger("botocore.auth").debug("StringToSign with everything")
    logging.getLogger("rocamadre").debug("kept")
    logs.close()
    assert [line["event"] for line in lines(logs.path)] == ["kept"]


def test_terminal_lines_are_plain(tmp_path, quiet_root, capsys):
    logs = configure_logging(terminal=True)
    logging.getLogger("x").info("server.ready", extra={"address": "http://h", "detail": "two words", "secret": "s3"})
    logs.close()
    line = capsys.readouterr().err
    assert line.endswith('INFO    server.ready address=http://h detail="two words" secret=[dropped]\n')
    assert logs.path is None


def test_rotates(tmp_path, quiet_root, monkeypatch):
    monkeypatch.setattr(observed, "_FILE_BYTES", 2000)
    logs = configure_logging(folder=tmp_path)
    for number in range(200):
        logging.getLogger("x").info("tick", extra={"number": number})
    logs.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["server.jsonl", *(f"server.jsonl.{part}" for part in range(1, 6))]
    assert lines(logs.path)[-1]["number"] == 199


def test_a_stuck_disk_does_not_block_and_losses_are_told(tmp_path, quiet_root, monkeypatch):
    monkeypatch.setattr(observed, "_QUEUE_LENGTH", 5)
    logs = configure_logging(folder=tmp_path)
    stuck = threading.Event()
    sink = logs._listener.handlers[0]
    emit = sink.emit
    monkeypatch.setattr(sink, "emit", lambda record: (stuck.wait(5), emit(record)))
    for _ in range(50):
        logging.getLogger("x").info("tick")
    assert logs.dropped >= 40
    stuck.set()
    logs.close()
    assert {"event": "log.dropped", "count": logs.dropped}.items() <= lines(logs.path)[-1].items()


def test_warnings_reach_the_log(tmp_path, quiet_root):
    logs = configure_logging(folder=tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old thing", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(False)
    logs.close()
    assert "old thing" in lines(logs.path)[0]["event"]
