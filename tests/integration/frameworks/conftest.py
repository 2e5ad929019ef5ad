"""What the suites of frameworks share. They find the server as every program does that `roca env` starts."""

from __future__ import annotations

import json
import os

import pytest

# The main run collects this folder too, but runs the suites in processes of their own.
collect_ignore_glob = [] if os.environ.get("ROCAMADRE_FRAMEWORKS") else ["*.py"]

TEXT_OF_PDF = "Limestone holds water."


def small_pdf() -> bytes:
    """One page with a line of text."""
    stream = f"BT /F1 24 Tf 72 700 Td ({TEXT_OF_PDF}) Tj ET".encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj%s endobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)


@pytest.fixture(autouse=True, scope="session")
def _service_models_are_read_once():
    """A suite makes a client for each test; reading botocore's files again for each would take most of the time."""
    import botocore.loaders
    import botocore.session

    loader = botocore.loaders.create_loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", lambda *_: loader)
        yield


@pytest.fixture
def downloads(monkeypatch):
    """In place of the network: a small PDF for a suite that fetches one, the first bytes of a PNG for any other."""
    import httpx

    def get(url, **_):
        content = small_pdf() if str(url).endswith(".pdf") else b"\x89PNG\r\n\x1a\n"
        return httpx.Response(200, content=content, request=httpx.Request("GET", url))

    monkeypatch.setattr(httpx, "get", get)


@pytest.fixture(scope="session")
def locked():
    """Address and keys of a server that wants keys."""
    return json.loads(os.environ["ROCAMADRE_LOCKED"])
