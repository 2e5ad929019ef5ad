"""An S3 that throws every byte away: `python -m benchmarks.discarding_s3 PORT`. Raw ASGI, as fast as uvicorn reads."""

from __future__ import annotations

import sys

import uvicorn

_ETAG = (b"etag", b'"d41d8cd98f00b204e9800998ecf8427e"')
_BEGUN = b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
_DONE = b"<CompleteMultipartUploadResult><ETag>1</ETag></CompleteMultipartUploadResult>"


async def app(scope, receive, send):
    """Read the body and say that all went well."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    body = b""
    if scope["method"] == "POST":
        body = _BEGUN if b"uploads" in scope["query_string"] else _DONE
    headers = [_ETAG, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False, lifespan="off")
