import asyncio

import uvicorn

from rocamadre.server.http import Cycle, HttpProtocol

SEEN = []


async def echo(scope, receive, send):
    """Send the length and the first letters back; note in how many pieces it came."""
    body, more = [], True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        assert isinstance(message["body"], bytes)
        body.append(message["body"])
        more = message["more_body"]
    SEEN.append(type(receive.__self__))
    answer = b"%d %s" % (len(b"".join(body)), b"".join(body)[:8])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(answer))]})
    await send({"type": "http.response.body", "body": answer})


async def talk(requests):
    """Send raw requests one after another on one connection; the answers' bodies."""
    server = uvicorn.Server(uvicorn.Config(echo, port=0, http=HttpProtocol, log_config=None, lifespan="off"))
    task = asyncio.ensure_future(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection(*server.servers[0].sockets[0].getsockname())
    answers = []
    try:
        for request in requests:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if b"100 continue" in head:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            answers.append(await reader.readexactly(length))
    finally:
        writer.close()
        await writer.wait_closed()
        server.should_exit = True
        await task
    return answers


async def test_bodies_arrive_whole_one_request_after_another():
    large = bytes(range(256)) * 20_000
    requests = [
        b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        b"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n%s" % (len(large), large),
        b"PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        b"PUT / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\nhi",
    ]
    SEEN.clear()
    assert await talk(requests) == [b"0 ", b"5120000 \x00\x01\x02\x03\x04\x05\x06\x07", b"5 abcde", b"2 hi"]
    assert set(SEEN) == {Cycle}


async def test_requests_sent_at_once_are_answered_in_turn():
    two = b"".join(b"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n%s" % (n, b"%d" % n * n) for n in (1, 2))
    assert await talk([two, b""]) == [b"1 1", b"2 22"]
