"""The examples run as they are, through `roca env`, and print what they should, on the embedded model."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NEARER = "The river flows into the sea."
SHOWN = {
    "application_profile": r"""profile: APPLICATION ACTIVE amazon.nova-lite-v1:0
tags: stage=test, team=breakfast
answered in \d+ tokens
listed: True
cleaned up""",
    "batch_inference": r"""status: Completed
answers: 100 of 100
in the manifest: 100 processed, 0 errors
cleaned up""",
    "converse": r"""question: Where do rivers begin\?
answer: .+
stop reason: (?:end_turn|max_tokens)
tokens: \d+ in, \d+ out
milliseconds: \d+
question: And where do they end\?
answer: .+
stop reason: (?:end_turn|max_tokens)
tokens: \d+ in, \d+ out
milliseconds: \d+""",
    "converse_stream": r"""role: assistant
(?s:.+)
stop reason: (?:end_turn|max_tokens)
pieces: \d+ tokens: \d+""",
    "count_tokens": r"""counted: \d+
as billed: True""",
    "documents": r"""answer: .+
tokens read: (?:[5-9]\d|\d{3})""",
    "embeddings": rf"""titan: 512 dimensions; nearest: {NEARER}
cohere: 1024 dimensions; nearest: {NEARER}
nova: 1024 dimensions; nearest: {NEARER}""",
    "guardrail": r"""GUARDRAIL_INTERVENED {ORDER} is on its way; write to {EMAIL}\.
GUARDRAIL_INTERVENED El pedido {ORDER} llega mañana; escriba a {EMAIL}\.
GUARDRAIL_INTERVENED I cannot take that\.
GUARDRAIL_INTERVENED I cannot take that\.
NONE
stop reason: guardrail_intervened -> I cannot take that\.
found: Project Basilisk BLOCKED
streamed: True metadata
cleaned up""",
    "invocation_logging": r"""operation: Converse
metadata: {'purpose': 'example'}
question: Who reads this\?
tokens are told: True
cleaned up""",
    "invoke_model": r"""(?:[\w.:-]+ \(\d+ tokens\): ['"].*['"]
){8}a stream of Claude's: message_start, (?:content_block_\w+, ){3}message_delta, message_stop""",
    "knowledge_base": r"""read: 4 new, 0 changed, 0 deleted
filtered: pt/forno\.md pt
When does the ferry leave\? -> .*nine.*
  cited: en/ferry\.md True
What does a ticket cost\? -> .*four euros.*
  cited: en/ferry\.md True
¿Quién construyó el faro\? -> .*Inés Robledo.*
  cited: es/faro\.md True
read: 0 new, 1 changed, 1 deleted
When does the ferry leave\? -> .*ten.*
  cited: en/ferry\.md True
cleaned up""",
    "lambda_function": r"""answer: Good day, river by itself: True
logged: True
error: Unhandled as you wish
later: 202
cleaned up""",
    "models": r"""text models: True
the first streams: True
profiles that begin with a geography: True""",
    "prompt_caching": r"""What is rule 3\? \d+ tokens read, [1-9]\d+ written to the cache, \d+ from it
What is rule 7\? \d+ tokens read, 0 written to the cache, \d{3,} from it
What is rule 11\? \d+ tokens read, 0 written to the cache, \d{3,} from it""",
    "prompt_router": r"""answered by one of the two: True
type: custom
cleaned up""",
    "rerank": rf"""0\.\d+ {NEARER}
0\.\d+ Streams feed the river.
InvokeModel agrees: True""",
    "s3_basics": r"""folders: \['letters/'\] files: \['readme.txt'\]
pages: \[2, 2, 1\]
range: b'letter' bytes 0-5/8 {'n': '3'}
copied: text/plain
large file comes back whole: True
signed URL: b'Read me.'
tags: \[{'Key': 'kind', 'Value': 'note'}\]
not overwritten: PreconditionFailed
missing: NoSuchKey
cleaned up""",
    "structured_output": r"""stop reason: end_turn
keys: course, dish, ingredients, minutes
course: (?:starter|main|dessert) of type str
minutes are a number: True""",
    "sts_roles": r"""account: 123456789012
as: arn:aws:sts::123456789012:assumed-role/ROLE/example
the role may ask a model: 200
cleaned up""",
    "tool_use": r"""(?:stop reason: tool_use
call: look_up_price {"article": "(?:bread|cheese|honey)"}
result: success {"json": {"article": "\w+", "euros": [\d.]+}}
)+(?:stop reason: (?:end_turn|max_tokens)
)?answer: (?s:.+)""",
}


@pytest.mark.covers(
    "bedrock:CreateGuardrail",
    "bedrock:CreateInferenceProfile",
    "bedrock:CreateModelInvocationJob",
    "bedrock:CreatePromptRouter",
    "bedrock:PutModelInvocationLoggingConfiguration",
    "bedrock-agent:StartIngestionJob",
    "bedrock-agent-runtime:Rerank",
    "bedrock-agent-runtime:Retrieve",
    "bedrock-agent-runtime:RetrieveAndGenerate",
    "bedrock-runtime:ApplyGuardrail",
    "bedrock-runtime:Converse",
    "bedrock-runtime:ConverseStream",
    "bedrock-runtime:CountTokens",
    "bedrock-runtime:InvokeModel",
    "bedrock-runtime:InvokeModelWithResponseStream",
)
@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.py")))
def test_an_example(checkout, server, needs, tmp_path, name):
    needs(list((checkout / "models" / "roca-mini").glob("*.gguf")), "the model roca-mini is not there")
    needs((checkout / ".roca" / "models" / "all-minilm-l6-v2").is_dir(), "MiniLM is not prepared")
    roca = Path(sys.executable).with_name("roca")
    shown = subprocess.run(
        [str(roca), "env", "--", sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py")],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ROCA_HOME": str(server.home)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert re.fullmatch(SHOWN[name], shown.stdout.rstrip("\n")), shown.stdout


def test_the_page_lists_each_example_with_its_first_line(checkout):
    page = (checkout / "docs" / "examples.md").read_text()
    for path in EXAMPLES.glob("*.py"):
        first = ast.get_docstring(ast.parse(path.read_text())).splitlines()[0]
        assert f"| [{path.stem}](../examples/{path.name}) | {first} |" in page
    assert page.count("../examples/") == len(SHOWN)


def test_nothing_in_an_example_is_about_this_server():
    for path in EXAMPLES.glob("*.py"):
        assert not re.search(
            r"rocamadre|roca|endpoint_url|localhost|127\.0|4599", path.read_text().replace("Rocamadour", "")
        )
