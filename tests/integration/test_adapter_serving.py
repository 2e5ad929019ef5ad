"""Adapters over one base in one process: each answers as its merged model, whatever was asked before."""

import asyncio
import json
import shutil
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

import pytest

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import Finish, GenerationRequest, Sampling, TextDelta
from rocamadre.core.settings import EngineSettings
from rocamadre.engines.llama.engine import LlamaEngine
from rocamadre.engines.llama.gguf import export_gguf
from rocamadre.engines.llama.gguf_adapter import export_adapter, why_not
from rocamadre.engines.pool import EnginePool
from rocamadre.engines.protocol import LoadSpec
from rocamadre.engines.torch.adapters import adapter_options
from rocamadre.testing.tuned import gguf_base, tune
from rocamadre.training.certificate.torch_side import greedy
from rocamadre.training.forms import write_reading
from rocamadre.training.serving import load_tuned

CONTEXT = 256
SETTINGS = {
    "plain": {"rank": 4, "alpha": 16},
    "rslora": {"rank": 8, "alpha": 8, "rslora": True, "targets": "attention"},
}
PROMPT = "<|im_start|>user\nWhat is the code word?<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return build(tmp_path_factory.mktemp("models"), pre="gpt-2")


def build(folder, **shape):
    """A base, adapters over it, and the same merged, all float32."""
    base = gguf_base(folder, **shape)
    found = {"base": base}
    for name, settings in SETTINGS.items():
        trained = tune(base, folder / name, "lora", settings, learning_rate=2e-2, seed=len(name))
        found[name] = export_adapter(trained, base, folder / f"{name}.gguf").path
        tuned = load_tuned(base, "lora", trained)
        merged = tuned.method.merge(tuned.module)
        merged.save_pretrained(folder / f"{name}-merged")
        tuned.base.write_tokenizer(folder / f"{name}-merged")
        export_gguf(folder / f"{name}-merged", folder / f"{name}-merged.gguf", kind="F32")
        found[f"{name} merged"] = folder / f"{name}-merged.gguf"
    return found


def ask(text=PROMPT, adapter=""):
    return GenerationRequest(prompt=text, sampling=Sampling(max_tokens=24, temperature=0.0), adapter=str(adapter))


async def answer(engine, request):
    text = ""
    async with aclosing(engine.converse(request)) as events:
        async for event in events:
            text += event.text if isinstance(event, TextDelta) else ""
            last = event
    assert isinstance(last, Finish)
    return text


@asynccontextmanager
async def running(spec, home, **settings):
    engine = LlamaEngine(spec, EngineSettings(**{"slots": 2, "threads": 1, **settings}), home)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


@asynccontextmanager
async def pooled(home, **settings):
    pool = EnginePool(EngineSettings(**{"slots": 2, "threads": 1, **settings}), home)
    try:
        yield pool
    finally:
        await pool.close()


def over(models, *names):
    return LoadSpec("over", "llama", models["base"], CONTEXT, {"adapters": [str(models[name]) for name in names]})


def of(models, name, **options):
    return LoadSpec(name, "llama", models["base"], CONTEXT, {"adapter": str(models[name]), **options})


async def alone(models, name, tmp_path):
    spec = LoadSpec(name, "llama", models["base" if name == "base" else f"{name} merged"], CONTEXT)
    async with running(spec, tmp_path) as engine:
        return await answer(engine, ask())


async def test_each_adapter_answers_as_its_merged_model(models, tmp_path):
    expected = {name: await alone(models, name, tmp_path) for name in ("base", *SETTINGS)}
    assert len(set(expected.values())) == 3
    async with running(over(models, *SETTINGS), tmp_path) as engine:
        for name in (*SETTINGS, "base", *SETTINGS):
            adapter = "" if name == "base" else models[name]
            assert await answer(engine, ask(adapter=adapter)) == expected[name], name


async def test_adapters_of_a_qwen2_whose_rows_are_not_reordered(tmp_path):
    models = build(tmp_path, architecture="qwen2", pre="qwen2", tied=False)
    expected = await alone(models, "plain", tmp_path)
    async with running(over(models, "plain"), tmp_path) as engine:
        assert await answer(engine, ask(adapter=models["plain"])) == expected


async def test_the_base_does_not_go_on_from_an_adapters_cache(models, tmp_path, monkeypatch):
    """llama.cpp keeps what it computed of a prompt; with another adapter that is of no use, and it must know so."""
    expected = await alone(models, "base", tmp_path)
    async with running(over(models, "plain"), tmp_path, slots=1) as engine:
        await answer(engine, ask(adapter=models["plain"]))
        assert await answer(engine, ask()) == expected
        monkeypatch.setattr(LlamaEngine, "_adapter_fields", no_zeros)
        await answer(engine, ask(adapter=models["plain"]))
        assert await answer(engine, ask()) != expected, "llama.cpp has mended this: the list need not be whole any more"


def no_zeros(engine, wanted):
    return {"lora": [{"id": 0, "scale": 1.0}]} if wanted else {}


async def test_adapters_that_are_asked_at_the_same_time_do_not_mix(models, tmp_path):
    expected = {name: await alone(models, name, tmp_path) for name in ("base", *SETTINGS)}
    names = [name for _ in range(4) for name in expected]
    async with running(over(models, *SETTINGS), tmp_path, slots=4) as engine:
        found = await asyncio.gather(
            *(answer(engine, ask(adapter="" if name == "base" else models[name])) for name in names)
        )
    assert found == [expected[name] for name in names]


