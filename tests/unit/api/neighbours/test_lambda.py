from __future__ import annotations

import base64
import io
import json
import zipfile
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::123456789012:role/functions"


def zipped(source, name="app.py", **more):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, text in {name: source, **more}.items():
            archive.writestr(file, text)
    return written.getvalue()


@pytest.fixture
def functions(client_of):
    return client_of("lambda")


@pytest.fixture
def make(functions):
    """`make(source)`: a function's name; `handler` in `app.py` unless told otherwise."""
    made = []

    def create(source="def handler(event, context):\n    return event\n", handler="app.handler", **more):
        name = f"f-{uuid4().hex[:8]}"
        functions.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role=ROLE,
            Handler=handler,
            Code={"ZipFile": zipped(source)},
            **more,
        )
        made.append(name)
        return name

    yield create
    for name in made:
        try:
            functions.delete_function(FunctionName=name)
        except ClientError:
            continue


@pytest.fixture
def call(functions):
    """`call(name, event)`: what it returned; `call.last` is the whole answer."""

    def invoke(name, event=None, **more):
        answer = functions.invoke(FunctionName=name, Payload=json.dumps(event), **more)
        invoke.last = answer
        return json.loads(answer["Payload"].read())

    return invoke


def code_of(call, /, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_functions_life(functions, make, call):
    name = make(Description="d", Environment={"Variables": {"GREETING": "hola"}}, Tags={"k": "v"})
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    found = functions.get_function(FunctionName=name)
    assert found["Tags"] == {"k": "v"}
    config = found["Configuration"]
    assert config["FunctionArn"] == f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
    assert (config["Timeout"], config["MemorySize"], config["State"]) == (3, 128, "Active")
    assert call(name, {"é": [1, None, "\U0001f600"]}) == {"é": [1, None, "\U0001f600"]}
    assert "FunctionError" not in call.last
    assert call.last["ExecutedVersion"] == "$LATEST"
    old = config["CodeSha256"]
    source = "import os\ndef handler(event, context):\n    return [os.environ['GREETING'], event]\n"
    functions.update_function_code(FunctionName=name, ZipFile=zipped(source))
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)
    assert call(config["FunctionArn"], 1) == ["hola", 1]
    functions.update_function_configuration(
        FunctionName=name, Timeout=9, Environment={"Variables": {"GREETING": "olá"}}
    )
    config = functions.get_function_configuration(FunctionName=name)
    assert (config["Timeout"], config["Description"]) == (9, "d")
    assert config["CodeSha256"] != old
    assert call(f"123456789012:function:{name}", 2) == ["olá", 2]
    pages = functions.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 1})
    assert name in [item["FunctionName"] for page in pages for item in page["Functions"]]
    functions.delete_function(FunctionName=name)
    assert code_of(functions.get_function, FunctionName=name) == ("ResourceNotFoundException", 404)
    assert code_of(functions.invoke, FunctionName=name) == ("ResourceNotFoundException", 404)


def test_the_context_and_the_environment_are_lambdas(make, call):
    source = (
        "import os\n"
        "def handler(event, context):\n"
        "    left = context.get_remaining_time_in_millis()\n"
        "    return {'env': dict(os.environ), 'left': 0 < left <= 5000, 'arn': context.invoked_function_arn,\n"
        "            'id': context.aws_request_id, 'name': context.function_name, 'mb': context.memory_limit_in_mb,\n"
        "            'stream': context.log_stream_name, 'group': context.log_group_name}\n"
    )
    name = make(source, Timeout=5, MemorySize=256, Environment={"Variables": {"MINE": "1"}})
    told = call(name)
    assert told["left"]
    assert told["name"] == name
    assert told["arn"].endswith(f":function:{name}")
    assert told["mb"] == "256"
    assert told["id"] == call.last["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    assert told["group"] == f"/aws/lambda/{name}"
    assert "[$LATEST]" in told["stream"]
    environment = told["env"]
    assert environment.pop("MINE") == "1"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert environment["LAMBDA_TASK_ROOT"] == "/var/task"
    assert set(environment) <= {
        *("HOME", "LANG", "LC_CTYPE", "PATH", "TZ", "LAMBDA_TASK_ROOT", "_HANDLER"),
        *(key for key in environment if key.startswith("AWS_")),
    }
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"} & set(
        environment
    )


