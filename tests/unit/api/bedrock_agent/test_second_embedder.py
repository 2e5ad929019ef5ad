"""Knowledge bases with a second embedder: who gets one, what is kept, and that it is asked."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from rocamadre.catalog.embedded import embedded_dir
from rocamadre.catalog.operations import find_model
from rocamadre.core.errors import Conflict
from rocamadre.engines.embed.static import StaticModel
from rocamadre.knowledge import embedding
from rocamadre.knowledge.embedding import check_embedder, embedder_hash, second_embedder, second_of, store_facts
from rocamadre.knowledge.search import state
from rocamadre.knowledge.tables import select_base
from rocamadre.testing.knowledge import KnowledgeBench
from rocamadre.testing.requests import WireRequest

FIRST, SECOND = "rocamadre.fake-embed-v1:0", "rocamadre.roca-embed-v1:0"


@pytest.fixture(scope="module")
def bench(tmp_path_factory, needs):
    """The fake embedder stands in for one that knows English alone."""
    folder = embedded_dir("roca-embed")
    needs(folder is not None and (folder / "static.safetensors").is_file(), "roca-embed is not here")

    def trust(name):
        return {"en": 1.0, "": 0.0} if "fake" in name else {"": 1.0}

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(embedding, "trust_of", trust)
        patched.setattr(state, "trust_of", trust)
        made = KnowledgeBench(tmp_path_factory.mktemp("home"))
        yield made
        made.close()


def stored(bench):
    with bench.server.platform.sql.connect() as connection:
        return select_base(connection, bench.base)


def test_an_embedder_of_english_alone_gets_a_second_one(bench):
    base = stored(bench)
    assert (base.embedder, base.dimensions, second_of(base)) == (FIRST, 384, SECOND)
    assert (store_facts(base).embedder, store_facts(base).dimensions) == (f"{FIRST} + {SECOND}", 768)


def test_one_that_reads_all_languages_does_not(bench):
    assert second_embedder(bench.server.platform, find_model(bench.server.platform, SECOND)) == {}


def test_an_old_knowledge_base_goes_on_with_one(bench):
    old = replace(stored(bench), facts={})
    assert (store_facts(old).embedder, store_facts(old).dimensions) == (FIRST, 384)
    assert second_of(old) == ""


def test_documents_and_questions_are_read_by_both(bench):
    source = bench.new_source()
    texts = {"choir": "The choir sings on Wednesdays.", "mill": "The mill grinds corn on Mondays."}
    for name, text in texts.items():
        bench.put(f"{name}.txt", text)
    assert bench.statistics(source)["NewDocumentsIndexed"] == 2
    store = bench.store()
    (chunk,) = store.of_document("s3://docs/choir.txt", data_source=source)
    store.close()
    alone = StaticModel(embedded_dir("roca-embed"))
    own = alone.embed(alone.token_ids([chunk.text]))[0]
    assert chunk.embedding.shape == (768,)
    assert np.allclose(chunk.embedding[384:] * 2**0.5, own, atol=1e-5)
    assert np.linalg.norm(chunk.embedding[:384]) == pytest.approx(0.5**0.5, abs=1e-5)

    runtime = bench.client("bedrock-agent-runtime")
    explain = ("x-rocamadre-explain", "true")
    runtime.meta.events.register("before-sign", lambda request, **_: request.headers.add_header(*explain))
    answer = runtime.retrieve(knowledgeBaseId=bench.base, retrievalQuery={"text": "¿Cuándo canta el coro?"})
    best = answer["retrievalResults"][0]
    assert best["content"]["text"] == texts["choir"]
    path, _, query = answer["ResponseMetadata"]["HTTPHeaders"]["x-rocamadre-explain"].partition("?")
    trace = json.loads(bench.server.send(WireRequest("GET", path.encode(), query.encode())).body)
    (told,) = (each for each in trace["stages"] if each["stage"] == "second-vectors")
    assert (told["embedder"], told["lists"][0]["share"], told["lists"][0]["hits"]) == (SECOND, 0.5, 2)


def test_a_second_embedder_that_changed_is_refused(bench):
    base = stored(bench)
    changed = replace(base, facts={"second_embedder": {"id": SECOND, "hash": "0" * 64}})
    with pytest.raises(Conflict, match="are not those that made the vectors"):
        check_embedder(bench.server.platform, changed)
    gone = replace(base, facts={"second_embedder": {"id": "rocamadre.gone-v1:0", "hash": "0" * 64}})
    with pytest.raises(Conflict, match="is not here any more"):
        check_embedder(bench.server.platform, gone)


def test_a_new_card_beside_a_table_of_vectors_is_not_another_model(bench, tmp_path):
    model = find_model(bench.server.platform, SECOND)
    for name in ("static.safetensors", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"as it was")
    before = embedder_hash(replace(model, path=tmp_path))
    (tmp_path / "card.md").write_text("It has limits.")
    assert embedder_hash(replace(model, path=tmp_path)) == before
    (tmp_path / "static.safetensors").write_bytes(b"other rows")
    assert embedder_hash(replace(model, path=tmp_path)) != before
