"""Every handler against its model, over HTTP: what works, what is refused, and in which words."""

from __future__ import annotations

import json
from urllib.parse import quote
from uuid import uuid4

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from rocamadre.api.handlers import HANDLERS
from rocamadre.testing.breakage import broken
from rocamadre.testing.examples import Examples
from rocamadre.testing.requests import WireRequest, wire_request

WORKING = None  # Set by the fixture below: conftest is no module to import from.
COMMON = {"UnrecognizedClientException", "ThrottlingException", "AccessDeniedException"}
UNDECLARED = {"ValidationException", "ConflictException"}
"""What CreateModelCopyJob does not declare, though its input has constraints and a client token."""


@pytest.fixture(scope="module", autouse=True)
def _working(request):
    global WORKING
    WORKING = request.getfixturevalue("working")


def prefixed(service, sent):
    return type(sent)(sent.method, f"/{service}".encode() + sent.path, sent.query, sent.headers, sent.body)


def check_refusal(answer, operation):
    """An error that the operation declares, in the form that clients read."""
    # The smallest CreateCustomModel leaves a model called "a", which the smallest id of a model then names.
    assert answer.status < 500 or b"still being created" in answer.body, answer.body
    code = answer.headers["x-amzn-errortype"]
    known = COMMON | (UNDECLARED if "ValidationException" not in operation.errors else set())
    assert code in operation.errors or code in known, f"{code} is not declared: {answer.body}"
    if code in operation.errors:
        assert answer.status == operation.errors[code].status
    assert json.loads(answer.body)[operation.errors[code].message_key if code in operation.errors else "message"]
    assert len(answer.headers["x-amzn-requestid"]) == 36


def test_every_handler_has_a_working_request(working):
    assert set(HANDLERS) - set(working) == set(), "add a line to WORKING in tests/contract/conftest.py"
    assert set(working) - set(HANDLERS) == set(), "WORKING has requests of operations without a handler"


def test_a_minimal_request_works_through_boto3(handled, connect, working, official):
    service, name = handled
    answer = getattr(connect(service), xform_name(name))(**working[handled](connect))
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == official[service].operation_model(name).http["responseCode"]
    model = official[service].operation_model(name)
    for member in model.output_shape.required_members if model.output_shape else ():
        assert member in answer
    for member in answer.values():
        if hasattr(member, "read"):
            assert json.loads(member.read())
        elif hasattr(member, "close"):
            assert list(member)


def test_the_smallest_request_of_the_model_is_answered_as_declared(handled, live, models, services, examples):
    """It need not make sense: the ids in it are made up. But what refuses it is declared, and no constraint."""
    service, name = handled
    shape = models[service]["operations"][name].get("input", {}).get("shape")
    params = examples[service].minimal(shape) if shape else {}
    answer = live.send(prefixed(service, wire_request(models[service], name, params)))
    assert b"failed to satisfy constraint" not in answer.body
    if answer.status >= 300:
        check_refusal(answer, services[service].operations[name])


def full_variants(handled, models, connect):
    """Requests with every member, on things that exist."""
    service, name = handled
    shape = models[service]["operations"][name].get("input", {}).get("shape")
    if shape is None:
        return [{}]
    known = {
        **WORKING[handled](connect),
        "clientRequestToken": lambda: uuid4().hex,
        "clientToken": lambda: str(uuid4()),
    }
    # "name" would also be that of tables and columns, deeper down.
    known = {
        member: value for member, value in known.items() if not isinstance(value, dict | list) and member != "name"
    }
    makes = Examples(models[service]["shapes"], known)
    return [makes.full(shape, choice=choice) for choice in range(makes.choices(shape))]


