"""LangChain, LiteLLM, Strands and llama-index as they come.

Their suites run in processes of their own, on packages of their own. What comes out is what docs/clients.md says: its
figures stand between two comments per suite, and when they are not true any more the test shows what would be.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from xml.etree import ElementTree

import pytest

from rocamadre.cli.environment import program_environment

SUITES = Path(__file__).parent / "frameworks"
ROWS = {
    "suite_langchain.TestChatBedrockConverse": ("langchain-aws", "`ChatBedrockConverse` as Claude, standard suite"),
    "suite_langchain.TestChatBedrockConverseNova": ("langchain-aws", "`ChatBedrockConverse` as Nova, standard suite"),
    "suite_langchain.TestChatBedrock": ("langchain-aws", "`ChatBedrock`, standard suite"),
    "suite_langchain.TestChatBedrockConverseUnits": ("langchain-aws", "`ChatBedrockConverse`, standard unit tests"),
    "suite_langchain.TestChatBedrockUnits": ("langchain-aws", "`ChatBedrock`, standard unit tests"),
    "suite_langchain.TestBedrockEmbeddings": ("langchain-aws", "`BedrockEmbeddings` as Titan, standard suite"),
    "suite_langchain.TestBedrockEmbeddingsCohere": ("langchain-aws", "`BedrockEmbeddings` as Cohere, standard suite"),
    "suite_langchain.TestBedrockEmbeddingsUnits": ("langchain-aws", "`BedrockEmbeddings`, standard unit tests"),
    "suite_langchain.TestBedrockRerank": ("langchain-aws", "`BedrockRerank`"),
    "suite_langchain": ("langchain-aws", "further tests"),
    "suite_litellm": ("litellm", "Converse, InvokeModel, embeddings, rerank"),
    "suite_strands": ("strands-agents", "agents on `BedrockModel`"),
    "suite_llama_index": ("llama-index-llms-bedrock-converse", "`BedrockConverse`, `BedrockEmbedding`, an index"),
    "suite_roca_mini": ("", "all four, on roca-mini: tools, schemas, cache"),
}
OUTCOMES = {"pytest.xfail": "expected to fail", "pytest.skip": "skipped"}


@pytest.fixture
def run_suite(checkout, needs, locked_server, tmp_path):
    """`run_suite("litellm", server)`: runs suite_litellm.py against a server; gives an element for each test."""
    packages = checkout / ".venv-frameworks"
    needs(packages.is_dir(), ".venv-frameworks is not installed")
    needs((checkout / ".roca" / "models" / "all-minilm-l6-v2").is_dir(), "MiniLM is not prepared")

    def run(name, server):
        added = program_environment(
            server.address, region="us-east-1", home=tmp_path, is_open=True, environment={"HOME": str(tmp_path)}
        )
        locked = {name: getattr(locked_server, name) for name in ("address", "access_key", "secret_key", "bearer")}
        report = tmp_path / "report.xml"
        shown = subprocess.run(
            [sys.executable, "-m", "pytest", "-c", "pytest.ini", f"--junitxml={report}", f"suite_{name}.py"],
            cwd=SUITES,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "PYTHONPATH": str(packages),
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "ROCAMADRE_FRAMEWORKS": "1",
                "ROCAMADRE_LOCKED": json.dumps(locked),
                **added,
            },
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert shown.returncode == 0, shown.stdout[-6000:] + shown.stderr[-2000:]
        return [*ElementTree.parse(report).iter("testcase")]

    return run


def pinned(checkout):
    """Versions that the tests run with, by package."""
    files = ("constraints-clients.txt", "constraints.txt", "constraints-frameworks.txt")
    return dict(re.findall(r"^([\w.-]+)==(\S+)$", "".join((checkout / name).read_text() for name in files), re.M))


def test_the_versions_told_are_those_tested(checkout):
    told = re.search(r"<!-- versions -->\n(.*?)\n<!-- end -->", (checkout / "docs" / "clients.md").read_text(), re.S)
    rows = dict(re.findall(r"^\| ([\w-]+) \| ([\d.]+) \|", told[1], re.M))
    assert {"boto3", "aioboto3", "openai", "anthropic", "litellm", "strands-agents"} <= set(rows)
    assert rows == {name: version for name, version in pinned(checkout).items() if name in rows}


def figures(checkout, results):
    """The lines of docs/clients.md for the results of a suite."""
    versions = pinned(checkout)
    counts, reasons = defaultdict(Counter), defaultdict(list)
    for case in results:
        skipped = case.find("skipped")
        outcome = "passed" if skipped is None else OUTCOMES[skipped.get("type")]
        counts[case.get("classname")][outcome] += 1
        if skipped is not None:
            reasons[outcome, skipped.get("message").rstrip(".")].append(case.get("name"))
    lines = ["| client | what | passed | expected to fail | skipped |", "|---|---|---|---|---|"]
    for name, count in counts.items():
        package, what = ROWS[name]
        client = f"{package} {versions[package]}" if package else ""
        numbers = " | ".join(str(count[outcome]) for outcome in ("passed", "expected to fail", "skipped"))
        lines.append(f"| {client} | {what} | {numbers} |")
    if reasons:
        lines.append("")
    for (outcome, reason), names in sorted(reasons.items()):
        lines.append(f"- {outcome}, {len(names)}: {reason} ({', '.join(f'`{name}`' for name in dict.fromkeys(names))})")
    return "\n".join(lines)


@pytest.mark.timeout(300)
@pytest.mark.clients
@pytest.mark.covers(
    "bedrock-runtime:Converse",
    "bedrock-runtime:ConverseStream",
    "bedrock-runtime:InvokeModel",
    "bedrock-runtime:InvokeModelWithResponseStream",
    "bedrock-agent-runtime:Rerank",
)
@pytest.mark.parametrize(
    ("name", "which"),
    [
        ("langchain", "scripted_server"),
        ("litellm", "scripted_server"),
        ("strands", "scripted_server"),
        ("llama_index", "scripted_server"),
        ("roca_mini", "server"),
    ],
)
def test_a_framework(checkout, needs, request, run_suite, name, which):
    needs(list((checkout / "models" / "roca-mini").glob("*.gguf")), "the model roca-mini is not there")
    results = run_suite(name, request.getfixturevalue(which))
    assert len(results) >= 10
    page = (checkout / "docs" / "clients.md").read_text()
    told = re.search(rf"<!-- figures of suite_{name} -->\n(.*?)\n<!-- end -->", page, re.S)
    true = figures(checkout, results)
    assert told, f"docs/clients.md has no figures of suite_{name}; they are:\n{true}"
    assert told[1] == true, f"docs/clients.md is not true any more; the figures are now:\n{true}"
