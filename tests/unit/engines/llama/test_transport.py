import asyncio

import pytest

from rocamadre.core.errors import ModelFailure
from rocamadre.engines.llama.transport import Transport
from rocamadre.engines.runner import NotDelivered

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b'data: {"content": "a"}\n\n'


@pytest.mark.timeout(20)
async def test_a_dead_child_fails_who_reads_and_sends_who_comes_later_elsewhere(tmp_path):
    killed = asyncio.Event()

    async def one_event_then_death(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"%x\r\n%s\r\n" % (len(EVENT), EVENT))
        await killed.wait()
        writer.transport.abort()

    async def read(begun):
        async for _ in transport.chunks({}):
            begun.set()

    async with await asyncio.start_unix_server(one_event_then_death, tmp_path / "child"):
        transport = Transport("m", tmp_path / "child", reply_timeout_s=10)
        begun = asyncio.Event()
        reading = asyncio.create_task(read(begun))
        await begun.wait()
        await asyncio.sleep(0.1)  # By now it waits for the second event.
        killed.set()
        await transport.close()
        with pytest.raises(ModelFailure, match="m: its process died"):
            await reading
        with pytest.raises(NotDelivered):
            await transport.ask("/completion", {})
