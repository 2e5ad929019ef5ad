from __future__ import annotations

import msgspec
import pytest

from rocamadre.api.http import HttpRequest
from rocamadre.api.platform.models import model, models
from rocamadre.catalog.lineage import read_lineage, without_front_matter
from rocamadre.catalog.types import Model
from rocamadre.core.errors import NotFound, RocamadreError

FAKE = "rocamadre.fake-v1:0"


def asked(*values: str) -> HttpRequest:
    return HttpRequest("GET", b"/", b"", {}, b"", values)


async def test_every_model_and_alias_without_paths(context):
    told = msgspec.json.decode((await models(context, asked())).body)
    assert FAKE in [each["id"] for each in told["models"]]
    assert not {name for each in told["models"] for name in each} & {"path", "options"}
    assert {"pattern", "model_id", "source", "note"} == set(told["aliases"][0])


async def test_one_model_by_any_of_its_names(context):
    for name in (FAKE, "fake"):
        told = msgspec.json.decode((await model(context, asked(name))).body)
        assert (told["id"], told["aliased"], told["card"], told["sha256"]) == (FAKE, False, "", {})
    with pytest.raises(RocamadreError) as refused:
        await model(context, asked("no-such-model"))
    assert isinstance(refused.value, NotFound) or "no-such-model" in refused.value.message


def make(path):
    return Model("a.b-v1:0", "b", "B", "A", "llama", path, ("TEXT",))


def test_origin_and_card_lie_beside_the_weights(tmp_path):
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n# A card")
    (tmp_path / "manifest.json").write_text(
        '{"origin": "hub:a/b", "revision": "abc", "sha256": {"w": "00"}, "notes": ["made F16"]}'
    )
    weights = tmp_path / "model.gguf"
    weights.touch()
    for path in (weights, tmp_path):
        found = read_lineage(make(path))
        assert (found.card, found.origin, found.revision) == ("# A card", "hub:a/b", "abc")
        assert (found.sha256, found.notes) == ({"w": "00"}, ("made F16",))
    assert read_lineage(make(None)).card == ""
    assert read_lineage(make(tmp_path / "empty" / "x")).origin == ""


def test_a_card_that_is_too_long_is_cut_and_bad_bytes_are_replaced(tmp_path):
    (tmp_path / "card.md").write_bytes(b"\xff" + b"x" * 2_000_000)
    card = read_lineage(make(tmp_path)).card
    assert len(card) == 1024 * 1024
    assert card.startswith("\ufffdx")


def test_front_matter_that_never_ends_is_left():
    assert without_front_matter("---\nlicense: mit\n") == "---\nlicense: mit\n"
