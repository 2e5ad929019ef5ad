from __future__ import annotations

import json
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "bedrock.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
GRANT = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}})
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


@pytest.fixture
def iam(client_of):
    return client_of("iam")


@pytest.fixture
def name():
    return f"r-{uuid4().hex[:8]}"


def code_of(call, /, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_roles_life(iam, name):
    made = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=TRUST, Description="é <&>", Tags=[{"Key": "k", "Value": "v"}]
    )["Role"]
    assert made["Arn"] == f"arn:aws:iam::123456789012:role/{name}"
    assert made["RoleId"].startswith("AROA")
    assert made["AssumeRolePolicyDocument"] == json.loads(TRUST)
    iam.get_waiter("role_exists").wait(RoleName=name)
    found = iam.get_role(RoleName=name)["Role"]
    assert found["CreateDate"].utcoffset().total_seconds() == 0
    assert (found["Description"], found["Tags"]) == ("é <&>", [{"Key": "k", "Value": "v"}])
    assert name in [role["RoleName"] for page in iam.get_paginator("list_roles").paginate() for role in page["Roles"]]
    iam.update_role(RoleName=name, Description="new", MaxSessionDuration=7200)
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=TRUST.replace("bedrock", "lambda"))
    found = iam.get_role(RoleName=name)["Role"]
    assert (found["Description"], found["MaxSessionDuration"]) == ("new", 7200)
    assert "lambda" in json.dumps(found["AssumeRolePolicyDocument"])
    iam.tag_role(RoleName=name, Tags=[{"Key": "k", "Value": "w"}, {"Key": "l", "Value": ""}])
    iam.untag_role(RoleName=name, TagKeys=["k"])
    assert iam.list_role_tags(RoleName=name)["Tags"] == [{"Key": "l", "Value": ""}]
    iam.delete_role(RoleName=name)
    assert code_of(iam.get_role, RoleName=name) == ("NoSuchEntity", 404)


def test_names_are_unique_whatever_the_case_and_per_account(iam, client_of, name):
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    assert code_of(iam.create_role, RoleName=name.upper(), AssumeRolePolicyDocument=TRUST) == (
        "EntityAlreadyExists",
        409,
    )
    other = client_of("iam", key="111122223333")
    assert code_of(other.get_role, RoleName=name) == ("NoSuchEntity", 404)
    other.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)


def test_policies_attached_and_written_in_hold_a_role(iam, name):
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    iam.attach_role_policy(RoleName=name, PolicyArn=BASIC)
    iam.attach_role_policy(RoleName=name, PolicyArn=BASIC)
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert attached == [{"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": BASIC}]
    assert [role["RoleName"] for role in iam.list_entities_for_policy(PolicyArn=BASIC)["PolicyRoles"]] == [name]
    assert code_of(iam.delete_role, RoleName=name) == ("DeleteConflict", 409)
    iam.detach_role_policy(RoleName=name, PolicyArn=BASIC)
    assert code_of(iam.detach_role_policy, RoleName=name, PolicyArn=BASIC) == ("NoSuchEntity", 404)
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=GRANT)
    assert iam.get_role_policy(RoleName=name, PolicyName="p")["PolicyDocument"] == json.loads(GRANT)
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == ["p"]
    assert code_of(iam.delete_role, RoleName=name) == ("DeleteConflict", 409)
    iam.delete_role_policy(RoleName=name, PolicyName="p")
    assert code_of(iam.get_role_policy, RoleName=name, PolicyName="p") == ("NoSuchEntity", 404)
    assert iam.list_instance_profiles_for_role(RoleName=name)["InstanceProfiles"] == []
    iam.delete_role(RoleName=name)


def test_a_policys_life(iam, name):
    arn = iam.create_policy(PolicyName=name, PolicyDocument=GRANT, Path="/a/b/", Description="d")["Policy"]["Arn"]
    assert arn == f"arn:aws:iam::123456789012:policy/a/b/{name}"
    iam.get_waiter("policy_exists").wait(PolicyArn=arn)
    assert code_of(iam.create_policy, PolicyName=name, PolicyDocument=GRANT) == ("EntityAlreadyExists", 409)
    for number in range(2, 6):
        default = number == 3
        version = iam.create_policy_version(PolicyArn=arn, PolicyDocument=GRANT, SetAsDefault=default)["PolicyVersion"]
        assert (version["VersionId"], version["IsDefaultVersion"]) == (f"v{number}", default)
    assert code_of(iam.create_policy_version, PolicyArn=arn, PolicyDocument=GRANT) == ("LimitExceeded", 409)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v3"
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [version["VersionId"] for version in versions] == ["v5", "v4", "v3", "v2", "v1"]
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"] == json.loads(GRANT)
    assert code_of(iam.delete_policy_version, PolicyArn=arn, VersionId="v3") == ("DeleteConflict", 409)
    assert code_of(iam.delete_policy, PolicyArn=arn) == ("DeleteConflict", 409)
    for number in (1, 2, 4):
        iam.delete_policy_version(PolicyArn=arn, VersionId=f"v{number}")
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v5")
    iam.delete_policy_version(PolicyArn=arn, VersionId="v3")
    assert iam.create_policy_version(PolicyArn=arn, PolicyDocument=GRANT)["PolicyVersion"]["VersionId"] == "v6"
    iam.delete_policy_version(PolicyArn=arn, VersionId="v6")
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "k", "Value": "v"}])
    assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
    iam.untag_policy(PolicyArn=arn, TagKeys=["k"])
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    assert code_of(iam.delete_policy, PolicyArn=arn) == ("DeleteConflict", 409)
    iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    iam.delete_policy(PolicyArn=arn)
    assert code_of(iam.get_policy, PolicyArn=arn) == ("NoSuchEntity", 404)


