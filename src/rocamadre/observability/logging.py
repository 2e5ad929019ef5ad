"""Structured logs: an event name and fields, as JSON lines in a file and as plain lines on a terminal.

Call sites write `logger.info("job.started", extra={"run": run_id})`. What a call must not log (prompts,
answers, keys) is kept out twice: call sites do not pass it, and the filter here drops the fields that usually hold it.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import queue
import re
import sys
import time
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from rocamadre.core.errors import RocamadreError

LOG_FILE = "server.jsonl"
"""Name of the log in the folder of logs; older parts are `server.jsonl.1` and so on."""

DROPPED = "[dropped]"
"""Stands where a sensitive value was."""

SENSITIVE = frozenset(
    """
    answer api_key apikey arguments authorization body completion content cookie credential document
    documents embedding generation input input_text inputtext instruction message_text messages
    output output_text outputtext password prompt query_text secret secret_access_key secret_key
    security_token session_token set_cookie signature signing_key system text texts token tool_input
    x_amz_security_token x_api_key
    """.split()
)
"""Field names, in lower case with `_`, whose values never reach a log."""

_FILE_BYTES = 10_000_000
_FILES_KEPT = 5
_QUEUE_LENGTH = 10_000
_CLOSE_TIMEOUT_S = 10.0
_BATCH_S = 0.05
_MESSAGE_LENGTH = 300
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
# A bearer token, a SigV4 signature, an AWS-shaped or our own key inside free text, such as another library's message.
_SECRET_TEXT = re.compile(
    r"(?i)(bearer\s+)\S+|(signature=)[0-9a-f]+|(X-Amz-(?:Signature|Security-Token)=)[^&\s]+|\b(A[KS]IA)[A-Z0-9]{12,}"
)


class Logs:
    """Logging as configured; `close` writes what is still queued.

    Attributes:
        path: The log file, or None.
    """

    def __init__(self, handler: _Queued, listener: logging.handlers.QueueListener, path: Path | None) -> None:
        self.path = path
        self._handler = handler
        self._listener = listener

    @property
    def dropped(self) -> int:
        """Records lost because the disk could not keep up."""
        return self._handler.dropped

    def close(self) -> None:
        """Write what is queued and stop; logging is then as if never configured."""
        root = logging.getLogger()
        root.removeHandler(self._handler)
        logging.captureWarnings(False)
        # The listener's own end mark needs a place in the queue.
        patience = time.monotonic() + _CLOSE_TIMEOUT_S
        while self._handler.queue.full() and time.monotonic() < patience:
            time.sleep(0.01)
        self._listener.stop()
        if self.dropped:
            record = logging.makeLogRecord({"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING"})
            record.msg, record.count = "log.dropped", self.dropped
            self._listener.handle(record)
        for handler in self._listener.handlers:
            handler.close()
        self._handler.close()


class _Queued(logging.handlers.QueueHandler):
    """Puts records on a queue, so that neither a slow disk nor a stopped terminal holds the event loop."""

    queue: queue.Queue[logging.LogRecord]

    def __init__(self) -> None:
        super().__init__(queue.Queue(_QUEUE_LENGTH))
        self.dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Render what may change before the record is written."""
        record.message = record.getMessage()
        record.msg, record.args = record.message, None
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = describe_error(record.exc_info[1])
        record.exc_info = None
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """Queue a record; count it as lost when the queue is full."""
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1


class _Listener(logging.handlers.QueueListener):
    """Writes what is queued a batch at a time: waking for each record would cost a busy server a tenth of its time."""

    queue: queue.Queue[Any]

    def dequeue(self, block: bool) -> Any:
        """The next record; after a quiet spell, what comes within `_BATCH_S` of it follows at once."""
        quiet = self.queue.empty()
        record = self.queue.get(block)
        if quiet and block and isinstance(record, logging.LogRecord):
            time.sleep(_BATCH_S)
        return record

    def handle(self, record: logging.LogRecord) -> None:
        """Write a record; flush with the last of a batch."""
        super().handle(record)
        if self.queue.empty():
            for handler in self.handlers:
                if isinstance(handler, _RotatingFile):
                    handler.flush_batch()


