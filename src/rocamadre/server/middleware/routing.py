"""Finding what a request is for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

from rocamadre.api.handlers import HANDLERS
from rocamadre.api.http import ROUTES, Reply, Route
from rocamadre.api.wire.routes import Router
from rocamadre.core.errors import CommonError
from rocamadre.server.exchange import Exchange, Middleware, Next


class PlainRoutes:
    """The endpoints beside the Bedrock operations.

    Args:
        routes: As registered.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[tuple[str, str], Route] = {}
        self._patterns: list[tuple[re.Pattern[str], Route]] = []
        self._methods: dict[str, set[str]] = {}
        for route in routes:
            if "{}" in route.path:
                pattern = "([^/]+)".join(re.escape(part) for part in route.path.split("{}"))
                self._patterns.append((re.compile(pattern), route))
            else:
                self._exact[route.method, route.path] = route
                self._methods.setdefault(route.path, set()).add(route.method)

    def find(self, method: str, path: str) -> tuple[Route, tuple[str, ...]] | None:
        """The endpoint of a raw path and what stood in its `{}` parts, decoded."""
        route = self._exact.get((method, path))
        if route is not None:
            return route, ()
        for pattern, candidate in self._patterns:
            if candidate.method == method and (match := pattern.fullmatch(path)):
                return candidate, tuple(unquote(value) for value in match.groups())
        return None

    def methods(self, path: str) -> set[str]:
        """The methods that an exact path takes."""
        return self._methods.get(path, set())


def find_operation(router: Router) -> Middleware:
    """The middleware that settles which operation or endpoint is meant."""
    plain = PlainRoutes(ROUTES)

    async def step(exchange: Exchange, after: Next) -> Reply:
        if exchange.neighbour is not None:
            return await after(exchange)
        path = exchange.raw_path.decode("latin-1")
        found = plain.find(exchange.method, path)
        if found is not None:
            exchange.route, exchange.path_values = found
            return await after(exchange)
        exchange.match = router.find(exchange.method, exchange.raw_path, exchange.body)
        if exchange.match is None:
            if methods := plain.methods(path):
                raise CommonError("MethodNotAllowedException", 405, f"{path} takes {', '.join(sorted(methods))}")
            raise CommonError(
                "UnknownOperationException",
                404,
                f"{exchange.method} {path[:200]} is no operation of Amazon Bedrock, nor an endpoint of Rocamadre",
            )
        operation = exchange.match.operation
        exchange.handler = HANDLERS.get((operation.service.name, operation.name))
        return await after(exchange)

    return step
