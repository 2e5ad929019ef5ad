import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rocamadre.api.wire.paging import page, paging_secret
from rocamadre.core.clock import FixedClock
from rocamadre.core.context import Context, Principal
from rocamadre.core.errors import InvalidRequest


@pytest.fixture
def context(tmp_path):
    platform = SimpleNamespace(
        settings=SimpleNamespace(home=tmp_path), clock=FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
    )
    return Context(platform, Principal("k", "123456789012"), "123456789012", "us-east-1", "id", 0.0)


def listed(context, items, *, operation="ListThings", default=100, **request):
    return page(context, items, request=request, operation=operation, key=str, default=default)


def walk(context, items, **request):
    pages, token = [], None
    while True:
        found, token = listed(context, items, **request, **({"nextToken": token} if token else {}))
        pages.append(found)
        if token is None:
            return pages


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(count=st.integers(0, 50), size=st.integers(1, 20))
def test_pages_hold_every_item_once_in_order(context, count, size):
    items = list(range(count))
    pages = walk(context, items, maxResults=size)
    assert [item for found in pages for item in found] == items
    assert all(len(found) == size for found in pages[:-1])
    assert len(pages) == max(1, -(-count // size))


def test_default_size_and_the_other_spelling(context):
    assert [len(found) for found in walk(context, range(250))] == [100, 100, 50]
    assert [len(found) for found in walk(context, range(5), maxItems=2)] == [2, 2, 1]
    assert [len(found) for found in walk(context, range(5), default=3)] == [3, 2]


def test_the_limit_may_change_between_pages(context):
    _, token = listed(context, range(10), maxResults=3)
    assert listed(context, range(10), maxResults=5, nextToken=token)[0] == [3, 4, 5, 6, 7]


def test_tokens_suit_every_pattern_and_length_of_the_models(context):
    _, token = listed(context, ["x" * 2000] * 3 + ["y" * 2000], maxResults=2)
    assert len(token) <= 2048
    assert token.isascii()
    assert not set(token) & set(" \t\n=+/")


@pytest.mark.parametrize(
    "change",
    [
        {"operation": "ListOthers"},
        {"context": {"account": "999999999999"}},
        {"context": {"region": "eu-west-1"}},
        {"filter": "b"},
        {"other": 1},
    ],
)
def test_tokens_of_another_request_are_refused(context, change):
    _, token = listed(context, range(9), maxResults=2, filter="a")
    where = replace(context, **change.pop("context", {}))
    with pytest.raises(InvalidRequest, match="The provided nextToken is invalid"):
        listed(where, range(9), maxResults=2, nextToken=token, **{"filter": "a", **change})


def test_tokens_of_another_home_are_refused(context, tmp_path):
    _, token = listed(context, range(9), maxResults=2)
    platform = SimpleNamespace(settings=SimpleNamespace(home=tmp_path / "other"), clock=context.platform.clock)
    with pytest.raises(InvalidRequest, match="nextToken is invalid"):
        listed(replace(context, platform=platform), range(9), nextToken=token)


def test_every_altered_character_is_refused(context):
    _, token = listed(context, range(9), maxResults=2)
    for place in range(len(token)):
        altered = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(InvalidRequest, match="nextToken is invalid"):
            listed(context, range(9), nextToken=altered)


@pytest.mark.parametrize("token", ["", "x", "====", "é", "A" * 2048, base64.urlsafe_b64encode(bytes(64)).decode()])
def test_garbage_is_refused(context, token):
    with pytest.raises(InvalidRequest, match="nextToken is invalid"):
        listed(context, range(9), nextToken=token)


def test_tokens_expire_after_a_day(context):
    _, token = listed(context, range(9), maxResults=2)
    context.platform.clock.advance(24 * 3600)
    assert listed(context, range(9), maxResults=2, nextToken=token)[0] == [2, 3]
    context.platform.clock.advance(1)
    with pytest.raises(InvalidRequest, match="expired"):
        listed(context, range(9), maxResults=2, nextToken=token)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_items_that_stay_are_neither_repeated_nor_missed(context, data):
    """While others come and go, as long as one of a page's last eight survives."""
    items = sorted(data.draw(st.sets(st.integers(0, 1000), min_size=30, max_size=60)))
    kept = set(items)
    seen, token, last = [], None, []
    while True:
        found, token = listed(context, items, maxResults=10, **({"nextToken": token} if token else {}))
        seen += found
        if token is None:
            break
        last = found[-8:]
        survivor = data.draw(st.sampled_from(last))
        gone = data.draw(st.sets(st.sampled_from(items), max_size=12)) - {survivor}
        new = data.draw(st.sets(st.integers(0, 1000), max_size=5)) - set(items)
        items = sorted((set(items) - gone) | new)
        kept -= gone
    assert len(seen) == len(set(seen)) or set(x for x in seen if seen.count(x) > 1).isdisjoint(kept)
    assert kept <= set(seen)


def test_when_all_marked_items_are_gone_the_position_decides(context):
    items = list(range(20))
    _, token = listed(context, items, maxResults=5)
    assert listed(context, items[5:], maxResults=5, nextToken=token)[0] == items[10:15]
    assert listed(context, [], maxResults=5, nextToken=token) == ([], None)


def test_the_secret_is_made_once_and_kept_private(tmp_path):
    paging_secret.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        secrets = set(pool.map(lambda _: paging_secret.__wrapped__(tmp_path), range(16)))
    assert len(secrets) == 1
    path = tmp_path / "keys" / "paging.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [child.name for child in path.parent.iterdir()] == ["paging.key"]
    path.write_bytes(b"cut")
    assert len(paging_secret.__wrapped__(tmp_path)) == 32