async def test_the_pool_runs_one_process_for_the_adapters_of_a_base(models, tmp_path):
    expected = {name: await alone(models, name, tmp_path) for name in SETTINGS}
    async with pooled(tmp_path) as pool:
        first = await pool.engine(of(models, "plain"))
        assert await answer(first, ask()) == expected["plain"]
        second = await pool.engine(of(models, "rslora"))
        assert await answer(second, ask()) == expected["rslora"]
        assert await answer(first, ask()) == expected["plain"]
        (line,) = [line for line in pool.status() if line.state == "ready"][-1:]
        assert "adapters over base.gguf" in line.model_id
        again = await pool.engine(of(models, "plain"))
        assert await answer(again, ask()) == expected["plain"]
        for _ in range(100):
            if len(pool.status()) == 1:
                break
            await asyncio.sleep(0.05)
        assert [line.pid for line in pool.status()] == [line.pid]
        await pool.unload("plain")
        assert len(pool.status()) == 1
        await pool.unload("rslora")
        assert pool.status() == []


async def test_an_answer_under_way_is_finished_when_an_adapter_comes(models, tmp_path):
    async with pooled(tmp_path) as pool:
        first = await pool.engine(of(models, "plain"))
        request = replace(ask(), sampling=Sampling(max_tokens=120, temperature=0.0))
        whole = await answer(first, request)
        going = asyncio.create_task(answer(first, request))
        await asyncio.sleep(0)
        second = await pool.engine(of(models, "rslora"))
        assert await answer(second, ask())
        assert await going == whole


async def test_where_two_do_not_fit_the_first_ends_its_work_and_gives_way(models, tmp_path):
    one = LlamaEngine.memory_bytes(over(models, *SETTINGS), EngineSettings(slots=2))
    async with pooled(tmp_path, memory_limit_bytes=int(one * 1.4)) as pool:
        first = await pool.engine(of(models, "plain"))
        request = replace(ask(), sampling=Sampling(max_tokens=150, temperature=0.0))
        whole = await answer(first, request)
        going = asyncio.create_task(answer(first, request))
        while not sum(line.active for line in pool.status()):
            await asyncio.sleep(0)
        second = await pool.engine(of(models, "rslora"))
        assert going.done()
        assert await going == whole
        assert await answer(second, ask())
        assert await answer(first, request) == whole
        assert len(pool.status()) == 1


async def test_a_damaged_adapter_harms_no_other(models, tmp_path):
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(models["plain"].read_bytes()[:-200])
    async with pooled(tmp_path) as pool:
        good = await pool.engine(of(models, "plain"))
        expected = await answer(good, ask())
        bad = await pool.engine(of({**models, "damaged": damaged}, "damaged"))
        with pytest.raises(InvalidRequest, match="not a whole GGUF file"):
            await answer(bad, ask())
        assert await answer(good, ask()) == expected


async def test_a_dedicated_model_has_a_process_of_its_own(models, tmp_path):
    expected = await alone(models, "plain", tmp_path)
    async with pooled(tmp_path) as pool:
        shared = await pool.engine(of(models, "plain"))
        own = await pool.engine(replace(of(models, "plain"), model_id="mine", dedicated=True))
        assert await answer(own, ask()) == await answer(shared, ask()) == expected
        assert sorted(line.model_id for line in pool.status())[-1] == "mine"


async def test_the_torch_engine_holds_a_tuned_model_to_a_schema_too(models, tmp_path):
    trained = tune(models["base"], tmp_path / "loreft", "loreft", {"rank": 2, "last": 2}, learning_rate=0.1)
    tuned = load_tuned(models["base"], "loreft", trained)
    write_reading(tuned.base, trained)
    spec = LoadSpec("edited", "torch", models["base"], CONTEXT, {"method": "loreft", "adapter": str(trained)})
    async with pooled(tmp_path) as pool:
        engine = await pool.engine(spec)
        rendered = await engine.render(ask())
        written = greedy(tuned.module, rendered.token_ids, 24, tuned.base.tokenizer.ends)
        special = tuned.base.tokenizer.special
        expected = tuned.base.tokenizer.tokens.decode([token for token in written if token not in special])
        assert await answer(engine, ask()) == expected
        schema = {"type": "object", "properties": {"yes": {"type": "boolean"}}, "required": ["yes"]}
        found = json.loads(await answer(engine, replace(ask(), schema=schema)))
        assert found["yes"] in (True, False)


def test_half_a_torch_adapter_is_refused():
    with pytest.raises(InvalidRequest, match="both 'adapter' and 'method'"):
        adapter_options({"method": "loreft"})


def test_adapters_that_the_engine_cannot_run_are_told_apart(models, tmp_path):
    trained = tmp_path / "trained"
    shutil.copytree(models["plain"].parent / "plain", trained)
    assert why_not(trained, models["base"]) == ""
    assert "directory" in why_not(trained, trained)
    config = json.loads((trained / "adapter_config.json").read_text())
    for change, word in (
        ({"use_dora": True}, "use_dora"),
        ({"peft_type": "IA3"}, "IA3"),
        ({"bias": "all"}, "bias"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
    ):
        (trained / "adapter_config.json").write_text(json.dumps({**config, **change}))
        assert word in why_not(trained, models["base"])
        with pytest.raises(InvalidRequest, match="merge it"):
            export_adapter(trained, models["base"], tmp_path / "x.gguf")
    assert not (tmp_path / "x.gguf").exists()
