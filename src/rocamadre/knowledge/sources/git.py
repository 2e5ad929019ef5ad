"""Files of a git repository: one on this machine, or one fetched by http(s).

Only git's own data is read, never a working tree: no hook, filter, submodule or helper of a repository runs, whatever
its configuration says. What is fetched is one commit, with limits on size and time.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from rocamadre.core.clock import Clock
from rocamadre.core.errors import InvalidRequest, MissingDependency
from rocamadre.knowledge.sources.addresses import destination
from rocamadre.knowledge.sources.directory import allowed_path
from rocamadre.knowledge.sources.files import Wanted, only_known, text_of, wanted_of
from rocamadre.knowledge.sources.place import Place
from rocamadre.knowledge.sources.protocol import Attributes, Item, SourceFailure, sized
from rocamadre.knowledge.sources.sidecar import ENDING, read_sidecar

CLONE_TIMEOUT_S = 600.0
_READ_TIMEOUT_S = 60.0
_POLL_S = 0.2
_MEMBERS = ("repository", "ref", "include", "exclude", "hidden")
_SAFE = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "credential.helper=",
    "http.followRedirects=false",
    "protocol.allow=never",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "uploadpack.packObjectsHook=",
    "safe.directory=*",
)
"""Given to every command. `safe.directory` is git's guard against configuration that runs something; these lines, and
the commands used, leave it nothing to run."""


class _Entry(NamedTuple):
    object: str
    size_bytes: int
    path: str


class GitSource:
    """See `Source`. A document's id is the repository, `#` and its path; its version the hash of its content.

    Args:
        name: The repository as its owner calls it.
        folder: The repository, or where a remote one is fetched to.
        ref: Branch, tag or commit.
        wanted: Which of its files.
        fetch_from: `Remote`, or None for a repository on this machine.
    """

    complete = True

    def __init__(self, name: str, folder: Path, ref: str, wanted: Wanted, *, fetch_from: Remote | None = None) -> None:
        self._name = name
        self._folder = folder
        self._ref = ref
        self._wanted = wanted
        self._remote = fetch_from
        self._objects: dict[str, str] = {}
        self._reader: _Reader | None = None
        self._lock = threading.Lock()

    def listing(self) -> Iterator[Item]:
        """See `Source.listing`.

        Raises:
            InvalidRequest: it cannot be fetched, is no repository, or has no such ref.
        """
        if self._remote is not None:
            self._remote.bring(self._folder, self._ref)
        for entry, beside in self._entries():
            yield Item(
                id=f"{self._name}#{entry.path}",
                version=entry.object,
                name=entry.path.rpartition("/")[2],
                size_bytes=entry.size_bytes,
                metadata_version=beside.object if beside else "",
            )

    def fetch(self, item: Item) -> bytes | Path:
        """See `Source.fetch`."""
        sized(item.id, item.size_bytes or 0)
        return self._read(item.version, item.id)

    def attributes(self, item: Item) -> Attributes:
        """See `Source.attributes`."""
        if not item.metadata_version:
            return Attributes()
        return read_sidecar(self._read(item.metadata_version, item.id + ENDING), item.id + ENDING)

    def close(self) -> None:
        """See `Source.close`."""
        with self._lock:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def _entries(self) -> Iterator[tuple[_Entry, _Entry | None]]:
        ref = "HEAD" if self._remote is not None or not self._ref else self._ref
        try:
            output = _git(
                self._folder, "ls-tree", "-r", "-z", "--long", "--full-tree", "--end-of-options", f"{ref}^{{commit}}"
            )
        except _GitFailed as error:
            raise InvalidRequest(f"{self._name} has no readable tree at {ref!r}: {error}") from error
        entries: dict[str, _Entry] = {}
        for line in output.split(b"\0"):
            head, _, path = line.partition(b"\t")
            mode, _, rest = head.partition(b" ")
            if mode in (b"100644", b"100755"):  # Neither links nor submodules.
                _, name, size = rest.split()
                text = path.decode("utf-8", "surrogateescape")
                if text.isprintable():
                    entries[text] = _Entry(name.decode(), int(size), text)
        for entry in entries.values():
            if self._wanted.takes(entry.path):
                yield entry, entries.get(entry.path + ENDING)

    def _read(self, name: str, at: str) -> bytes:
        with self._lock:
            try:
                if self._reader is None:
                    self._reader = _Reader(self._folder)
                return self._reader.read(name)
            except (OSError, ValueError) as error:
                if self._reader is not None:
                    self._reader.close()
                    self._reader = None
                raise SourceFailure(f"{at} cannot be read from the repository") from error


class Remote:
    """A repository elsewhere.

    Args:
        url: http or https.
        allow_private: Whether it may lie at a private address.
        most_bytes: Of what is fetched.
    """

    def __init__(
        self, url: str, clock: Clock, *, allow_private: bool, most_bytes: int, timeout_s: float = CLONE_TIMEOUT_S
    ) -> None:
        self._url = url
        self._clock = clock
        self._allow_private = allow_private
        self._most_bytes = most_bytes
        self._timeout_s = timeout_s

    def bring(self, folder: Path, ref: str) -> None:
        """Fetch one commit anew into a bare repository.

        Raises:
            InvalidRequest: it cannot be had, or is too large or too slow.
        """
        try:
            found = destination(self._url, allow_private=self._allow_private)
        except SourceFailure as error:
            raise InvalidRequest(str(error)) from error
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        # libcurl is told the address that was checked, and asks no resolver.
        pins = [f"http.curloptResolve={found.host}:{found.port}:{','.join(map(_bracketed, found.addresses))}"]
        pins += ["protocol.http.allow=always", "protocol.https.allow=always", "http.proxy="]
        try:
            _git(folder, "init", "--quiet", "--bare", "--template=")
            # A bare name only: a refspec or an option would do more than fetch one commit.
            command = ("fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--end-of-options")
            self._limited(folder, pins, [*command, found.url, ref or "HEAD"])
            (folder / "HEAD").write_text((folder / "FETCH_HEAD").read_text().split()[0] + "\n")
        except _GitFailed as error:
            raise InvalidRequest(f"{self._url} cannot be fetched: {error}") from error

    def _limited(self, folder: Path, pins: Sequence[str], command: Sequence[str]) -> None:
        deadline = self._clock.monotonic() + self._timeout_s
        errors = folder / "fetch.log"
        with errors.open("wb") as log:
            process = _start(folder, command, more=pins, protocols="http:https", stderr=log)
            reason = ""
            while not reason:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_POLL_S)
                    break
                if self._clock.monotonic() > deadline:
                    reason = f"it takes over {self._timeout_s:g} seconds"
                elif _size(folder) > self._most_bytes:
                    reason = f"it has over {self._most_bytes} bytes (setting knowledge.clone_bytes)"
            _end(process)
        if reason or process.returncode:
            raise _GitFailed(reason or errors.read_text("utf-8", "replace").strip()[-300:])


class _GitFailed(Exception):
    """A command of git failed; its message is git's."""


