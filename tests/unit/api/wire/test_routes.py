import pytest

from rocamadre.core.errors import CommonError

ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
ENCODED = ARN.replace(":", "%3A").replace("/", "%2F")


def found(router, method, path, body=b""):
    match = router.find(method, path.encode(), body)
    return match and (match.operation.service.name, match.operation.name, dict(match.labels))


def test_every_operation_is_found_by_its_own_path(router, services):
    missed = []
    for service in services.values():
        for operation in service.operations.values():
            path = operation.uri.partition("?")[0]
            labels = {part[1:-1]: f"v{n}" for n, part in enumerate(path.split("/")) if part.startswith("{")}
            for name, value in labels.items():
                path = path.replace(f"{{{name}}}", value)
            for prefix in (f"/{service.name}", ""):
                try:
                    got = found(router, operation.method, prefix + path)
                except CommonError:
                    got = "ambiguous" if not prefix else None
                if got not in ((service.name, operation.name, labels), "ambiguous" if not prefix else ()):
                    missed.append((prefix + path, operation.name, got))
    # Without a prefix, two services share these; the body is empty here, which means PrepareAgent.
    assert [miss for miss in missed if miss[1] != "InvokeInlineAgent"] == []


@pytest.mark.parametrize("arn", [ARN, ENCODED, ARN.replace("/", "%2F")])
@pytest.mark.parametrize("slash", ["", "/"])
def test_labels_hold_arns_encoded_or_raw(router, arn, slash):
    assert found(router, "POST", f"/model/{arn}/converse{slash}") == (
        "bedrock-runtime",
        "Converse",
        {"modelId": ARN},
    )


def test_both_trailing_slash_forms(router):
    assert found(router, "GET", "/knowledgebases/ABC")[1] == "GetKnowledgeBase"
    assert found(router, "GET", "/knowledgebases/ABC/")[1] == "GetKnowledgeBase"
    assert found(router, "GET", "/agents/ABC")[1] == "GetAgent"


def test_a_literal_path_wins_over_a_label(router):
    assert found(router, "POST", "/flows/validate-definition")[1] == "ValidateFlowDefinition"
    assert found(router, "POST", "/flows/ABC/")[1] == "PrepareFlow"


@pytest.mark.parametrize(
    ("path", "body", "operation"),
    [
        ("/agents/X/", b"", "PrepareAgent"),
        ("/agents/X", b"", "PrepareAgent"),
        ("/agents/X", b'{"foundationModel": "m", "instruction": "i"}', "InvokeInlineAgent"),
        ("/agents/X/", b'{"foundationModel": "m"}', "PrepareAgent"),
        ("/bedrock-agent-runtime/agents/X", b"{}", "InvokeInlineAgent"),
        ("/bedrock-agent/agents/X", b"{}", "PrepareAgent"),
    ],
)
def test_the_agents_collision_is_settled(router, path, body, operation):
    assert found(router, "POST", path, body)[1] == operation


@pytest.mark.parametrize(
    ("resource", "service"), [("agent/A", "bedrock-agent"), ("session/S", "bedrock-agent-runtime")]
)
def test_the_tags_collision_is_settled_by_the_arn(router, resource, service):
    arn = f"arn:aws:bedrock:us-east-1:123456789012:{resource}"
    assert found(router, "GET", f"/tags/{arn}")[0] == service


@pytest.mark.parametrize(
    ("method", "path", "body"), [("POST", "/agents/X", b'{"x": 1}'), ("GET", "/tags/whatever", b"")]
)
def test_what_stays_open_is_refused_with_a_sentence(router, method, path, body):
    with pytest.raises(CommonError, match="put the service first") as refused:
        router.find(method, path.encode(), body)
    assert refused.value.status == 400


@pytest.mark.parametrize("path", ["/", "", "//", "/nothing", "/model", "/bedrock", "/model/a/b/c/d"])
def test_unknown_paths_match_nothing(router, path):
    assert found(router, "GET", path) is None


def test_bad_utf8_is_a_client_error(router):
    with pytest.raises(CommonError, match="UTF-8"):
        router.find("POST", b"/model/%ff/converse", b"")
