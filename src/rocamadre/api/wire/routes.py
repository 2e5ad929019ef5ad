"""From method and raw path to an operation.

A request does not name its service: six of Bedrock's eight sign as `bedrock`. The first path part may name it
(`/bedrock-agent/...`); without it the method and path decide, and where two services share them, the trailing slash,
the ARN's type or the body, if that is certain. What stays open is refused with a sentence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

import msgspec

from rocamadre.api.wire.models import SERVICES
from rocamadre.api.wire.operations import Operation, Service
from rocamadre.core.errors import CommonError

_SESSION_ARN_KINDS = frozenset({"session"})
_AGENT_ARN_KINDS = frozenset({"agent", "agent-alias", "knowledge-base", "flow", "prompt"})
_PREFIXES = {service.encode(): service for service in SERVICES}


@dataclass(frozen=True, slots=True)
class Match:
    """An operation and what its path held.

    Attributes:
        labels: By wire name, decoded.
        slash: Whether the path's trailing slash (or its absence) is the one declared.
    """

    operation: Operation
    labels: Mapping[str, str]
    slash: bool


@dataclass(frozen=True, slots=True)
class _Template:
    operation: Operation
    parts: tuple[str, ...]
    """Literal segments; a label is `{name}`."""
    slash: bool
    literals: tuple[int, ...]
    labels: tuple[tuple[int, str], ...]

    def match(self, segments: tuple[str, ...], slash: bool) -> Match | None:
        for index in self.literals:
            if self.parts[index] != segments[index]:
                return None
        return Match(self.operation, {name: segments[index] for index, name in self.labels}, slash == self.slash)


def _template(operation: Operation) -> _Template:
    path = operation.uri.partition("?")[0]
    parts = tuple(path.strip("/").split("/"))
    labels = tuple((index, part[1:-1]) for index, part in enumerate(parts) if part.startswith("{"))
    literals = tuple(index for index, part in enumerate(parts) if not part.startswith("{"))
    return _Template(operation, parts, path.endswith("/"), literals, labels)


class Router:
    """All operations of all services.

    Args:
        services: By name.
    """

    def __init__(self, services: Mapping[str, Service]) -> None:
        # Every path begins with a literal part, so that a request meets few templates.
        self._templates: dict[tuple[str, int, str], list[_Template]] = {}
        for service in services.values():
            for operation in service.operations.values():
                template = _template(operation)
                key = (operation.method, len(template.parts), template.parts[0])
                self._templates.setdefault(key, []).append(template)
        for templates in self._templates.values():
            templates.sort(key=lambda template: -len(template.literals))

    def find(self, method: str, raw_path: bytes, body: bytes) -> Match | None:
        """The operation that a request means; None when no path fits.

        Args:
            method: HTTP method.
            raw_path: As sent, percent-encoded, without the query.
            body: Consulted only where the path leaves two operations open.

        Raises:
            CommonError: two operations fit and nothing tells them apart, or the path is no UTF-8.
        """
        try:
            service, segments, slash = _split(raw_path)
        except UnicodeDecodeError:
            raise CommonError("ValidationException", 400, "the path is not valid UTF-8") from None
        for candidate in _readings(segments):
            matches = self._match(method, candidate, slash, service)
            if matches:
                return matches[0] if len(matches) == 1 else _settle(matches, body)
        return None

    def _match(self, method: str, segments: tuple[str, ...], slash: bool, service: str | None) -> list[Match]:
        matches: list[Match] = []
        literals = -1
        if not segments:
            return matches
        for template in self._templates.get((method, len(segments), segments[0]), ()):
            if service is not None and template.operation.service.name != service:
                continue
            if len(template.literals) < literals:
                break
            match = template.match(segments, slash)
            if match is not None:
                matches.append(match)
                literals = len(template.literals)
        return matches


def _split(raw_path: bytes) -> tuple[str | None, tuple[str, ...], bool]:
    parts = raw_path.split(b"/")[1:]
    service = _PREFIXES.get(parts[0]) if parts else None
    if service is not None:
        parts = parts[1:]
    slash = bool(parts) and parts[-1] == b""
    if slash:
        parts = parts[:-1]
    return service, tuple(unquote(part.decode("latin-1"), errors="strict") for part in parts), slash


def _readings(segments: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The path as it stands, then with the segments of an ARN whose `/` came raw joined, shortest first."""
    yield segments
    start = next((index for index, segment in enumerate(segments) if segment.startswith("arn:")), None)
    if start is not None:
        for end in range(start + 2, len(segments) + 1):
            yield (*segments[:start], "/".join(segments[start:end]), *segments[end:])


def _settle(matches: list[Match], body: bytes) -> Match:
    by_service = {match.operation.service.name: match for match in matches}
    names = sorted(f"{match.operation.service.name}:{match.operation.name}" for match in matches)
    first = matches[0]
    if first.operation.uri.startswith("/tags/"):
        kind = next(iter(first.labels.values())).split(":", 5)[-1].partition("/")[0]
        if kind in _SESSION_ARN_KINDS and "bedrock-agent-runtime" in by_service:
            return by_service["bedrock-agent-runtime"]
        if kind in _AGENT_ARN_KINDS and "bedrock-agent" in by_service:
            return by_service["bedrock-agent"]
    elif first.operation.uri.startswith("/agents/"):
        exact = [match for match in matches if match.slash]
        if not body.strip() or (len(exact) == 1 and exact[0].operation.name == "PrepareAgent"):
            return by_service["bedrock-agent"]
        if _has_any(body, ("foundationModel", "instruction")):
            return by_service["bedrock-agent-runtime"]
    prefixes = " or ".join(f"/{service}" for service in sorted(by_service))
    raise CommonError(
        "ValidationException",
        400,
        f"this method and path fit {' and '.join(names)}; put the service first in the endpoint's path ({prefixes})",
    )


def _has_any(body: bytes, keys: tuple[str, ...]) -> bool:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(value, dict) and any(key in value for key in keys)
