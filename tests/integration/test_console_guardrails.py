"""The programs that the pages of guardrails write run as they are copied."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from rocamadre.console.guardrails.asking import apply_request, converse_request
from rocamadre.console.guardrails.code import Where, write_apply, write_keep, write_stream, write_version
from rocamadre.console.guardrails.draft import Draft, choose
from rocamadre.console.playground.code import Asked, write_code
from rocamadre.console.playground.conversation import Exchange, Frame

FAKE = "rocamadre.fake-v1:0"


@pytest.fixture
def execute(tmp_path):
    """`execute(program)`: what the copied program prints, in a folder of its own and an empty environment."""

    def run(program: str, **environment: str) -> str:
        (tmp_path / "copied.py").write_text(program, "utf-8")
        environment |= {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONUTF8": "1"}
        done = subprocess.run(
            [sys.executable, "copied.py"], cwd=tmp_path, env=environment, capture_output=True, text=True,
            encoding="utf-8", timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_a_guardrail_is_made_changed_numbered_tried_and_streamed_through(server, execute):
    where = Where(server.address, "us-east-1", locked=False)
    draft = Draft(name="copied", blocked_input="Não.", blocked_output='Nor "that".')
    draft.pii.append({"type": "EMAIL", "action": "ANONYMIZE"})
    identifier, version = execute(write_keep(where, draft.members())).split()
    assert version == "DRAFT"
    draft.set_words('Project Heron\nit\'s\n"quoted"')
    choose(draft.words[1], "input", "OFF")
    assert execute(write_keep(where, draft.members(), identifier)).startswith("20")
    assert execute(write_version(where, identifier)).strip() == "1"
    found = execute(write_apply(where, apply_request(identifier, "1", "INPUT", "To ana@example.org: it's é")))
    assert found.startswith("GUARDRAIL_INTERVENED")
    assert "To {EMAIL}: it's é" in found
    assert "sensitiveInformationPolicy" in found
    request = converse_request(
        identifier, "1", model=FAKE, prompt="To ana@example.org", mode="sync"
    )  # fmt: skip
    said = execute(write_stream(where, request))
    assert "{EMAIL}" in said
    assert "inputAssessment" in said
    blocked = execute(
        write_stream(where, converse_request(
            identifier, "DRAFT", model=FAKE, prompt="Project Heron", mode="async"
        ))
    )  # fmt: skip
    assert "Não.\nguardrail_intervened" in blocked


def test_programs_of_the_playground_name_the_guardrail(server, execute):
    where = Where(server.address, "us-east-1", locked=False)
    draft = Draft(name="chatted", blocked_input="No.", blocked_output="No.", profanity={"type": "PROFANITY"})
    draft.pii.append({"type": "EMAIL", "action": "ANONYMIZE"})
    identifier = execute(write_keep(where, draft.members())).split()[0]
    frame = Frame(guardrail=f"{identifier}:DRAFT")
    asked = Asked(FAKE, server.address, "us-east-1", False, frame, (Exchange("To ana@example.org"),))
    for language in ("boto3", "openai"):
        assert "{EMAIL}" in execute(write_code(asked, language))


def test_a_server_that_wants_keys(locked_server, execute):
    where = Where(locked_server.address, "us-east-1", locked=True)
    keys = {"AWS_ACCESS_KEY_ID": locked_server.access_key, "AWS_SECRET_ACCESS_KEY": locked_server.secret_key}
    draft = Draft(name="locked", blocked_input="No.", blocked_output="No.", profanity={"type": "PROFANITY"})
    assert execute(write_keep(where, draft.members()), **keys).endswith("DRAFT\n")