def test_output_goes_to_the_log(make, call, client_of):
    source = (
        "import logging\n"
        "def handler(event, context):\n"
        "    print('one\\ntwo')\n"
        "    logging.getLogger().warning('careful')\n"
        "    return 1\n"
    )
    name = make(source)
    call(name, LogType="Tail")
    tail = base64.b64decode(call.last["LogResult"]).decode()
    request_id = call.last["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    lines = tail.splitlines()
    assert lines[0] == f"START RequestId: {request_id} Version: $LATEST"
    assert lines[1:3] == ["one", "two"]
    assert lines[3].startswith("[WARNING]\t")
    assert lines[3].endswith(f"\t{request_id}\tcareful")
    assert lines[4] == f"END RequestId: {request_id}"
    assert lines[5].startswith(f"REPORT RequestId: {request_id}\tDuration: ")
    logs = client_of("logs")
    (stream,) = logs.describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"]
    events = logs.get_log_events(logGroupName=f"/aws/lambda/{name}", logStreamName=stream["logStreamName"])["events"]
    assert [event["message"] for event in events] == lines


@pytest.mark.parametrize(
    ("source", "handler", "kind", "message"),
    [
        ("def handler(e, c):\n    raise KeyError('no')\n", "app.handler", "KeyError", "'no'"),
        ("def handler(e, c):\n    return {1, 2}\n", "app.handler", "Runtime.MarshalError", "set is not JSON"),
        ("def other(e, c): pass\n", "app.handler", "Runtime.HandlerNotFound", "'handler' missing on module 'app'"),
        ("", "absent.handler", "Runtime.ImportModuleError", "No module named 'absent'"),
        ("def handler(:\n", "app.handler", "Runtime.UserCodeSyntaxError", "Syntax error"),
        ("def handler(e, c): pass\n", "handler", "Runtime.MalformedHandlerName", "Bad handler"),
        ("import sys\ndef handler(e, c): sys.exit(3)\n", "app.handler", "Runtime.ExitError", "exit status 3"),
        ("import os\ndef handler(e, c): os._exit(4)\n", "app.handler", "Runtime.ExitError", "exit status 4"),
        ("1 / 0\n", "app.handler", "ZeroDivisionError", "division by zero"),
    ],
)
def test_errors_are_told_as_lambda_tells_them(make, call, source, handler, kind, message):
    error = call(make(source, handler))
    assert call.last["FunctionError"] == "Unhandled"
    assert call.last["StatusCode"] == 200
    assert error["errorType"] == kind
    assert message in error["errorMessage"]


def test_the_stack_trace_shows_the_functions_lines_only(make, call):
    error = call(make("def inner():\n    raise ValueError('x')\ndef handler(e, c):\n    inner()\n"))
    assert [line.split(",")[0] for line in error["stackTrace"]] == ['  File "/var/task/app.py"'] * 2


def test_types_of_invocation(functions, make):
    name = make()
    assert functions.invoke(FunctionName=name, InvocationType="DryRun")["StatusCode"] == 204
    answer = functions.invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    assert code_of(functions.invoke, FunctionName=name, Payload=b"{") == ("InvalidRequestContentException", 400)
    large = json.dumps("x" * 6_300_000)
    assert code_of(functions.invoke, FunctionName=name, Payload=large) == ("RequestTooLargeException", 413)
    absent = {"FunctionName": "absent", "InvocationType": "DryRun"}
    assert code_of(functions.invoke, **absent) == ("ResourceNotFoundException", 404)


def test_versions(functions, make, call):
    name = make("def handler(e, c): return [1, c.function_version]\n", Publish=True)
    assert [item["Version"] for item in functions.list_versions_by_function(FunctionName=name)["Versions"]] == [
        "$LATEST",
        "1",
    ]
    assert functions.publish_version(FunctionName=name)["Version"] == "1"
    code = zipped("def handler(e, c): return [2, c.invoked_function_arn]\n")
    assert functions.update_function_code(FunctionName=name, ZipFile=code, Publish=True)["Version"] == "2"
    assert call(name, Qualifier="1") == [1, "1"]
    assert call(f"{name}:2")[1].endswith(f":{name}:2")
    assert call.last["ExecutedVersion"] == "2"
    functions.delete_function(FunctionName=name, Qualifier="1")
    assert code_of(functions.invoke, FunctionName=name, Qualifier="1")[0] == "ResourceNotFoundException"
    functions.update_function_configuration(FunctionName=name, Timeout=4)
    assert functions.publish_version(FunctionName=name)["Version"] == "3"


def test_permissions_are_remembered(functions, make):
    name = make()
    arguments = {"FunctionName": name, "StatementId": "s", "Action": "lambda:InvokeFunction"}
    agent = "arn:aws:bedrock:us-east-1:123456789012:agent/A"
    answer = functions.add_permission(**arguments, Principal="bedrock.amazonaws.com", SourceArn=agent)
    statement = json.loads(answer["Statement"])
    assert statement["Principal"] == {"Service": "bedrock.amazonaws.com"}
    assert statement["Condition"] == {"ArnLike": {"AWS:SourceArn": agent}}
    assert code_of(functions.add_permission, **arguments, Principal="*") == ("ResourceConflictException", 409)
    assert json.loads(functions.get_policy(FunctionName=name)["Policy"])["Statement"] == [statement]
    functions.remove_permission(FunctionName=name, StatementId="s")
    assert code_of(functions.get_policy, FunctionName=name) == ("ResourceNotFoundException", 404)
    gone = {"FunctionName": name, "StatementId": "s"}
    assert code_of(functions.remove_permission, **gone) == ("ResourceNotFoundException", 404)


def test_tags(functions, make):
    arn = functions.get_function_configuration(FunctionName=make())["FunctionArn"]
    functions.tag_resource(Resource=arn, Tags={"a": "1", "b": "2"})
    functions.untag_resource(Resource=arn, TagKeys=["a"])
    assert functions.list_tags(Resource=arn)["Tags"] == {"b": "2"}


def test_code_in_a_bucket(functions, client_of, call):
    s3 = client_of("s3")
    bucket, name = f"code-{uuid4().hex[:8]}", f"f-{uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="f.zip", Body=zipped("def handler(e, c): return 'from s3'\n"))
    arguments = {"FunctionName": name, "Runtime": "python3.11", "Role": ROLE, "Handler": "app.handler"}
    functions.create_function(**arguments, Code={"S3Bucket": bucket, "S3Key": "f.zip"})
    assert call(name) == "from s3"
    absent = {"S3Bucket": bucket, "S3Key": "absent"}
    assert code_of(functions.create_function, **arguments, Code=absent)[0] == "InvalidParameterValueException"
    functions.delete_function(FunctionName=name)


@pytest.mark.parametrize(
    "changes",
    [
        {"Runtime": "nodejs22.x"},
        {"Timeout": 901},
        {"MemorySize": 20_000},
        {"EphemeralStorage": {"Size": 20_000}},
        {"Layers": ["arn:aws:lambda:us-east-1:123456789012:layer:l:1"]},
        {"Environment": {"Variables": {"AWS_REGION": "x"}}},
        {"Environment": {"Variables": {"BIG": "x" * 4097}}},
        {"PackageType": "Image"},
        {"Code": {"ImageUri": "x"}},
        {"Code": {}},
        {"Code": {"ZipFile": b"no zip"}},
        {"SnapStart": {"ApplyOn": "PublishedVersions"}},
    ],
)
def test_what_a_function_cannot_be_is_refused(functions, changes):
    arguments = {
        "FunctionName": f"f-{uuid4().hex[:8]}",
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "app.handler",
        "Code": {"ZipFile": zipped("")},
    } | changes
    code, status = code_of(functions.create_function, **arguments)
    assert code in ("InvalidParameterValueException", "ValidationException")
    assert status == 400
    assert code_of(functions.get_function, FunctionName=arguments["FunctionName"])[1] == 404


def test_names_are_taken_once_and_by_account(functions, make, client_of):
    name = make()
    arguments = {"FunctionName": name, "Runtime": "python3.12", "Role": ROLE, "Handler": "app.handler"}
    code = {"ZipFile": zipped("x = 1\n")}
    assert code_of(functions.create_function, **arguments, Code=code) == ("ResourceConflictException", 409)
    other = client_of("lambda", key="111122223333")
    assert code_of(other.invoke, FunctionName=name)[1] == 404
    assert code_of(client_of("lambda", region="eu-west-1").invoke, FunctionName=name)[1] == 404
    revision = {"FunctionName": name, "RevisionId": str(uuid4()), "Timeout": 4}
    assert code_of(functions.update_function_configuration, **revision) == ("PreconditionFailedException", 412)


def test_other_operations_are_refused_by_name(functions):
    with pytest.raises(ClientError, match="CreateEventSourceMapping") as caught:
        functions.create_event_source_mapping(FunctionName="f", EventSourceArn="arn:aws:sqs:us-east-1:123456789012:q")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
