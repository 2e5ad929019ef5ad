"""The programs and commands of docs/custom-models.md run as they are copied, in their order, on a real server."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from rocamadre.cli.environment import program_environment

OPERATIONS = (
    "CreateModelImportJob",
    "GetModelImportJob",
    "CreateCustomModel",
    "GetCustomModel",
    "CreateCustomModelDeployment",
    "GetCustomModelDeployment",
    "CreateProvisionedModelThroughput",
    "GetProvisionedModelThroughput",
    "DeleteProvisionedModelThroughput",
    "CreateModelCopyJob",
    "GetModelCopyJob",
)


@pytest.mark.covers(*(f"bedrock:{name}" for name in OPERATIONS))
def test_the_page(checkout, server, tmp_path):
    page = (checkout / "docs" / "custom-models.md").read_text()
    programs = re.findall(r"^```(python|sh)\n(.*?)^```", page, re.M | re.S)
    added = program_environment(
        server.address, region="us-east-1", home=tmp_path, is_open=True, environment={"HOME": str(tmp_path)}
    )
    added |= {"ROCA_HOME": str(server.home), "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"}
    shown = []
    for kind, program in programs:
        command = [sys.executable, "-c", program] if kind == "python" else ["bash", "-e", "-c", program]
        run = subprocess.run(
            command,
            cwd=tmp_path,
            env={"HOME": str(tmp_path), **added},
            capture_output=True,
            text=True,
            timeout=170,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        shown.append(run.stdout)
    brought, deployed, provisioned, copied, commands = shown
    assert brought.startswith("Completed")
    assert "'role': 'assistant'" in brought
    assert [line.split()[0] for line in deployed.splitlines()[:2]] == ["Active", "Active"]
    assert len(deployed.splitlines()) == 5
    assert provisioned.startswith("InService")
    assert re.match(r"Completed arn:aws:bedrock:eu-west-1:\d+:custom-model/", copied)
    assert "imported-model/" in commands
    assert "LlamaForCausalLM" in commands
    assert "removed arn:aws:bedrock" in commands
