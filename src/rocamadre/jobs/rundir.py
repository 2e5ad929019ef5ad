"""One run's folder: what was asked, how far it is, and what came of it. It survives `kill -9` at any moment.

```
RUN_DIR/
  spec.json        what was asked; written once
  progress.jsonl   one line per step done; a torn last line is passed over
  stop             its presence asks the run to save and leave
  result.json      written last: present means done
  lock             held by the process at work; the system releases it when that dies
  work/            whatever the run needs
```
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from rocamadre.core.clock import Clock
from rocamadre.core.errors import Conflict, InvalidRequest


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, whatever dies."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON value as `write_whole` does."""
    write_whole(path, msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; None when it is not there.

    Raises:
        InvalidRequest: it is no JSON.
    """
    try:
        return msgspec.json.decode(path.read_bytes())
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"{path.name} is not valid JSON: {error}") from error


class RunDir:
    """The folder of one run.

    Args:
        path: Made when the run is begun.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def work(self) -> Path:
        """Where the run keeps its files."""
        return self.path / "work"

    def begin(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Make the folder; a folder that is there keeps the spec it has, so that a repeat goes on with the same.

        Returns:
            The spec that holds.
        """
        self.work.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = self.spec()
        if found is None:
            write_json(self.path / "spec.json", spec)
            return dict(spec)
        return found

    def spec(self) -> dict[str, Any] | None:
        """What was asked; None before `begin`."""
        spec: dict[str, Any] | None = read_json(self.path / "spec.json")
        return spec

    def note(self, clock: Clock, event: Mapping[str, Any]) -> None:
        """Append one line to the progress; one write, so that lines of two processes do not mix."""
        line = msgspec.json.encode({"at": clock.now().isoformat(), **event}) + b"\n"
        descriptor = os.open(self.path / "progress.jsonl", os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            end = os.lseek(descriptor, 0, os.SEEK_END)
            if end and os.pread(descriptor, 1, end - 1) != b"\n":
                line = b"\n" + line  # A full disk tore the line before; this one must not be lost with it.
            os.write(descriptor, line)
        finally:
            os.close(descriptor)

    def progress(self) -> list[dict[str, Any]]:
        """All whole lines, oldest first."""
        try:
            lines = (self.path / "progress.jsonl").read_bytes().splitlines()
        except FileNotFoundError:
            return []
        found = []
        for line in lines:
            try:
                found.append(msgspec.json.decode(line, type=dict[str, Any]))
            except msgspec.DecodeError:
                continue
        return found

    def request_stop(self) -> None:
        """Ask the run to save and leave."""
        (self.path / "stop").touch()

    def stop_requested(self) -> bool:
        """Whether somebody asked."""
        return (self.path / "stop").exists()

    def clear_stop(self) -> None:
        """Forget an earlier request; when the run is begun again."""
        (self.path / "stop").unlink(missing_ok=True)

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write the result; the run is then done."""
        write_json(self.path / "result.json", result)

    def result(self) -> dict[str, Any] | None:
        """What came of it; None while it is not done."""
        result: dict[str, Any] | None = read_json(self.path / "result.json")
        return result

    def discard(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the run for this process.

        Raises:
            Conflict: another process is at it.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.path / "lock").open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Conflict(f"another process works on run {self.path.name}; wait for it or stop it") from error
            yield