class _Reader:
    """`git cat-file --batch`: contents by hash, one after the other."""

    def __init__(self, folder: Path) -> None:
        self._process = _start(folder, ["cat-file", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def read(self, name: str) -> bytes:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        timer = threading.Timer(_READ_TIMEOUT_S, self._process.kill)
        timer.start()
        try:
            self._process.stdin.write(name.encode() + b"\n")
            self._process.stdin.flush()
            _, kind, size = self._process.stdout.readline().split()
            if kind != b"blob":
                raise ValueError(kind)
            data = self._process.stdout.read(int(size))
            if len(data) != int(size) or self._process.stdout.read(1) != b"\n":
                raise ValueError("cut off")
            return data
        finally:
            timer.cancel()

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        _end(self._process)


def open_source(place: Place, configuration: Mapping[str, Any]) -> GitSource:
    """Of a loader `{"type": "GIT", "repository": path or URL, "ref": …, "include": […], "exclude": […]}`.

    Raises:
        InvalidRequest: a member is wrong.
        AccessDenied: the settings do not allow this folder.
        MissingDependency: there is no git.
    """
    only_known(configuration, _MEMBERS, "GIT")
    if shutil.which("git") is None:
        raise MissingDependency("loaders of the type GIT need the program git; install it")
    name, ref = text_of(configuration, "repository", "GIT"), text_of(configuration, "ref", "GIT", "")
    if ref.startswith("-") or not ref.isprintable() or any(letter in ref for letter in " :^~?*[\\"):
        raise InvalidRequest(f"ref is {ref[:100]!r}; it is the name of a branch or tag, or a commit")
    wanted = wanted_of(configuration)
    if name.startswith(("http://", "https://")):
        remote = Remote(
            name, place.clock, allow_private=place.settings.private_addresses, most_bytes=place.settings.clone_bytes
        )
        return GitSource(name, place.scratch / "repository.git", ref, wanted, fetch_from=remote)
    if "://" in name or "::" in name or name.startswith("-"):
        raise InvalidRequest(f"repository is {name[:200]!r}; it is a folder of this machine, or an http or https URL")
    folder = Path(name).expanduser().resolve()
    allowed_path(place, folder)
    return GitSource(name, folder, ref, wanted)


def _git(folder: Path, *command: str) -> bytes:
    process = _start(folder, command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        output, errors = process.communicate(timeout=_READ_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise _GitFailed(f"git takes over {_READ_TIMEOUT_S:g} seconds") from error
    finally:
        _end(process)
    if process.returncode:
        raise _GitFailed(errors.decode("utf-8", "replace").strip()[-300:])
    return output


def _start(
    folder: Path,
    command: Sequence[str],
    *,
    more: Sequence[str] = (),
    protocols: str = "none",
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    settings = [word for setting in (*_SAFE, *more) for word in ("-c", setting)]
    environment = {
        name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "SSL_CERT_FILE") if name in os.environ
    }
    environment |= {
        "HOME": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_ALLOW_PROTOCOL": protocols,
        "LC_ALL": "C.UTF-8",
    }
    return subprocess.Popen(
        ["git", *settings, "-C", str(folder), *command],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=environment,
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it with all that it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _size(folder: Path) -> int:
    total = 0
    for at, _, files in os.walk(folder):
        for name in files:
            with suppress(OSError):
                total += os.lstat(os.path.join(at, name)).st_size
    return total


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