@pytest.mark.parametrize(
    "suffix",
    [
        "service-role/AWSLambdaBasicExecutionRole",
        "AmazonBedrockFullAccess",
        "AmazonBedrockReadOnly",
        "AmazonS3FullAccess",
        "CloudWatchLogsFullAccess",
        "IAMFullAccess",
        "AWSLambda_FullAccess",
    ],
)
def test_the_policies_of_aws_that_code_attaches_are_there(iam, suffix):
    policy = iam.get_policy(PolicyArn=f"arn:aws:iam::aws:policy/{suffix}")["Policy"]
    assert policy["IsAttachable"]
    assert len(policy["PolicyId"]) == 21


def test_aws_policies_are_listed_and_unchangeable(iam):
    pages = iam.get_paginator("list_policies").paginate(Scope="AWS", PaginationConfig={"PageSize": 25})
    arns = [policy["Arn"] for page in pages for policy in page["Policies"]]
    assert BASIC in arns
    assert len(arns) == len(set(arns)) > 60
    assert iam.list_policies(Scope="AWS", PathPrefix="/service-role/")["Policies"]
    assert code_of(iam.delete_policy, PolicyArn=BASIC) == ("InvalidInput", 400)
    assert code_of(iam.get_policy, PolicyArn="arn:aws:iam::aws:policy/Absent")[0] == "NoSuchEntity"


@pytest.mark.parametrize(
    "document",
    [
        "{",
        "[]",
        "{}",
        '{"Statement": []}',
        '{"Version": "2020-01-01", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}',
        '{"Statement": {"Effect": "allow", "Action": "*", "Resource": "*"}}',
        '{"Statement": {"Effect": "Allow", "Resource": "*"}}',
        '{"Statement": {"Effect": "Allow", "Action": "*"}}',
        '{"Statement": {"Effect": "Allow", "Action": [], "Resource": "*"}}',
        '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"}}',
        '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Extra": "*"}}',
        '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}, "Extra": 1}',
        "[" * 5000,
    ],
)
def test_malformed_documents_are_refused(iam, name, document):
    assert code_of(iam.create_policy, PolicyName=name, PolicyDocument=document) == ("MalformedPolicyDocument", 400)


def test_a_trust_policy_names_who_and_not_what(iam, name):
    assert code_of(iam.create_role, RoleName=name, AssumeRolePolicyDocument=GRANT)[0] == "MalformedPolicyDocument"
    wrong = '{"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole"}}'
    assert code_of(iam.create_role, RoleName=name, AssumeRolePolicyDocument=wrong)[0] == "MalformedPolicyDocument"


def test_what_breaks_a_shape_is_a_validation_error(iam):
    assert code_of(iam.create_role, RoleName="a b", AssumeRolePolicyDocument=TRUST) == ("ValidationError", 400)
    assert code_of(iam.list_roles, MaxItems=5000) == ("ValidationError", 400)
    assert code_of(iam.list_roles, Marker="made-up") == ("ValidationError", 400)
    tags = [{"Key": str(number), "Value": ""} for number in range(51)]
    assert code_of(iam.create_role, RoleName="r", AssumeRolePolicyDocument=TRUST, Tags=tags)[1] in (400, 409)


def test_other_operations_are_refused_by_name(iam):
    with pytest.raises(ClientError, match="CreateUser") as caught:
        iam.create_user(UserName="u")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_pages_go_on_where_they_ended(iam):
    made = [f"page-{number}-{uuid4().hex[:6]}" for number in range(5)]
    for name in made:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, Path="/pages/")
    pages = list(iam.get_paginator("list_roles").paginate(PathPrefix="/pages/", PaginationConfig={"PageSize": 2}))
    assert [len(page["Roles"]) for page in pages] == [2, 2, 1]
    assert sorted(role["RoleName"] for page in pages for role in page["Roles"]) == sorted(made)
