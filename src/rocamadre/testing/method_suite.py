"""What every training method must do, as tests. To check one of your own:

```python
class TestMine(MethodSuite):
    @staticmethod
    def method():
        return MyMethod()

    @staticmethod
    def options():
        return {"rank": 4}
```
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from rocamadre.core.errors import InvalidRequest
from rocamadre.testing.tiny import tiny_llama
from rocamadre.training import attention
from rocamadre.training.methods.protocol import Method
from rocamadre.training.model import load_base

STEPS = 12
LONGEST = 24


@dataclass
class Trained:
    """A tiny model that a method has trained.

    Attributes:
        method: The method.
        folder: The base's.
        module: What was prepared and trained.
        before: The module's state before, by name.
        losses: Of each step.
        ids: What it was trained on: (rows, tokens).
    """

    method: Method
    folder: Path
    module: Any
    before: dict[str, Tensor]
    losses: list[float]
    ids: Tensor


class MethodSuite:
    """Override `method`, and `options` where the defaults do not fit a model of width 32 with two blocks."""

    learning_rate: ClassVar[float] = 1e-2
    merge_tolerance: ClassVar[float] = 1e-4

    @staticmethod
    def method() -> Method:
        """The method to check."""
        raise NotImplementedError("override `method`")

    @staticmethod
    def options() -> Mapping[str, Any]:
        """Its settings where the defaults do not fit."""
        return {}

    @pytest.fixture(scope="class")
    @classmethod
    def trained(cls, tmp_path_factory: pytest.TempPathFactory) -> Trained:
        """Trained once for the class."""
        folder = tiny_llama(tmp_path_factory.mktemp("method") / "base")
        method, module = cls.method(), None
        module = cls.prepare(method, folder)
        ids = torch.randint(4, 300, (3, LONGEST), generator=torch.Generator().manual_seed(5))
        before = {name: tensor.detach().clone() for name, tensor in module.named_parameters()}
        optimiser = torch.optim.AdamW([weight for _, weight in method.trainable(module)], lr=cls.learning_rate)
        module.train()
        losses = []
        for _ in range(STEPS):
            loss = loss_of(module, ids)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        return Trained(method, folder, module.eval(), before, losses, ids)

    @classmethod
    def prepare(cls, method: Method, folder: Path, *, seed: int = 3) -> Any:
        """The base of a folder, made trainable."""
        base = load_base(folder)
        settings = method.settings.model_validate(dict(cls.options()))
        return method.prepare(base.model, settings, seed=seed, tokenizer=base.tokenizer)

    def test_learns_and_leaves_the_rest_alone(self, trained: Trained) -> None:
        """The loss falls; what is not trained stays the same, bit for bit; what is trained has moved."""
        assert trained.losses[-1] < trained.losses[0] - 0.01
        moving = {name for name, _ in trained.method.trainable(trained.module)}
        assert moving
        for name, tensor in trained.module.named_parameters():
            same = torch.equal(tensor, trained.before[name])
            assert same is (name not in moving), name

    def test_begins_the_same_from_the_same_seed(self, trained: Trained) -> None:
        """Names and first values are those of another process; the random state outside stays as it was."""
        torch.manual_seed(11)
        expected = torch.rand(3)
        torch.manual_seed(11)
        module = self.prepare(trained.method, trained.folder)
        assert torch.equal(torch.rand(3), expected)
        again = dict(trained.method.trainable(module))
        assert set(again) == {name for name, _ in trained.method.trainable(trained.module)}
        assert all(torch.equal(tensor, trained.before[name]) for name, tensor in again.items())

    def test_a_saved_result_answers_the_same(self, trained: Trained, tmp_path: Path) -> None:
        """Save and load give the same logits, and nothing of it asks for gradients any more."""
        expected = logits_of(trained.module, trained.ids)
        trained.method.save(trained.module, tmp_path / "result")
        trained.method.save(trained.module, tmp_path / "result")
        assert [path.name for path in tmp_path.iterdir()] == ["result"]
        loaded: Any = self.method().load(load_base(trained.folder).model, tmp_path / "result")
        assert torch.equal(logits_of(loaded, trained.ids), expected)
        assert not loaded.training
        with pytest.raises(InvalidRequest):
            self.method().load(load_base(trained.folder).model, tmp_path)

    def test_merges_or_says_that_it_cannot(self, trained: Trained) -> None:
        """The merged model has the base's own names, float32, and answers as the unmerged one."""
        module = copy.deepcopy(trained.module)
        if not trained.method.mergeable:
            with pytest.raises(InvalidRequest):
                trained.method.merge(module)
            return
        expected = logits_of(trained.module, trained.ids)
        merged = trained.method.merge(module)
        base = load_base(trained.folder).model
        assert {name: tensor.shape for name, tensor in merged.state_dict().items()} == {
            name: tensor.shape for name, tensor in base.state_dict().items()
        }
        assert {tensor.dtype for tensor in merged.state_dict().values()} == {torch.float32}
        torch.testing.assert_close(logits_of(merged, trained.ids), expected, atol=self.merge_tolerance, rtol=0)

    def test_answers_at_the_places_it_was_asked_about(self, trained: Trained) -> None:
        """Hidden states and head give the logits; padding on the right changes nothing; nor do neighbours in a row."""
        module, ids = trained.module, trained.ids
        expected = logits_of(module, ids)
        assert expected.shape[:2] == ids.shape
        places = torch.arange(LONGEST).expand_as(ids)
        with torch.no_grad():
            states = module.base_model(input_ids=ids, position_ids=places, use_cache=False).last_hidden_state
            close(module.get_output_embeddings()(states), expected)
            short = LONGEST - 5
            mask = torch.ones_like(ids)
            mask[1, short:] = 0
            padded = module(input_ids=ids, position_ids=places * mask, attention_mask=mask, use_cache=False).logits
            close(padded[1, :short], expected[1, :short])
            close(padded[0], expected[0])
            if trained.method.packs:
                lengths = (LONGEST, short, 7)
                pieces = [ids[row, :length] for row, length in enumerate(lengths)]
                module.set_attn_implementation(attention.NAME)
                laid = module.base_model(
                    input_ids=torch.cat(pieces)[None],
                    position_ids=torch.cat([torch.arange(length) for length in lengths])[None],
                    segments=lengths,
                    use_cache=False,
                ).last_hidden_state[0]
                module.set_attn_implementation("sdpa")
                for row, piece in enumerate(module.get_output_embeddings()(laid).split(list(lengths))):
                    close(piece, expected[row, : lengths[row]])

    def test_answers_token_by_token(self, trained: Trained) -> None:
        """With a cache, as engines generate, it computes what it computes without."""
        ids = trained.ids[:1]
        expected, past, found = logits_of(trained.module, ids), None, []
        with torch.no_grad():
            for start, stop in ((0, 10), (10, 11), (11, LONGEST)):
                out = trained.module(input_ids=ids[:, start:stop], past_key_values=past, use_cache=True)
                past = out.past_key_values
                found.append(out.logits)
        close(torch.cat(found, 1), expected)

    def test_gradient_checkpointing_gives_the_same_gradients_or_is_refused(self, trained: Trained) -> None:
        """Never something else in silence."""
        module = copy.deepcopy(trained.module).train()
        for part in module.modules():
            if isinstance(part, nn.Dropout):
                part.p = 0.0
        weights = [weight for _, weight in trained.method.trainable(module)]
        expected = torch.autograd.grad(loss_of(module, trained.ids), weights)
        module.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        if not trained.method.checkpoints:
            with pytest.raises(InvalidRequest, match="checkpointing"):
                loss_of(module, trained.ids)
            return
        for found, wanted in zip(torch.autograd.grad(loss_of(module, trained.ids), weights), expected, strict=True):
            close(found, wanted)

    def test_refuses_settings_that_it_does_not_know(self) -> None:
        """Settings are strict, described, and survive JSON."""
        settings = self.method().settings
        with pytest.raises(ValueError, match="no_such_setting"):
            settings.model_validate({"no_such_setting": 1})
        chosen = settings.model_validate(dict(self.options()))
        assert settings.model_validate_json(chosen.model_dump_json()) == chosen
        assert all(field.description for field in settings.model_fields.values())


def loss_of(module: Any, ids: Tensor) -> Tensor:
    """Mean nats per token after the first."""
    logits = module(input_ids=ids, use_cache=False).logits
    return cross_entropy(logits[:, :-1].flatten(0, 1).float(), ids[:, 1:].flatten())


def logits_of(module: Any, ids: Tensor) -> Tensor:
    """Logits of whole rows: (rows, tokens, vocabulary)."""
    with torch.no_grad():
        logits: Tensor = module(input_ids=ids, use_cache=False).logits
    return logits


def close(found: Tensor, expected: Tensor) -> None:
    """Equal but for the order of additions, float32."""
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)
