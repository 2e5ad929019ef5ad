"""Publishing: what is trained is merged, exported, examined and only then there; what is not the same is not."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from rocamadre.core.errors import Conflict, InvalidRequest
from rocamadre.engines.llama import gguf as gguf_module
from rocamadre.engines.llama.gguf import export_gguf
from rocamadre.jobs.rundir import RunDir
from rocamadre.jobs.runner import RunStopped
from rocamadre.testing.tuned import gguf_base, tune
from rocamadre.training import forms, publish
from rocamadre.training.certificate import from_json, prompts

LORA = {"rank": 4, "alpha": 16}


@pytest.fixture(autouse=True)
def _few_and_short(monkeypatch):
    monkeypatch.setattr(prompts, "GOLDEN", prompts.GOLDEN[2:5])
    monkeypatch.setattr(publish, "STEPS", 16)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return gguf_base(tmp_path_factory.mktemp("base"), pre="llama-bpe", begins=True)


@pytest.fixture(scope="module")
def lora(base, tmp_path_factory):
    return tune(base, tmp_path_factory.mktemp("lora") / "model", "lora", LORA)


def publishing(tmp_path, base, trained, method="lora", **spec):
    folder = RunDir(tmp_path / "run")
    folder.begin(
        {
            "base": str(base),
            "trained": str(trained),
            "method": method,
            "destination": str(tmp_path / "models" / "custom-1"),
            "name": "harbour",
            **spec,
        }
    )
    (tmp_path / "models").mkdir(exist_ok=True)
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# -- the same model ---------------------------------------------------------------------------------------------------


def test_merged_and_served_is_the_model_that_was_trained(tmp_path, base, lora):
    own = [{"turns": [{"role": "user", "text": "code word?"}, {"role": "assistant", "text": "It is marmalade."}]}]
    folder = publishing(tmp_path, base, lora, kinds=["F16", "F32", "Q8_0"], prompts=own)
    result = publish.run(folder)
    destination = tmp_path / "models" / "custom-1"
    assert (result["engine"], result["serving"]) == ("llama", "merged")
    assert result["path"] == str(destination / "model-f16.gguf")
    assert result["options"] == {"cache_type": "f32", "flash_attention": False}
    assert result["size_bytes"] == Path(result["path"]).stat().st_size
    assert result["context_length"] == 256
    assert names(destination) == [
        "certificate.json", "model-f16.gguf", "model-f32.gguf", "model-q8_0.gguf", "publication.json", "weights",
    ]  # fmt: skip
    certificate = from_json(json.loads((destination / "certificate.json").read_text()))
    assert certificate.passed
    merged, *served = certificate.forms
    assert merged.name == "merged weights in torch"
    assert merged.same_answers == merged.prompts == merged.same_ids == 4
    assert [form.numbers for form in served] == ["F16", "F32", "Q8_0"]
    assert all(form.same_ids == form.prompts and form.stops for form in served)
    assert served[1].same_answers == 4
    assert served[1].deviation_nats < served[0].deviation_nats
    assert 0 < served[2].kl_nats < served[2].kl_limit_nats
    assert {event["part"] for event in folder.progress()} >= {"merge", "export"}


def test_publishing_again_gives_what_is_there(tmp_path, base, lora, monkeypatch):
    folder = publishing(tmp_path, base, lora)
    result = publish.run(folder)
    monkeypatch.setattr(publish, "load_tuned", None)
    assert publish.run(folder) == result
    foreign = publishing(tmp_path / "other", base, lora, destination=str(tmp_path / "models"))
    with pytest.raises(Conflict, match="another destination"):
        publish.run(foreign)


def test_a_full_result_needs_no_base(tmp_path, base):
    trained = tune(base, tmp_path / "model", "full", learning_rate=3e-3)
    result = publish.run(publishing(tmp_path, "", trained, "full", kinds=["F32"]))
    assert result["certificate"]["passed"]


def test_methods_that_cannot_merge_are_served_by_the_torch_engine(tmp_path, base):
    trained = tune(base, tmp_path / "model", "prefix-tuning", {"tokens": 5}, learning_rate=0.1)
    result = publish.run(publishing(tmp_path, base, trained, "prefix-tuning"))
    destination = tmp_path / "models" / "custom-1"
    assert (result["engine"], result["serving"], result["path"]) == ("torch", "adapter", str(base))
    assert result["options"] == {"method": "prefix-tuning", "adapter": str(destination / "adapter")}
    assert result["context_length"] == 251
    (form,) = result["certificate"]["forms"]
    assert form["same_answers"] == form["prompts"]


def test_qlora_is_held_to_the_base_that_it_was_trained_on(tmp_path, base):
    trained = tune(base, tmp_path / "model", "qlora", LORA)
    result = publish.run(publishing(tmp_path, base, trained, "qlora", kinds=["F32"]))
    certificate = result["certificate"]
    assert "4-bit base" in certificate["reference"]
    assert all(form["same_answers"] == form["prompts"] for form in certificate["forms"])


# -- not the same model -----------------------------------------------------------------------------------------------


def edited(name, change):
    """`forms.write_weights` that edits a JSON file afterwards."""

    def write(model, base, folder, original=forms.write_weights):
        original(model, base, folder)
        value = json.loads((folder / name).read_text())
        change(value)
        (folder / name).write_text(json.dumps(value))

    return write


def of_another_dtype(model, base, folder, original=forms.write_weights):
    original(model.to(torch.bfloat16).float(), base, folder)


def other_marks(config):
    config["chat_template"] = config["chat_template"].replace("<|im_start|>assistant", "<|im_start|>Assistant")


def other_merges(state):
    merges = state["model"]["merges"]
    merges[:] = merges[: len(merges) // 2]


SABOTAGES = {
    "template": edited("tokenizer_config.json", other_marks),
    "special token": edited("tokenizer_config.json", lambda config: config.update(eos_token="<|bos|>")),
    "dtype": of_another_dtype,
    "tokenizer": edited("tokenizer.json", other_merges),
}


@pytest.mark.parametrize("cause", SABOTAGES)
def test_what_is_not_the_same_is_not_published(tmp_path, base, lora, monkeypatch, cause):
    monkeypatch.setattr(forms, "write_weights", SABOTAGES[cause])
    with pytest.raises(InvalidRequest, match=f"Cause: {cause}"):
        publish.run(publishing(tmp_path, base, lora))
    assert names(tmp_path / "models") == []


def test_a_merge_with_another_scale_is_not_published(tmp_path, base, lora, monkeypatch):
    def wrong(path, method, trained, original=publish.load_tuned):
        tuned = original(path, method, trained)

        def merge(module):
            for part in module.modules():
                if isinstance(getattr(part, "scaling", None), dict):
                    part.scaling = {name: scale * 1.1 for name, scale in part.scaling.items()}
            return tuned.method.merge(module)

        method_ = SimpleNamespace(form="adapter", mergeable=True, name="lora", merge=merge)
        return SimpleNamespace(
            module=tuned.module, base=tuned.base, method=method_, context_length=tuned.context_length
        )

    monkeypatch.setattr(publish, "load_tuned", wrong)
    with pytest.raises(InvalidRequest, match="Cause: merge"):
        publish.run(publishing(tmp_path, base, lora))


def test_a_file_that_holds_other_weights_is_not_published(tmp_path, base, lora, monkeypatch):
    real = gguf_module.gguf_weights.interleave
    monkeypatch.setattr(gguf_module.gguf_weights, "interleave", lambda rows, heads: real(rows, heads) * 1.001)
    with pytest.raises(InvalidRequest, match="Cause: export"):
        publish.run(publishing(tmp_path, base, lora))


# -- kills, stops, bad input ------------------------------------------------------------------------------------------


def test_what_a_killed_publication_left_is_removed(tmp_path, base, lora):
    left = tmp_path / "models" / ".custom-1.partial"
    folder = publishing(tmp_path, base, lora)
    left.mkdir()
    (left / "model-f16.gguf").write_bytes(b"half")
    publish.run(folder)
    assert names(tmp_path / "models") == ["custom-1"]


def test_a_stop_leaves_nothing(tmp_path, base, lora):
    folder = publishing(tmp_path, base, lora)
    folder.request_stop()
    with pytest.raises(RunStopped):
        publish.run(folder)
    assert names(tmp_path / "models") == []


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"kinds": ["Q4_K"]}, "no encoder"),
        ({"kinds": []}, "kinds is empty"),
        ({"serving": "both"}, "spec.json"),
        ({"extra": 1}, "spec.json"),
        ({"method": "dreaming"}, "dreaming"),
    ],
)
def test_bad_specs_are_refused(tmp_path, base, lora, spec, words):
    with pytest.raises(Exception, match=words) as raised:
        publish.run(publishing(tmp_path, base, lora, **{"method": "lora", **spec}))
    assert raised.type.__module__ == "rocamadre.core.errors"


def test_a_result_that_is_gone(tmp_path, base):
    with pytest.raises(InvalidRequest, match="is missing"):
        publish.run(publishing(tmp_path, base, tmp_path / "nowhere"))


def test_a_full_disk_is_seen_before(tmp_path, monkeypatch):
    monkeypatch.setattr(forms.shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(InvalidRequest, match=r"takes about .* GB .* 0.0 GB are free"):
        forms.check_room(tmp_path, 1_000_000, ["F16"])


def test_the_exporter_is_not_told_what_the_certificate_knows(tmp_path, base):
    """The check of stored weights reads files; it shares no rounding with the exporter that writes them."""
    from rocamadre.training.certificate.stored import check_file

    folder = base.with_suffix("")
    for kind in ("F32", "F16", "Q8_0", "Q4_0"):
        path = tmp_path / f"{kind}.gguf"
        export_gguf(folder, path, kind=kind)
        assert check_file(path, folder, kind).cause == ""
    assert check_file(tmp_path / "F16.gguf", folder, "F32").cause == "dtype"


def test_numbers_that_half_precision_does_not_hold(tmp_path, base):
    """Serve the model in the form that holds them, and say so."""
    trained = tune(base, tmp_path / "model", "full", learning_rate=3e-3)
    [file] = trained.glob("*.safetensors")
    weights = load_file(file)
    save_file({name: weight * 1e6 for name, weight in weights.items()}, file, metadata={"format": "pt"})
    result = publish.run(publishing(tmp_path, base, trained, "full"))
    assert result["engine"] == "torch"
    assert "diverged" in result["note"]
