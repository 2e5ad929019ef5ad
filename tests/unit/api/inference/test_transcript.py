"""Streams put together again."""

from __future__ import annotations

import json

import msgspec

from rocamadre.api.inference import transcript as transcript_module
from rocamadre.api.inference.transcript import Transcript
from rocamadre.api.wire.eventstream import event_frame, exception_frame


def frames(*events):
    return [event_frame(name, json.dumps(value).encode()) for name, value in events]


def heard(form, pieces):
    transcript = Transcript(form)
    for piece in pieces:
        transcript.add(piece)
    result = transcript.result()
    return transcript, json.loads(result) if result else None


def delta(index, **delta):
    return ("contentBlockDelta", {"contentBlockIndex": index, "delta": delta})


def test_every_kind_of_block():
    _, said = heard(
        "converse",
        frames(
            ("messageStart", {"role": "assistant"}),
            delta(0, reasoningContent={"text": "Let me "}),
            delta(0, reasoningContent={"text": "see."}),
            delta(0, reasoningContent={"signature": "s1"}),
            ("contentBlockStop", {"contentBlockIndex": 0}),
            delta(1, text="Look"),
            delta(1, text="ing."),
            ("contentBlockStop", {"contentBlockIndex": 1}),
            ("contentBlockStart", {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t1", "name": "look"}}}),
            delta(2, toolUse={"input": '{"at": '}),
            delta(2, toolUse={"input": '"the sky"}'}),
            ("contentBlockStop", {"contentBlockIndex": 2}),
            ("messageStop", {"stopReason": "tool_use"}),
            ("metadata", {"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}}),
        ),
    )
    assert said["output"]["message"]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "Let me see.", "signature": "s1"}}},
        {"text": "Looking."},
        {"toolUse": {"toolUseId": "t1", "name": "look", "input": {"at": "the sky"}}},
    ]
    assert said["stopReason"] == "tool_use"
    assert said["usage"]["totalTokens"] == 3


def test_a_tool_call_that_broke_off_keeps_its_text():
    start = ("contentBlockStart", {"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "t1", "name": "look"}}})
    pieces = [*frames(start, delta(0, toolUse={"input": '{"at'})), exception_frame("modelStreamErrorException", b"{}")]
    _, said = heard("converse", pieces)
    assert said["output"]["message"]["content"][0]["toolUse"]["input"] == '{"at'


def test_an_endless_answer_is_cut(monkeypatch):
    monkeypatch.setattr(transcript_module, "MOST_BYTES", 10_000)
    monkeypatch.setattr(transcript_module, "_BATCH_BYTES", 1000)
    stop = ("messageStop", {"stopReason": "end_turn"})
    transcript, said = heard("converse", frames(*[delta(0, text="word " * 10)] * 1000, stop))
    assert transcript.cut
    assert 1000 < len(said["output"]["message"]["content"][0]["text"]) < 10_000
    assert said["stopReason"] == "end_turn"
    chunk = {"bytes": msgspec.json.encode({"text": "word " * 10})}
    transcript, said = heard("chunks", [event_frame("chunk", msgspec.json.encode(chunk))] * 1000)
    assert transcript.cut
    assert 10 < len(said) < 200


def test_server_sent_events_however_they_are_cut():
    whole = b'event: a\ndata: {"a": 1}\n\n: nothing\n\ndata: {"b": "x\\n"}\n\ndata: [DONE]\n\n'
    for size in (1, 7, len(whole)):
        _, said = heard("sse", [whole[at : at + size] for at in range(0, len(whole), size)])
        assert said == [{"a": 1}, {"b": "x\n"}]


def test_bytes_that_make_no_sense_are_passed_over():
    transcript, said = heard("converse", [b"no frame at all, but long enough"])
    assert transcript.cut
    assert said is None
    transcript, said = heard("chunks", frames(("chunk", {"wrong": 1})))
    assert transcript.cut
    assert said is None
