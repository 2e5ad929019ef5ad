"""The programs of docs/neighbours.md for S3 Vectors and OpenSearch Serverless, on a real server."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("heading", "shown"),
    [("S3 Vectors", "[('brazil', 0.323)]"), ("OpenSearch Serverless", "ACTIVE True")],
)
def test_the_program_on_the_page_runs_again_and_again(server, checkout, heading, shown):
    page = (checkout / "docs" / "neighbours.md").read_text()
    program = re.search(rf"^## {heading}\n\n```python\n(.*?)^```", page, re.M | re.S)[1]
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")} | {
        "AWS_ENDPOINT_URL": server.address,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == shown
