import asyncio
import json

import pytest

from rocamadre.observability.tracing import use_tracer

BODY = json.dumps({"messages": [{"role": "user", "content": [{"text": "a private word"}]}]}).encode()


class Recorder:
    def __init__(self):
        self.spans = []

    def start(self, name, attributes, parent):
        recorded = Recorded(name, dict(attributes), parent)
        self.spans.append(recorded)
        return recorded

    def close(self):
        pass


class Recorded:
    def __init__(self, name, attributes, parent):
        self.name, self.attributes, self.parent, self.ended = name, attributes, parent, 0

    def set(self, **attributes):
        self.attributes.update(attributes)

    def end(self, error):
        self.ended += 1


@pytest.fixture
def tracer():
    recorder = Recorder()
    use_tracer(recorder)
    yield recorder
    use_tracer(None)


@pytest.mark.parametrize("path", ["converse", "converse-stream"])
def test_a_request_and_its_generation_are_timed_as_parent_and_child(make_client, tracer, path):
    client, platform = make_client()

    async def ask():
        answer = await client.send("POST", f"/model/rocamadre.fake-v1:0/{path}", BODY)
        await platform.engines.close()
        return answer

    assert asyncio.run(ask()).status == 200
    request, chat, *stages = tracer.spans
    assert (request.name, chat.name) == ("request", "chat")
    assert [stage.name for stage in stages] == ["engine", "first_token", "tokens"]
    assert chat.parent is request
    assert {stage.parent for stage in stages} == {chat}
    assert {each.ended for each in tracer.spans} == {1}
    assert chat.attributes["gen_ai.request.model"] == "rocamadre.fake-v1:0"
    assert chat.attributes["output_tokens"] > 0
    assert request.attributes["http_status"] == 200
    assert "private" not in str([span.attributes for span in tracer.spans])


def test_a_trace_begun_elsewhere_goes_on(make_client, tracer):
    client, _ = make_client()
    above = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    asyncio.run(client.send("GET", "/healthz", headers={"traceparent": above}))
    assert tracer.spans[0].parent == above
