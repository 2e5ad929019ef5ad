"""kill -9 while functions, roles and logs are written, or after an event was accepted: nothing half, nothing lost."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile

import boto3
import psutil
import pytest
from botocore.config import Config as ClientConfig
from sqlalchemy import func, select

from rocamadre.cli.process import start_server, stop_server
from rocamadre.core.clock import SystemClock
from rocamadre.core.context import Context, Platform, Principal
from rocamadre.core.settings import load_settings
from rocamadre.neighbours.iam.policies import list_versions
from rocamadre.neighbours.iam.roles import attached_policies, list_roles
from rocamadre.neighbours.lambdas.archive import unpack
from rocamadre.neighbours.lambdas.operations import code_folder, list_functions, read_code
from rocamadre.neighbours.lambdas.tables import CODE, FUNCTIONS
from rocamadre.neighbours.logs.operations import list_groups, list_streams
from rocamadre.neighbours.logs.reading import get_events
from rocamadre.observability.metrics import Metrics
from rocamadre.store.sql.database import open_database

ACCOUNT, REGION = "123456789012", "us-east-1"
KILLS = 8

WRITER = """
import io, sys, zipfile
from pathlib import Path
from rocamadre.core.clock import SystemClock
from rocamadre.core.context import Context, Platform, Principal
from rocamadre.core.errors import RocamadreError
from rocamadre.core.settings import load_settings
from rocamadre.neighbours.iam import policies, roles
from rocamadre.neighbours.lambdas import operations as functions
from rocamadre.neighbours.lambdas.types import Config
from rocamadre.neighbours.logs import operations as logs
from rocamadre.observability.metrics import Metrics
from rocamadre.store.sql.database import open_database

settings = load_settings(home=Path(sys.argv[1]))
platform = Platform(settings, open_database(settings.home), None, Metrics(), SystemClock())
ctx = Context(platform, Principal("p", "123456789012"), "123456789012", "us-east-1", "r", 0.0)
trust = '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}}'
grant = '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'

def zipped(text):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("app.py", text)
        archive.writestr("padding", text * 20_000)
    return written.getvalue()

def tried(function, *arguments, **named):
    try:
        function(*arguments, **named)
    except RocamadreError as error:
        if "Exist" not in type(error).__name__ and "Conflict" not in type(error).__name__:
            raise

for step in range(int(sys.argv[2]), 1_000_000):
    name = f"f{step % 3}"
    config = Config(runtime="python3.12", handler="app.handler", role="arn:aws:iam::123456789012:role/r")
    tried(functions.create_function, ctx, name, config, zipped(f"# {step}"), publish=True, tags={"k": "v"})
    functions.update_code(ctx, name, zipped(f"# {step} again"), publish=True)
    if step % 2:
        functions.delete_function(ctx, name)
    tried(roles.create_role, ctx, name, trust=trust, tags={"k": "v"})
    tried(policies.create_policy, ctx, name, grant)
    roles.attach_policy(ctx, name, f"arn:aws:iam::123456789012:policy/{name}")
    tried(logs.create_group, ctx, name)
    logs.put_events(ctx, name, f"s{step}", [(number, str(number)) for number in range(500)])
    print(step, flush=True)
"""


@pytest.fixture
def place(tmp_path):
    settings = load_settings(home=tmp_path / "home")
    platform = Platform(settings, open_database(settings.home), None, Metrics(), SystemClock())
    yield Context(platform, Principal("p", ACCOUNT), ACCOUNT, REGION, "r", 0.0)
    platform.sql.dispose()


def check(ctx):
    """That everything there is whole; returns how much there is."""
    found = list_functions(ctx, all_versions=True)
    for function in found:
        folder = code_folder(ctx, function.code_hash)
        if not folder.is_dir():
            unpack(read_code(ctx, function), folder)
        text = (folder / "app.py").read_text()
        assert (folder / "padding").read_text() == text * 20_000
    with ctx.platform.sql.connect() as connection:
        needed = set(connection.execute(select(FUNCTIONS.c.code_hash)).scalars())
        assert set(connection.execute(select(CODE.c.hash)).scalars()) == needed
        assert connection.execute(select(func.count()).select_from(CODE)).scalar() == len(needed)
    roles = list_roles(ctx)
    for role in roles:
        for policy in attached_policies(ctx, role.name):
            assert [version.id for version in list_versions(ctx, policy.arn)] == ["v1"]
    streams = twice = 0
    for group in list_groups(ctx):
        batches = 0
        for stream in list_streams(ctx, group.name):
            events = len(get_events(ctx, group.name, stream.name, from_head=True).events)
            # Twice where a kill came after they were written and before that was told.
            assert events in (500, 1000)
            batches += events // 500
            twice += events // 500 - 1
            streams += 1
        assert twice <= KILLS
        assert group.stored_bytes == batches * sum(len(str(n)) for n in range(500))
    return len(found) + len(roles) + streams


@pytest.mark.timeout(300)
def test_what_is_there_after_kills_is_whole(place):
    dice = random.Random(7)
    step = 0
    for _ in range(KILLS):
        command = [sys.executable, "-c", WRITER, str(place.platform.settings.home), str(step)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as writer:
            line = writer.stdout.readline()
            assert line, writer.stderr.read()
            time.sleep(dice.uniform(0, 0.3))
            writer.send_signal(signal.SIGKILL)
            told = [int(each) for each in [line, *writer.stdout.read().splitlines()] if each.strip()]
        step = max(told) + 1
        assert check(place) > 0
    assert step > KILLS


@pytest.mark.timeout(300)
def test_an_event_that_was_accepted_is_called_after_a_kill(tmp_path):
    home = tmp_path / "home"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ROCA_", "AWS_"))}
    environment |= {"ROCA_SERVER__PORT": "0", "ROCA_CONSOLE__ENABLED": "false", "ROCA_CONFIG": str(home / "none.toml")}
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    print('ran', event['n'])\n")

    def client(server, service):
        return boto3.client(
            service,
            endpoint_url=server.address,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=ClientConfig(retries={"total_max_attempts": 1}, proxies={}),
        )

    server = start_server(home, environment)
    try:
        client(server, "lambda").create_function(
            FunctionName="f",
            Runtime="python3.12",
            Role="arn:aws:iam::123456789012:role/r",
            Handler="app.handler",
            Code={"ZipFile": written.getvalue()},
        )
        for number in range(3):
            functions = client(server, "lambda")
            functions.invoke(FunctionName="f", InvocationType="Event", Payload=json.dumps({"n": number}))
            processes = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
            for process in processes:
                try:
                    process.kill()
                except psutil.NoSuchProcess:
                    continue
            psutil.wait_procs(processes, timeout=10)
            server = start_server(home, environment)
        ran = set()
        for _ in range(600):
            logs = client(server, "logs")
            try:
                found = logs.filter_log_events(logGroupName="/aws/lambda/f", filterPattern="ran")["events"]
            except logs.exceptions.ResourceNotFoundException:
                found = []
            ran = {event["message"] for event in found}
            if len(ran) == 3:
                break
            time.sleep(0.1)
        assert ran == {"ran 0", "ran 1", "ran 2"}
    finally:
        stop_server(home, server)
