"""Chat templates of strangers: bounded, and rendered once out of the house before any model with them is taken."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from rocamadre.core.errors import InvalidRequest

MAX_TEMPLATE = 256 * 1024
"""Characters; the longest in use has about forty thousand."""

WALL_S = 20.0


def check_template(template: str, *, name: str = "the chat template") -> str:
    """Render a template once, in a sandboxed child process with limits on time and memory.

    Returns:
        What it wrote for one user message; empty when the template refuses such a conversation.

    Raises:
        InvalidRequest: it is too long, does not compile, or exceeds a limit.
    """
    if len(template) > MAX_TEMPLATE:
        raise InvalidRequest(f"{name} has {len(template)} characters; at most {MAX_TEMPLATE} are taken")
    command = [sys.executable, "-P", "-m", "rocamadre.catalog.template_child"]
    try:
        done = subprocess.run(
            command,
            input=msgspec.json.encode({"template": template}),
            capture_output=True,
            timeout=WALL_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InvalidRequest(f"{name} does not render in {WALL_S:.0f} s") from error
    if done.returncode != 0:
        raise InvalidRequest(f"{name} exceeds the limits on time or memory when it renders one short message")
    answer = msgspec.json.decode(done.stdout, type=dict[str, str])
    if "error" in answer:
        raise InvalidRequest(f"{name} does not render: {answer['error']}")
    return answer["text"]


def template_in_config(config: Mapping[str, Any]) -> str | None:
    """The chat template in a tokenizer_config.json: a string, or the one called `default` of several."""
    found = config.get("chat_template")
    if isinstance(found, list):
        by_name = {item.get("name"): item.get("template") for item in found if isinstance(item, dict)}
        found = by_name.get("default")
    return found if isinstance(found, str) else None
