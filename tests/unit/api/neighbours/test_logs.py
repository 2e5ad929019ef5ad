from __future__ import annotations

import time
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def logs(client_of):
    return client_of("logs")


@pytest.fixture
def group(logs):
    name = f"/test/{uuid4().hex[:8]}"
    logs.create_log_group(logGroupName=name, tags={"k": "v"})
    return name


def code_of(call, /, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def test_write_and_read(logs, group):
    now = int(time.time() * 1000)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    events = [{"timestamp": now + number, "message": f"ünï {number}"} for number in range(5)]
    answer = logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)
    assert "rejectedLogEventsInfo" not in answer
    page = logs.get_log_events(logGroupName=group, logStreamName="s", startFromHead=True, limit=3)
    assert [event["message"] for event in page["events"]] == ["ünï 0", "ünï 1", "ünï 2"]
    page = logs.get_log_events(logGroupName=group, logStreamName="s", nextToken=page["nextForwardToken"])
    assert [event["message"] for event in page["events"]] == ["ünï 3", "ünï 4"]
    (stream,) = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert (stream["firstEventTimestamp"], stream["lastEventTimestamp"]) == (now, now + 4)
    future = [{"timestamp": now, "message": "x"}, {"timestamp": now + 3 * 3_600_000, "message": "y"}]
    answer = logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=future)
    assert answer["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}


def test_search(logs, group):
    now = int(time.time() * 1000)
    for stream in ("a", "b"):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        events = [{"timestamp": now + number, "message": f'{{"n": {number}, "s": "{stream}"}}'} for number in range(9)]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, filterPattern="{ $.n >= 4 }", PaginationConfig={"PageSize": 3}
    )
    found = [event for page in pages for event in page["events"]]
    assert len(found) == len({event["eventId"] for event in found}) == 10
    assert [event["timestamp"] for event in found] == sorted(event["timestamp"] for event in found)
    assert code_of(logs.filter_log_events, logGroupName=group, filterPattern="%x%") == "InvalidParameterException"
    both = {"logStreamNames": ["a"], "logStreamNamePrefix": "b"}
    assert code_of(logs.filter_log_events, logGroupName=group, **both) == "InvalidParameterException"


def test_groups_are_listed_tagged_kept_and_removed(logs, group):
    (found,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert found["arn"] == found["logGroupArn"] + ":*" == f"arn:aws:logs:us-east-1:123456789012:log-group:{group}:*"
    assert "retentionInDays" not in found
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["retentionInDays"] == 7
    logs.delete_retention_policy(logGroupName=group)
    assert code_of(logs.put_retention_policy, logGroupName=group, retentionInDays=2) == "InvalidParameterException"
    arn = found["logGroupArn"]
    logs.tag_resource(resourceArn=arn, tags={"l": ""})
    logs.untag_resource(resourceArn=arn, tagKeys=["k"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"l": ""}
    logs.tag_log_group(logGroupName=group, tags={"m": "n"})
    logs.untag_log_group(logGroupName=group, tags=["l"])
    assert logs.list_tags_log_group(logGroupName=group)["tags"] == {"m": "n"}
    assert code_of(logs.create_log_group, logGroupName=group) == "ResourceAlreadyExistsException"
    logs.delete_log_group(logGroupName=group)
    assert code_of(logs.delete_log_group, logGroupName=group) == "ResourceNotFoundException"


def test_streams_are_made_once_and_removed(logs, group):
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    assert code_of(logs.create_log_stream, logGroupName=group, logStreamName="s") == "ResourceAlreadyExistsException"
    logs.delete_log_stream(logGroupName=group, logStreamName="s")
    absent = {"logGroupName": group, "logStreamName": "s"}
    assert code_of(logs.get_log_events, **absent) == "ResourceNotFoundException"
    events = [{"timestamp": 1, "message": "x"}]
    assert code_of(logs.put_log_events, **absent, logEvents=events) == "ResourceNotFoundException"


def test_pages_of_groups(logs):
    prefix = f"/pages/{uuid4().hex[:8]}/"
    for number in range(5):
        logs.create_log_group(logGroupName=f"{prefix}{number}")
    paginator = logs.get_paginator("describe_log_groups")
    pages = list(paginator.paginate(logGroupNamePrefix=prefix, PaginationConfig={"PageSize": 2}))
    assert [len(page["logGroups"]) for page in pages] == [2, 2, 1]


def test_errors_carry_the_services_codes(logs, group):
    assert code_of(logs.describe_log_streams) == "InvalidParameterException"
    assert code_of(logs.create_log_group, logGroupName="a b") == "InvalidParameterException"
    tags = {str(number): "" for number in range(51)}
    arn = f"arn:aws:logs:us-east-1:123456789012:log-group:{group}"
    assert code_of(logs.tag_resource, resourceArn=arn, tags=tags) == "InvalidParameterException"
    tags.popitem()
    assert code_of(logs.tag_resource, resourceArn=arn, tags=tags) == "TooManyTagsException"


def test_other_operations_are_refused_by_name(logs):
    with pytest.raises(ClientError, match="StartQuery") as caught:
        logs.start_query(logGroupName="g", startTime=0, endTime=1, queryString="fields @message")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
