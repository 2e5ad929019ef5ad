"""Lambda: a role and a function made from a zip, invoked, its errors and its log read, all removed again."""

import base64
import io
import json
import time
import zipfile

import boto3

CODE = """
import os


def handler(event, context):
    print("asked for", event["what"])
    if event["what"] == "trouble":
        raise ValueError("as you wish")
    return {"greeting": os.environ["GREETING"] + ", " + event["what"], "by": context.function_name}
"""

iam, functions = boto3.client("iam"), boto3.client("lambda")
name = f"example-{time.time_ns()}"
basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
iam.attach_role_policy(RoleName=name, PolicyArn=basic)
iam.get_waiter("role_exists").wait(RoleName=name)
archive = io.BytesIO()
with zipfile.ZipFile(archive, "w") as packed:
    packed.writestr("app.py", CODE)


def create():
    """Lambda refuses a role that is some seconds old; try again."""
    for _ in range(15):
        try:
            return functions.create_function(
                FunctionName=name,
                Runtime="python3.12",
                Role=role["Arn"],
                Handler="app.handler",
                Code={"ZipFile": archive.getvalue()},
                Environment={"Variables": {"GREETING": "Good day"}},
                Timeout=10,
            )
        except functions.exceptions.InvalidParameterValueException:
            time.sleep(2)
    raise TimeoutError(name)


try:
    create()
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    answer = functions.invoke(FunctionName=name, Payload=json.dumps({"what": "river"}), LogType="Tail")
    told = json.load(answer["Payload"])
    print("answer:", told["greeting"], "by itself:", told["by"] == name)
    log = base64.b64decode(answer["LogResult"]).decode()
    print("logged:", "asked for river" in log)
    failed = functions.invoke(FunctionName=name, Payload=json.dumps({"what": "trouble"}))
    print("error:", failed["FunctionError"], json.load(failed["Payload"])["errorMessage"])
    later = functions.invoke(FunctionName=name, Payload=json.dumps({"what": "sea"}), InvocationType="Event")
    print("later:", later["StatusCode"])
finally:
    functions.delete_function(FunctionName=name)
    iam.detach_role_policy(RoleName=name, PolicyArn=basic)
    iam.delete_role(RoleName=name)
print("cleaned up")