def test_full_requests_are_answered_as_declared(handled, live, connect, models, services):
    service, name = handled
    for params in full_variants(handled, models, connect):
        answer = live.send(prefixed(service, wire_request(models[service], name, params)))
        assert b"failed to satisfy constraint" not in answer.body
        if answer.status >= 300:
            check_refusal(answer, services[service].operations[name])
        elif not HANDLERS[handled].missing:
            assert "x-rocamadre-ignored" not in answer.headers


def test_each_broken_trait_is_refused_by_name(handled, live, connect, models, services):
    service, name = handled
    operation, seen, problems = services[service].operations[name], set(), []
    for params in full_variants(handled, models, connect):
        for fault in broken(models[service], name, params):
            if fault.place in seen:
                continue
            seen.add(fault.place)
            answer = live.send(prefixed(service, wire_request(models[service], name, fault.params)))
            code, text = answer.headers.get("x-amzn-errortype"), answer.body.decode()
            declared = operation.errors.get("ValidationException")
            if (code, answer.status) != ("ValidationException", declared.status if declared else 400):
                problems.append(f"{fault.path} {fault.trait}: {answer.status} {code} {text[:200]}")
            elif f"at '{fault.path}' failed to satisfy constraint: Member must" not in json.loads(text)["message"]:
                problems.append(f"{fault.path} {fault.trait}: {text[:200]}")
    assert problems == []
    shape = models[service]["operations"][name].get("input", {}).get("shape")
    assert seen or not models[service]["shapes"].get(shape, {}).get("members")


