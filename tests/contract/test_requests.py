"""Requests of every operation: what botocore sends is routed and read back; each broken trait is named."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from botocore.awsrequest import prepare_request_dict

from rocamadre.core.errors import CommonError, InvalidRequest
from rocamadre.testing.breakage import broken
from rocamadre.testing.requests import wire_request


def variants(each, models, examples):
    """The smallest valid request, then full ones that together show every member of every union."""
    service, operation = each
    shape = models[service]["operations"][operation].get("input", {}).get("shape")
    if shape is None:
        return [{}]
    makes = examples[service]
    return [makes.minimal(shape), *(makes.full(shape, choice=choice) for choice in range(makes.choices(shape)))]


def sent_by_botocore(model, serializer, params, prefix):
    """Method, raw path, query, headers and body as botocore puts them on the wire."""
    request = serializer.serialize_to_request(params, model)
    prepare_request_dict(request, endpoint_url=f"http://127.0.0.1:4599{prefix}")
    url = request["url"].removeprefix("http://127.0.0.1:4599")
    path, _, query = url.partition("?")
    body = request["body"]
    headers = {name.lower(): str(value) for name, value in request["headers"].items()}
    return request["method"], path.encode(), query.encode(), headers, body.encode() if isinstance(body, str) else body


@pytest.mark.parametrize("prefixed", [True, False])
def test_what_botocore_sends_is_read_back(sendable, models, services, router, examples, official, serializer, prefixed):
    service, name = sendable
    operation = services[service].operations[name]
    for params in variants(sendable, models, examples):
        prefix = f"/{service}" if prefixed else ""
        method, path, query, headers, body = sent_by_botocore(
            official[service].operation_model(name), serializer, params, prefix
        )
        match = (
            router.find(method, path, body) if prefixed else found_without_prefix(router, method, path, body, operation)
        )
        assert match is not None
        assert match.operation is operation
        request, unknown = operation.read(match.labels, query, headers, body)
        assert request == params
        assert unknown == []


def found_with_prefix(router, method, path, body, operation):
    return router.find(method, path, body)


def found_without_prefix(router, method, path, body, operation):
    """The operation itself, or, where services share the path, a refusal that names them and what to do."""
    try:
        return router.find(method, path, body)
    except CommonError as refusal:
        message = refusal.message
    assert f"{operation.service.name}:{operation.name}" in message
    assert f"/{operation.service.name}" in message
    return router.find(method, f"/{operation.service.name}".encode() + path, body)


def test_our_own_requests_are_botocores(sendable, models, services, examples, official, serializer):
    """The requests that break traits are written by our own code: on valid values it must agree with botocore."""
    service, name = sendable
    for params in variants(sendable, models, examples):
        method, path, query, _, _ = sent_by_botocore(official[service].operation_model(name), serializer, params, "")
        ours = wire_request(models[service], name, params)
        operation = services[service].operations[name]
        assert (ours.method, ours.path) == (method, path)
        assert sorted(ours.query.split(b"&")) == sorted(query.split(b"&"))
        assert operation.read(_labels(params, models[service], name), query, ours.headers, ours.body)[0] == params


def _labels(params, model, name):
    shape = model["shapes"][model["operations"][name].get("input", {}).get("shape", "")] if params else {"members": {}}
    return {
        reference["locationName"]: str(params[member])
        for member, reference in shape["members"].items()
        if reference.get("location") == "uri"
    }


def test_each_broken_trait_is_named(sendable, models, services, router, examples):
    service, name = sendable
    operation = services[service].operations[name]
    seen, problems = set(), []
    for params in variants(sendable, models, examples):
        for fault in broken(models[service], name, params):
            if fault.place in seen:
                continue
            seen.add(fault.place)
            sent = wire_request(models[service], name, fault.params)
            match = router.find(sent.method, f"/{service}".encode() + sent.path, sent.body)
            assert match is not None, fault
            try:
                operation.read(match.labels, sent.query, sent.headers, sent.body)
                problems.append(f"{fault.path}: broken {fault.trait} was accepted")
            except InvalidRequest as refusal:
                if f"at '{fault.path}' failed to satisfy constraint: Member must" not in refusal.message:
                    problems.append(f"{fault.path}: broken {fault.trait} was answered with {refusal.message[:200]}")
                elif fault.path not in {field.name for field in refusal.fields}:
                    problems.append(f"{fault.path}: not in the field list")
    assert problems == []


def test_every_path_part_survives_hostile_text(labelled, models, services, router, examples):
    """Labels come back as they were, whatever they hold; the pattern then judges them."""
    service, name = labelled
    shape = models[service]["operations"][name].get("input", {}).get("shape")
    members = models[service]["shapes"][shape]["members"] if shape else {}
    labels = [member for member, reference in members.items() if reference.get("location") == "uri"]
    for text in ("a b", "é☃", "100%", "a+b", "a%2Fb", "?x=1#y", "arn:aws:bedrock:::x/y:z", urlencode({"a": "/"})):
        params = dict.fromkeys(labels, text)
        sent = wire_request(models[service], name, params)
        match = router.find(sent.method, f"/{service}".encode() + sent.path, b"{}")
        assert match is not None
        assert set(match.labels.values()) == {text}
