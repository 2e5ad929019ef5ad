from __future__ import annotations

import pytest

from rocamadre.core.errors import TooManyTags
from rocamadre.neighbours.logs.errors import LogsExists, LogsInvalid, LogsNotFound
from rocamadre.neighbours.logs.operations import (
    DAY_MS,
    create_group,
    create_stream,
    delete_group,
    delete_stream,
    list_groups,
    list_streams,
    now_ms,
    put_batch,
    put_events,
    set_retention,
)
from rocamadre.neighbours.logs.reading import filter_events, get_events
from rocamadre.store.sql.tags import read_tags


def messages(events):
    return [event.message for event in events]


@pytest.fixture
def group(ctx):
    return create_group(ctx, "/g").name


def test_groups_belong_to_an_account_and_region(ctx, make_context):
    create_group(ctx, "/a")
    with pytest.raises(LogsExists):
        create_group(ctx, "/a")
    for other in (make_context(account="111122223333"), make_context(region="eu-west-1")):
        assert list_groups(other) == []
        with pytest.raises(LogsNotFound):
            delete_group(other, "/a")
        create_group(other, "/a")


def test_a_group_goes_with_all_it_holds(ctx):
    made = create_group(ctx, "/a", tags={"k": "v"})
    put_events(ctx, "/a", "s", [(1, "x")])
    delete_group(ctx, "/a")
    create_group(ctx, "/a")
    assert list_streams(ctx, "/a") == []
    with ctx.platform.sql.connect() as connection:
        assert read_tags(connection, made.arn) == {}


def test_a_group_that_cannot_be_tagged_is_not_made(ctx):
    with pytest.raises(TooManyTags):
        create_group(ctx, "/a", tags={str(number): "" for number in range(51)})
    assert list_groups(ctx) == []


def test_groups_are_found_by_prefix_and_by_part(ctx):
    for name in ("/aws/lambda/One", "/aws/other", "/aws_lambda"):
        create_group(ctx, name)
    assert [group.name for group in list_groups(ctx, prefix="/aws/")] == ["/aws/lambda/One", "/aws/other"]
    assert [group.name for group in list_groups(ctx, pattern="one")] == ["/aws/lambda/One"]
    assert [group.name for group in list_groups(ctx, prefix="/aws_")] == ["/aws_lambda"]


def test_put_events_makes_the_stream_and_not_the_group(ctx, group):
    put_events(ctx, group, "s", [(20, "b"), (10, "á")])
    put_events(ctx, group, "s", [(30, "c")])
    (stream,) = list_streams(ctx, group)
    assert (stream.first_ms, stream.last_ms, stream.ingested_ms) == (10, 30, now_ms(ctx))
    assert list_groups(ctx)[0].stored_bytes == 4
    with pytest.raises(LogsNotFound):
        put_events(ctx, "/absent", "s", [(1, "x")])
    with pytest.raises(LogsInvalid):
        put_events(ctx, group, "s", [(1, "kept?"), (2, "")])
    assert messages(get_events(ctx, group, "s").events) == ["á", "b", "c"]


def test_put_events_takes_more_than_a_clients_batch(ctx, group):
    put_events(ctx, group, "s", [(number, "x" * 100) for number in range(12_000)])
    assert len(get_events(ctx, group, "s", from_head=True).events) == 10_000


def test_a_stream_is_made_once_and_goes_with_its_events(ctx, group):
    create_stream(ctx, group, "s")
    with pytest.raises(LogsExists):
        create_stream(ctx, group, "s")
    delete_stream(ctx, group, "s")
    with pytest.raises(LogsNotFound):
        get_events(ctx, group, "s")


def test_streams_by_name_and_by_last_event(ctx, group):
    create_stream(ctx, group, "empty")
    put_events(ctx, group, "a", [(5, "x")])
    put_events(ctx, group, "b", [(3, "x")])
    assert [stream.name for stream in list_streams(ctx, group)] == ["a", "b", "empty"]
    assert [stream.name for stream in list_streams(ctx, group, order="LastEventTime", descending=True)] == [
        "a",
        "b",
        "empty",
    ]
    assert [stream.name for stream in list_streams(ctx, group, order="LastEventTime")] == ["empty", "b", "a"]


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([(2, "b"), (1, "a")], "chronological"),
        ([(0, "a"), (DAY_MS + 1, "b")], "24 hours"),
        ([(1, "x" * 2**20)], "too large"),
        ([(1, "x" * 2**19)] * 3, "Upload too large"),
        ([(1, "x")] * 10_001, "10000"),
        ([(1, "")], "empty"),
    ],
)
def test_a_batch_keeps_the_rules(ctx, group, events, words):
    create_stream(ctx, group, "s")
    now = now_ms(ctx)
    with pytest.raises(LogsInvalid, match=words):
        put_batch(ctx, group, "s", [(now + moment, text) for moment, text in events])
    assert get_events(ctx, group, "s").events == []


def test_a_batch_names_what_it_leaves_out(ctx, group):
    create_stream(ctx, group, "s")
    now = now_ms(ctx)
    old = put_batch(ctx, group, "s", [(now - 14 * DAY_MS - 1, "old"), (now - 14 * DAY_MS, "fits")])
    assert (old.too_old_end, old.too_new_start) == (1, None)
    new = put_batch(ctx, group, "s", [(now, "now"), (now + 3 * 3_600_000, "new")])
    assert (new.too_old_end, new.too_new_start) == (None, 1)
    set_retention(ctx, group, 1)
    assert put_batch(ctx, group, "s", [(now - DAY_MS - 5, "a"), (now - DAY_MS, "b")]).expired_end == 1
    assert messages(get_events(ctx, group, "s").events) == ["b", "now"]