def test_bodies_that_are_no_json_are_refused(bodied, live, connect, models, services):
    service, name = bodied
    sent = prefixed(service, wire_request(models[service], name, WORKING[bodied](connect)))
    for body in (b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"a": NaN}', b"[" * 50_000, b'{"a":' * 50_000, b"\x00"):
        answer = live.send(type(sent)(sent.method, sent.path, sent.query, sent.headers, body))
        check_refusal(answer, services[service].operations[name])
        assert answer.headers["x-amzn-errortype"] == "ValidationException"
    answer = live.send(type(sent)(sent.method, sent.path, sent.query, {"content-type": "text/xml"}, sent.body or b"{}"))
    check_refusal(answer, services[service].operations[name])


def test_client_tokens(tokened, live, connect, models, services):
    """The same token and request get the same answer; another request under the token is the declared conflict."""
    service, name = tokened
    operation = services[service].operations[name]
    params = {**WORKING[tokened](connect), operation.token_member: str(uuid4())}
    first = live.send(prefixed(service, wire_request(models[service], name, params)))
    again = live.send(prefixed(service, wire_request(models[service], name, params)))
    assert first.status < 300
    assert (again.status, again.body) == (first.status, first.body)
    other = live.send(prefixed(service, wire_request(models[service], name, params | other_value(operation, params))))
    check_refusal(other, operation)
    mismatch = {"ConflictException", "IdempotentParameterMismatchException"}
    assert other.headers["x-amzn-errortype"] in (mismatch & set(operation.errors) or UNDECLARED)


def other_value(operation, params):
    """A member with another value than before."""
    shapes = operation.service.shapes
    members = operation._input["members"].items()
    for name, member in sorted(members, key=lambda item: item[0] in params):
        shape = shapes[member["shape"]]
        free = shape["type"] == "string" and not shape.get("enum") and name != operation.token_member
        if "location" not in member and free:
            return {name: "b" * max(1, shape.get("min", 0))}
        if "location" not in member and shape["type"] == "list" and params.get(name):
            return {name: params[name] * 2}
    raise AssertionError("no member to change; write this case by hand")


def known_handlers(models):
    """Those of operations that the installed botocore knows; an older one does not know all."""
    return [(service, name) for service, name in HANDLERS if name in models[service]["operations"]]


def paged(models):
    """Handlers that list by pages: operation, and the names of its limit, token and items."""
    found = []
    for service, name in known_handlers(models):
        operation, shapes = models[service]["operations"][name], models[service]["shapes"]
        members = shapes[operation.get("input", {}).get("shape")]["members"] if operation.get("input") else {}
        output = shapes[operation["output"]["shape"]]["members"] if operation.get("output") else {}
        limit = next((member for member in ("maxResults", "maxItems") if member in members), None)
        if limit and "nextToken" in members and "nextToken" in output:
            items = next(key for key, ref in output.items() if shapes[ref["shape"]]["type"] == "list")
            found.append((service, name, limit, items))
    return found


def test_listings_page_by_sealed_tokens(live, connect, models):
    """Whatever has three things to list here, made by this test or by one before it."""
    listings, checked = paged(models), 0
    for service, name, limit, items in listings:
        call, base = getattr(connect(service), xform_name(name)), WORKING[service, name](connect)
        for _ in range(3):
            creator = WORKING.get((service, name.replace("List", "Create").removesuffix("s")))
            if creator is not None:
                getattr(connect(service), xform_name(name.replace("List", "Create").removesuffix("s")))(
                    **creator(connect)
                )
        whole = call(**base, **{limit: 1000})[items]
        if len(whole) < 3:
            continue
        checked += 1
        pages, token = [], None
        while token is not None or not pages:
            answer = call(**base, **{limit: 2}, **({"nextToken": token} if token else {}))
            pages.append(answer[items])
            token = answer.get("nextToken")
        assert [item for page in pages for item in page] == whole
        assert all(len(page) == 2 for page in pages[:-1])
        token = call(**base, **{limit: 1})["nextToken"]
        for wrong in (token[:-2] + ("AA" if token[-2:] != "AA" else "BB"), "garbage", token + "A"):
            with pytest.raises(ClientError, match="nextToken is invalid") as refused:
                call(**base, nextToken=wrong)
            assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert checked > len(listings) // 4


def test_operations_without_a_handler_say_so(absent, live, models, examples):
    service, name = absent
    shape = models[service]["operations"][name].get("input", {}).get("shape")
    params = examples[service].minimal(shape) if shape else {}
    answer = live.send(prefixed(service, wire_request(models[service], name, params)))
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (501, "NotImplementedException")
    message = json.loads(answer.body)["message"]
    assert f"{service}:{name}" in message
    assert "coverage" in message


def test_botocore_does_not_retry_what_is_absent(connect):
    with pytest.raises(ClientError) as refused:
        connect("bedrock-agent").list_agents()
    assert refused.value.response["Error"]["Code"] == "NotImplementedException"
    assert refused.value.response["ResponseMetadata"]["RetryAttempts"] == 0


ARN = "arn:aws:bedrock:us-east-1::foundation-model/rocamadre.fake-v1:0"


@pytest.mark.parametrize("path", [quote(ARN, safe=""), quote(ARN, safe=":"), quote(ARN, safe=":/"), ARN])
@pytest.mark.parametrize("prefix", ["", "/bedrock-runtime"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_arns_in_paths_in_every_spelling(live, models, path, prefix, slash):
    params = {"modelId": "x", "messages": [{"role": "user", "content": [{"text": "Hello"}]}]}
    sent = wire_request(models["bedrock-runtime"], "Converse", params)
    path = f"{prefix}/model/{path}/converse{slash}".encode()
    answer = live.send(type(sent)("POST", path, b"", sent.headers, sent.body))
    assert answer.status == 200, answer.body
    assert "[fake]" in json.loads(answer.body)["output"]["message"]["content"][0]["text"]


def test_the_server_tells_its_own_coverage(live, models):
    answer = live.send(WireRequest("GET", b"/coverage.json"))
    assert answer.status == 200
    content = json.loads(answer.body)
    states = {(each["service"], each["operation"]): each["state"] for each in content["operations"]}
    known = known_handlers(models)
    for name in known:
        assert states[name] in (("partial",) if HANDLERS[name].missing else ("full", "partial"))
    assert sum(state != "absent" for state in states.values()) == len(known)
