"""Speaking to child processes."""

from __future__ import annotations

from asyncio.subprocess import Process
from contextlib import suppress


async def tell(process: Process, line: bytes) -> None:
    """Write to a child's standard input. A child that is gone hears nothing: whoever waits for it learns why it ended.

    Args:
        process: Made with `stdin=PIPE`.
        line: What it shall read.
    """
    pipe = process.stdin
    assert pipe is not None
    try:
        with suppress(ConnectionError):
            pipe.write(line)
            await pipe.drain()
    except RuntimeError:  # What uvloop raises where asyncio drops what is written to a closed pipe.
        if not pipe.is_closing():
            raise