class _RotatingFile(logging.handlers.RotatingFileHandler):
    """Rotates by the file's size alone; the standard handler formats each record a second time to foresee it."""

    def shouldRollover(self, record: logging.LogRecord) -> bool:
        """Whether the file has reached its size."""
        if self.stream is None:
            self.stream = self._open()
        return self.maxBytes > 0 and self.stream.tell() >= self.maxBytes

    def flush(self) -> None:
        """Nothing after each record; `flush_batch` does it."""

    def flush_batch(self) -> None:
        """Hand what was written to the system."""
        super().flush()


class JsonFormatter(logging.Formatter):
    """One JSON object per line: `time`, `level`, `logger`, `event`, the call's fields, `error`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": scrub(record.getMessage()),
            **fields_of(record),
        }
        if record.exc_text:
            line["error"] = record.exc_text
        return msgspec.json.encode(line, enc_hook=str).decode()


class PlainFormatter(logging.Formatter):
    """For people: `12:03:01 INFO    job.started run=… queue=…`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, and its error under it."""
        clock = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        fields = "".join(f" {name}={_plain(value)}" for name, value in fields_of(record).items())
        error = f"\n{record.exc_text}" if record.exc_text else ""
        return f"{clock} {record.levelname:<7} {scrub(record.getMessage())}{fields}{error}"


def configure_logging(*, level: str = "INFO", folder: Path | None = None, terminal: bool = False) -> Logs:
    """Send everything that is logged to a file, a terminal or both.

    Args:
        level: Least severity written, `DEBUG` to `ERROR`.
        folder: Where `LOG_FILE` is written and rotated (mode 0600, five older parts of 10 MB); None: no file.
        terminal: Also write plain lines to standard error.
    """
    sinks: list[logging.Handler] = []
    path = None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / LOG_FILE
        os.close(os.open(path, os.O_CREAT | os.O_APPEND, 0o600))
        file = _RotatingFile(path, maxBytes=_FILE_BYTES, backupCount=_FILES_KEPT, encoding="utf-8")
        file.setFormatter(JsonFormatter())
        sinks.append(file)
    if terminal:
        stream = logging.StreamHandler(sys.stderr)
        stream.setFormatter(PlainFormatter())
        sinks.append(stream)
    handler = _Queued()
    listener = _Listener(handler.queue, *sinks)
    listener.start()
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)
    # Libraries log requests' bodies and headers at DEBUG.
    for name in ("asyncio", "botocore", "boto3", "urllib3", "httpx", "httpcore", "aiohttp", "huggingface_hub"):
        logging.getLogger(name).setLevel(max(logging.INFO, root.level))
    logging.captureWarnings(True)
    return Logs(handler, listener, path)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """What a call passed as `extra`, without sensitive values."""
    return {name: drop_sensitive(name, value) for name, value in vars(record).items() if name not in _STANDARD}


def drop_sensitive(name: str, value: Any) -> Any:
    """A field's value as it may be logged.

    >>> drop_sensitive("headers", {"Authorization": "Bearer x", "host": "localhost"})
    {'Authorization': '[dropped]', 'host': 'localhost'}
    """
    if name.lower().replace("-", "_") in SENSITIVE:
        return DROPPED
    if isinstance(value, Mapping):
        return {key: drop_sensitive(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [drop_sensitive("", item) for item in value]
    return scrub(value) if isinstance(value, str) else value


def scrub(text: str) -> str:
    """Free text without what looks like a key.

    >>> scrub("sent Bearer abc.def to Signature=00ff")
    'sent Bearer [dropped] to Signature=[dropped]'
    """
    return _SECRET_TEXT.sub(lambda found: "".join(part or "" for part in found.groups()) + DROPPED, text)


def describe_error(error: BaseException) -> str:
    """An error's stack and kind, and its causes'.

    The sentence of an error is written only when it is one of ours: those of other libraries quote what they were
    given, which may be a prompt.
    """
    parts: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        kind = f"{type(current).__module__}.{type(current).__qualname__}"
        sentence = f": {scrub(current.message)[:_MESSAGE_LENGTH]}" if isinstance(current, RocamadreError) else ""
        stack = "".join(traceback.format_list(traceback.extract_tb(current.__traceback__)))
        parts.append(f"{stack}{kind}{sentence}")
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\ncaused by\n".join(parts)


def _plain(value: Any) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or re.search(r"[\s\"=]", text) else text
