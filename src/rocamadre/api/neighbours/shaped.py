"""Neighbours whose wire is derived from botocore's models: requests, answers and errors by their shapes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rocamadre.api.http import Reply
from rocamadre.api.neighbours.answers import ANSWERS
from rocamadre.api.neighbours.dispatch import NeighbourRequest, json_target, neighbour, not_built, query_action
from rocamadre.api.neighbours.errors import json_error, query_error
from rocamadre.api.neighbours.models import load_reduced
from rocamadre.api.neighbours.query import FormReader, write_xml
from rocamadre.api.wire.failures import declared_for
from rocamadre.api.wire.operations import Operation, Service
from rocamadre.api.wire.read import Findings
from rocamadre.api.wire.routes import Match, Router
from rocamadre.core.context import Context
from rocamadre.core.errors import CommonError, InvalidRequest, QuotaExceeded, RocamadreError

_INVALID = {"sts": "ValidationError", "iam": "ValidationError", "logs": "InvalidParameterException"}
"""What a service calls a request that breaks a shape; otherwise it is a ValidationException."""
_MODELS = {"aoss": "opensearchserverless"}
"""botocore's name of a service, where credential scopes have another."""
_TOO_MANY = {"iam": "LimitExceeded", "logs": "LimitExceededException"}


class Shaped:
    """One service: its compiled operations, and how requests name them.

    Args:
        name: botocore's.
        model: Reduced; see `models.py`.
    """

    def __init__(self, name: str, model: dict[str, Any]) -> None:
        self.service = Service(name, model)
        self.protocol: str = model["metadata"]["protocol"]
        self.namespace = f"https://{name}.amazonaws.com/doc/{model['metadata']['apiVersion']}/"
        self.content_type = f"application/x-amz-json-{model['metadata'].get('jsonVersion', '1.0')}"
        self.router = Router({name: self.service}) if self.protocol == "rest-json" else None
        self._form = FormReader(model["shapes"])
        self._operations: dict[str, Any] = model["operations"]

    def match(self, request: NeighbourRequest) -> Match | None:
        """The operation that a request means; None for none of this service's."""
        if self.router is not None:
            try:
                return self.router.find(request.method, request.raw_path, b"")
            except CommonError:
                return None
        name = query_action(request) if self.protocol == "query" else json_target(request)
        operation = self.service.operations.get(name)
        return Match(operation, {}, True) if operation is not None else None

    def read(self, match: Match, request: NeighbourRequest) -> tuple[dict[str, Any], list[str]]:
        """The request by member name, and the paths of members that nobody knows."""
        operation = match.operation
        if self.protocol != "query":
            return operation.read(match.labels, request.query, request.headers, request.body)
        found = Findings()
        shape = self._operations[operation.name].get("input", {}).get("shape")
        value = self._form.read(shape, request.form(), found)
        if shape is not None:
            value = self.service.readers.reader(shape, timestamp_form="iso8601")(value, "", found)
        if found.failures:
            raise found.error()
        return value, found.unknown

    def write(self, operation: Operation, response: Mapping[str, Any], request_id: str) -> Reply:
        """The answer."""
        output = self._operations[operation.name].get("output", {})
        if self.protocol == "query":
            body = write_xml(
                operation.name,
                response,
                output=output,
                shapes=self.service.shapes,
                namespace=self.namespace,
                request_id=request_id,
            )
            return Reply(200, {"content-type": "text/xml"}, body)
        encoded = operation.write(response)
        status = encoded.status
        if self.protocol == "json":
            encoded.headers["content-type"] = self.content_type
        elif output and "StatusCode" in self.service.shapes[output["shape"]]["members"]:
            status = response["StatusCode"]
        return Reply(status, encoded.headers, b"" if status == 204 else encoded.body)


_loaded: dict[str, Shaped] = {}


def prepare(cache: Path | None) -> None:
    """Compile the services once; a server does so at its start, with its cache."""
    if not _loaded:
        models = load_reduced({_MODELS.get(name, name): tuple(known) for name, known in ANSWERS.items()}, cache)
        _loaded.update({name: Shaped(name, models[_MODELS.get(name, name)]) for name in ANSWERS})


def shaped(name: str) -> Shaped:
    """A service that is registered."""
    prepare(None)
    return _loaded[name]


def register(name: str, *, is_long: bool = False) -> None:
    """Let a service, all of whose operations are in `ANSWERS`, take its requests."""
    operations = tuple(ANSWERS[name])
    neighbour(name, operations=operations, named_by=named, errors=shaped_error, is_long=is_long)(answer)


def named(request: NeighbourRequest) -> str:
    """The operation that a request means, or nothing."""
    match = shaped(request.neighbour.name).match(request)
    return match.operation.name if match is not None else ""


async def answer(context: Context, request: NeighbourRequest) -> Reply:
    """Answer a request by the function that is registered for its operation."""
    service = shaped(request.neighbour.name)
    match = service.match(request)
    known = ANSWERS[request.neighbour.name].get(match.operation.name) if match is not None else None
    if match is None or known is None:
        raise not_built(request.neighbour.name, match.operation.name if match is not None else "")
    members, unknown = service.read(match, request)
    if unknown:
        context.reply_headers["x-rocamadre-ignored"] = ",".join(unknown[:5]).encode("ascii", "replace").decode()[:200]
    loop = asyncio.get_running_loop()
    response = await loop.run_in_executor(known.executor, known.function, context, members)
    return service.write(match.operation, response, context.request_id)


def shaped_error(error: RocamadreError, request: NeighbourRequest, request_id: str) -> Reply:
    """An error by the code that the operation declares, or else by the service's common one."""
    name = request.neighbour.name
    operation = shaped(name).service.operations.get(request.operation)
    declared = declared_for(error, operation)
    if not isinstance(error, CommonError):
        code, status = declared.code, declared.status
        if operation is None or code not in operation.errors:
            code = next((codes[name] for kind, codes in _COMMON if isinstance(error, kind) and name in codes), code)
        common = CommonError(code, status, error.message)
        common.retry_after_s = error.retry_after_s
        error = common
    form = query_error if shaped(name).protocol == "query" else json_error
    return form(error, request, request_id)


_COMMON = ((InvalidRequest, _INVALID), (QuotaExceeded, _TOO_MANY))
