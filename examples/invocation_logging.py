"""Invocation logging: every call of a model written to a log group, and read back."""

import json
import time

import boto3

MODEL = "us.amazon.nova-lite-v1:0"
stamp = str(time.time_ns())
group, role_name = f"/example/calls-{stamp}", f"example-logging-{stamp}"

iam, logs = boto3.client("iam"), boto3.client("logs")
bedrock, runtime = boto3.client("bedrock"), boto3.client("bedrock-runtime")
logs.create_log_group(logGroupName=group)
trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "bedrock.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
role = iam.create_role(RoleName=role_name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
may = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}],
}
iam.put_role_policy(RoleName=role_name, PolicyName="logs", PolicyDocument=json.dumps(may))
try:
    bedrock.put_model_invocation_logging_configuration(
        loggingConfig={
            "cloudWatchConfig": {"logGroupName": group, "roleArn": role["Arn"]},
            "textDataDeliveryEnabled": True,
        }
    )
    runtime.converse(
        modelId=MODEL,
        messages=[{"role": "user", "content": [{"text": "Who reads this?"}]}],
        inferenceConfig={"maxTokens": 8},
        requestMetadata={"purpose": "example"},
    )
    deadline = time.time() + 300
    while not (events := logs.filter_log_events(logGroupName=group)["events"]) and time.time() < deadline:
        time.sleep(1)
    record = json.loads(events[0]["message"])
    print("operation:", record["operation"])
    print("metadata:", record["requestMetadata"])
    print("question:", record["input"]["inputBodyJson"]["messages"][0]["content"][0]["text"])
    print("tokens are told:", record["input"]["inputTokenCount"] > 0 and record["output"]["outputTokenCount"] > 0)
finally:
    bedrock.delete_model_invocation_logging_configuration()
    logs.delete_log_group(logGroupName=group)
    iam.delete_role_policy(RoleName=role_name, PolicyName="logs")
    iam.delete_role(RoleName=role_name)
print("cleaned up")
