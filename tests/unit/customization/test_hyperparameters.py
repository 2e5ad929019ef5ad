"""Hyperparameters: Amazon's names and ranges by family, and ours."""

from __future__ import annotations

import pytest

from rocamadre.core.errors import InvalidRequest
from rocamadre.customization.hyperparameters import FAMILIES, documented, published, read
from rocamadre.training.methods.facts import FACTS
from rocamadre.training.settings import TrainingSettings


def settings(base="rocamadre.roca-mini-v1:0", kind="FINE_TUNING", **given):
    return read(base, kind, given, context_length=2048)


DOCUMENTED = {
    "amazon.titan-text-premier-v1:0": {"epochCount", "batchSize", "learningRate", "learningRateWarmupSteps"},
    "amazon.titan-text-express-v1:0:8k": {"epochCount", "batchSize", "learningRate", "learningRateWarmupSteps"},
    "amazon.nova-lite-v1:0": {"epochCount", "learningRate", "learningRateWarmupSteps"},
    "anthropic.claude-3-haiku-20240307-v1:0": {
        "epochCount",
        "batchSize",
        "learningRateMultiplier",
        "earlyStoppingThreshold",
        "earlyStoppingPatience",
    },
    "meta.llama3-1-8b-instruct-v1:0": {"epochCount", "batchSize", "learningRate"},
    "cohere.command-light-text-v14": {
        "epochCount",
        "batchSize",
        "learningRate",
        "earlyStoppingThreshold",
        "earlyStoppingPatience",
        "evalPercentage",
    },
}


@pytest.mark.parametrize(("base", "names"), DOCUMENTED.items(), ids=DOCUMENTED)
def test_each_family_takes_its_own_names_in_their_ranges(base, names):
    family = documented(base)
    assert set(family) == names
    for name, range_ in family.items():
        for value in (range_.low, range_.high):
            if (name, value) == ("learningRate", 0):
                continue  # Amazon's table begins at 0; nothing would be learned.
            settings(base, **{name: str(int(value)) if range_.whole else repr(value)})
        above, below = range_.high * 2 + 1, range_.low - 1
        for value in (above, below, "x", "nan", ""):
            text = str(int(value)) if isinstance(value, float | int) and range_.whole else str(value)
            with pytest.raises(InvalidRequest, match=f"{name} is"):
                settings(base, **{name: text})
    with pytest.raises(InvalidRequest, match=r"'temperature' is unknown.*epochCount.*learning_rate.*rank"):
        settings(base, temperature="1")


def test_what_they_become():
    found = settings(
        epochCount="3",
        batchSize="4",
        learningRate="0.001",
        learningRateWarmupSteps="7",
        earlyStoppingPatience="2",
        earlyStoppingThreshold="0.05",
        evalPercentage="20",
    )
    assert (found.epochs, found.batch_size, found.learning_rate, found.warmup_steps) == (3, 4, 0.001, 7)
    assert (found.early_stopping, found.early_stopping_gain, found.validation_share) == (2, 0.05, 0.2)
    assert not found.packing


def test_what_is_left_out_is_ours():
    assert settings("amazon.nova-lite-v1:0").epochs == TrainingSettings().epochs
    for name, facts in FACTS.items():
        assert settings(method=name).learning_rate == facts.learning_rate
    assert settings(learningRateMultiplier="0.5").learning_rate == FACTS["lora"].learning_rate / 2
    assert settings(kind="CONTINUED_PRE_TRAINING").method == "full"


def test_ours_are_strings_too():
    found = settings(
        max_steps="9",
        gradient_checkpointing="true",
        rank="4",
        targets="q_proj,v_proj",
        method_settings='{"dora": true}',
    )
    assert (found.max_steps, found.gradient_checkpointing) == (9, True)
    assert found.method_settings == {"rank": 4, "targets": ["q_proj", "v_proj"], "dora": True}


def test_how_it_is_published():
    assert published({}) == {"serving": "merged", "weights": "F16"}
    settings("amazon.nova-lite-v1:0", serving="adapter", weights="Q8_0")
    assert published({"weights": "Q8_0"}) == {"serving": "merged", "weights": "Q8_0"}
    with pytest.raises(InvalidRequest, match="weights is 'Q2'; it takes F16"):
        settings(weights="Q2")


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(InvalidRequest) as caught:
        settings(epochCount="0", seed="-1", rank="0", colour="red", method_settings="[]")
    for told in ("epochCount is '0'", "seed is '-1'", "rank of method lora is '0'", "'colour'", "method_settings is"):
        assert told in caught.value.message


def test_the_last_family_takes_every_base():
    assert list(FAMILIES)[-1] == "*"
    with pytest.raises(InvalidRequest, match="at most"):
        settings(**{f"name{n}": "1" for n in range(65)})