def test_retention_removes_what_is_older(ctx, group, clock):
    now = now_ms(ctx)
    put_events(ctx, group, "s", [(now - 2 * DAY_MS, "old"), (now, "new")])
    with pytest.raises(LogsInvalid, match="1, 3, 5"):
        set_retention(ctx, group, 2)
    set_retention(ctx, group, 1)
    assert list_groups(ctx)[0].stored_bytes == 3
    clock.advance(2 * 86_400)
    assert get_events(ctx, group, "s").events == []
    set_retention(ctx, group, None)
    assert list_groups(ctx)[0].retention_days is None


def test_pages_lead_forward_and_backward_and_stop(ctx, group):
    put_events(ctx, group, "s", [(number // 2, str(number)) for number in range(10)])
    page = get_events(ctx, group, "s", limit=4, from_head=True)
    assert messages(page.events) == ["0", "1", "2", "3"]
    page = get_events(ctx, group, "s", limit=4, token=page.forward)
    assert messages(page.events) == ["4", "5", "6", "7"]
    assert messages(get_events(ctx, group, "s", limit=3, token=page.backward).events) == ["1", "2", "3"]
    page = get_events(ctx, group, "s", limit=4, token=page.forward)
    assert messages(page.events) == ["8", "9"]
    end = get_events(ctx, group, "s", limit=4, token=page.forward)
    assert (end.events, end.forward) == ([], page.forward)
    assert messages(get_events(ctx, group, "s", limit=2, token=end.backward).events) == ["8", "9"]
    put_events(ctx, group, "s", [(9, "later")])
    assert messages(get_events(ctx, group, "s", token=end.forward).events) == ["later"]


def test_without_a_token_the_end_comes_first(ctx, group):
    put_events(ctx, group, "s", [(number, str(number)) for number in range(5)])
    page = get_events(ctx, group, "s", limit=2)
    assert messages(page.events) == ["3", "4"]
    page = get_events(ctx, group, "s", limit=2, token=page.backward)
    assert messages(page.events) == ["1", "2"]
    page = get_events(ctx, group, "s", limit=2, token=page.backward)
    page = get_events(ctx, group, "s", limit=2, token=page.backward)
    assert page.events == []
    assert messages(get_events(ctx, group, "s", limit=2, token=page.forward).events) == ["0", "1"]


def test_an_empty_streams_token_finds_what_comes(ctx, group):
    create_stream(ctx, group, "s")
    page = get_events(ctx, group, "s", from_head=True)
    put_events(ctx, group, "s", [(7, "x")])
    assert messages(get_events(ctx, group, "s", token=page.forward).events) == ["x"]


def test_a_window_of_time_has_its_start_and_not_its_end(ctx, group):
    put_events(ctx, group, "s", [(number, str(number)) for number in range(5)])
    assert messages(get_events(ctx, group, "s", start_ms=1, end_ms=3).events) == ["1", "2"]


def test_a_page_is_a_megabyte_at_most(ctx, group):
    put_events(ctx, group, "s", [(number, "x" * 600_000) for number in range(3)])
    page = get_events(ctx, group, "s", from_head=True)
    assert len(page.events) == 1
    assert len(get_events(ctx, group, "s", token=page.forward).events) == 1


@pytest.mark.parametrize("token", ["", "f/1", "x", "f/" + "9" * 36 + "x", "n/" + "0" * 36])
def test_a_token_of_another_kind_is_refused(ctx, group, token):
    create_stream(ctx, group, "s")
    with pytest.raises(LogsInvalid, match="nextToken"):
        get_events(ctx, group, "s", token=token)


def test_filtering_goes_over_all_streams_in_order_of_time(ctx, group):
    put_events(ctx, group, "a", [(1, "ERROR one"), (3, "fine")])
    put_events(ctx, group, "b", [(2, "ERROR two"), (4, "ERROR four")])
    page = filter_events(ctx, group, pattern="ERROR", limit=2)
    assert [(event.stream, event.message) for event in page.events] == [("a", "ERROR one"), ("b", "ERROR two")]
    rest = filter_events(ctx, group, pattern="ERROR", limit=2, token=page.token)
    assert (messages(rest.events), rest.token) == (["ERROR four"], None)
    assert messages(filter_events(ctx, group, streams=["a"]).events) == ["ERROR one", "fine"]
    assert messages(filter_events(ctx, group, stream_prefix="b").events) == ["ERROR two", "ERROR four"]
    with pytest.raises(LogsNotFound):
        filter_events(ctx, group, streams=["absent"])


def test_one_call_looks_at_a_bounded_number_of_events(ctx, group, monkeypatch):
    monkeypatch.setattr("rocamadre.neighbours.logs.reading.MAX_SCANNED", 3)
    put_events(ctx, group, "s", [(number, "found" if number == 5 else "x") for number in range(8)])
    pages, token = [], None
    while True:
        page = filter_events(ctx, group, pattern="found", token=token)
        pages.append(messages(page.events))
        token = page.token
        if token is None:
            break
    assert pages == [[], ["found"], []]
