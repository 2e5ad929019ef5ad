"""A model from nothing: tokenizer, random weights, training. `run(folder)` is a child's entry, as `training.run` is.

Source: causal, Touvron et al. 2023, arXiv:2302.13971 (shape); masked, Devlin et al. 2019, arXiv:1810.04805; spans,
Raffel et al. 2020, arXiv:1910.10683.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
import transformers
from pydantic import ValidationError
from tokenizers import Tokenizer
from torch import nn

from rocamadre.core.clock import SystemClock
from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.canonical import read
from rocamadre.datasets.tokenizer import open_tokenizer
from rocamadre.datasets.types import Text
from rocamadre.jobs.rundir import RunDir
from rocamadre.training import attention, causal, memory
from rocamadre.training.data import TokenTable, make_table, split, table_of
from rocamadre.training.loop import Task
from rocamadre.training.methods.base import whole_folder
from rocamadre.training.pretraining.settings import CorruptionSettings, Objective, ShapeSettings, TokenizerSettings
from rocamadre.training.pretraining.tasks import MaskedTask, SpanTask
from rocamadre.training.pretraining.vocabulary import MARKS, SENTINELS, train_tokenizer
from rocamadre.training.progress import Reporter
from rocamadre.training.run import execute, leave_if_asked, result_of, settle, use_threads
from rocamadre.training.settings import TrainingSettings

_LEAST_TOKENS = 8
"""A shorter text has nothing to be restored from."""


class Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `spec.json` says.

    Attributes:
        objective: What the model learns to do, and so its architecture.
        train: Canonical files of running text, relative to the run's `work`.
        validation: The same, or none.
        tokenizer: Of `TokenizerSettings`.
        shape: Of `ShapeSettings`.
        corruption: Of `CorruptionSettings`; not for `causal`.
        settings: Of `TrainingSettings`; the method is always `full`.
    """

    objective: Objective
    train: list[str]
    validation: list[str] = []
    tokenizer: dict[str, Any] = {}
    shape: dict[str, Any] = {}
    corruption: dict[str, Any] = {}
    settings: dict[str, Any] = {}


def run(folder: RunDir) -> Mapping[str, Any]:
    """Train what the folder's spec asks for; the model is left in `work/model`.

    Returns:
        As `training.run.run`.

    Raises:
        RunStopped: somebody asked, and everything is saved.
        InvalidRequest: the spec or the data is not right; says what.
    """
    memory.tune_allocator()
    spec, settings, shape = read_spec(folder)
    leave_if_asked(folder)
    use_threads(folder, settings)
    reporter = Reporter(folder, SystemClock())
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    home = _tokenizer(folder, spec)
    tokenizer = Tokenizer.from_file(str(home / "tokenizer.json"))
    train, validations = _tables(folder, spec, settings, home, reporter)
    attention.register()
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(settings.seed)
    module = make_model(spec.objective, shape, tokenizer).to(device)
    module.config.use_cache = False
    if spec.objective == "causal":
        causal.use_layout(module, "segments")
    if settings.gradient_checkpointing:
        module.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    choices = settle(
        folder,
        settings,
        module=module,
        lengths=train.lengths,
        layout=lambda: "segments" if spec.objective == "causal" else "padded",
    )
    tally = execute(
        folder,
        settings,
        choices,
        module=module,
        named=list(module.named_parameters()),
        task=_task(spec, settings, tokenizer, train, device),
        validations=[_task(spec, settings, tokenizer, each, device, fixed=True) for each in validations],
        reporter=reporter,
        facts={"examples": len(train), "tokens_per_epoch": int(train.lengths.sum())},
    )
    if spec.objective == "causal":
        causal.use_layout(module, "padded")
    with whole_folder(folder.work / "model") as partial:
        module.save_pretrained(partial)
        for path in home.iterdir():
            shutil.copyfile(path, partial / path.name)
    return result_of(tally, form="full", method=f"pretraining-{spec.objective}")


def read_spec(folder: RunDir) -> tuple[Spec, TrainingSettings, ShapeSettings]:
    """The folder's spec, checked.

    Raises:
        InvalidRequest: something in it is wrong, with its path.
    """
    try:
        spec = msgspec.convert(folder.spec(), Spec)
        settings = TrainingSettings.model_validate({"method": "full", **spec.settings})
        shape = ShapeSettings.model_validate(spec.shape)
        TokenizerSettings.model_validate(spec.tokenizer)
        CorruptionSettings.model_validate(spec.corruption)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"the run's spec.json is not right: {error}") from error
    except ValidationError as error:
        lines = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise InvalidRequest(f"the settings are not right: {lines}") from error
    if settings.method != "full":
        raise InvalidRequest(f"a model from nothing has no base for {settings.method!r} to add to; the method is full")
    if settings.max_length > shape.context_length:
        raise InvalidRequest(f"max_length {settings.max_length} is more than context_length {shape.context_length}")
    if spec.objective != "causal" and settings.packing:
        raise InvalidRequest(f"packing is for causal models; the objective is {spec.objective!r}")
    return spec, settings, shape


def make_model(objective: Objective, shape: ShapeSettings, tokenizer: Tokenizer) -> nn.Module:
    """A model with random weights, float32, in the shape of Llama, BERT or T5."""
    vocabulary = tokenizer.get_vocab_size()
    ids = {name: tokenizer.token_to_id(text) for name, text in MARKS[objective].items()}
    common = {"vocab_size": vocabulary, "pad_token_id": ids["pad_token"]}
    if objective == "causal":
        config = transformers.LlamaConfig(
            hidden_size=shape.width,
            intermediate_size=shape.inner,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.key_heads or shape.heads,
            head_dim=shape.width // shape.heads,
            max_position_embeddings=shape.context_length,
            rms_norm_eps=1e-5,
            tie_word_embeddings=True,
            bos_token_id=ids["bos_token"],
            eos_token_id=ids["eos_token"],
            **common,
        )
        made: nn.Module = transformers.LlamaForCausalLM(config)
    elif objective == "masked":
        made = transformers.BertForMaskedLM(
            transformers.BertConfig(
                hidden_size=shape.width,
                intermediate_size=shape.inner,
                num_hidden_layers=shape.layers,
                num_attention_heads=shape.heads,
                max_position_embeddings=shape.context_length,
                **common,
            )
        )
    else:
        made = transformers.T5ForConditionalGeneration(
            transformers.T5Config(
                d_model=shape.width,
                d_ff=shape.inner,
                d_kv=shape.width // shape.heads,
                num_layers=shape.layers,
                num_heads=shape.heads,
                feed_forward_proj="gated-gelu",
                decoder_start_token_id=ids["pad_token"],
                eos_token_id=ids["eos_token"],
                n_positions=shape.context_length,
                **common,
            )
        )
    return made.float()


def _texts(paths: list[Path]) -> Iterator[str]:
    for path in paths:
        try:
            for number, example in enumerate(read(path), start=1):
                if not isinstance(example, Text):
                    raise InvalidRequest(f"{path.name}, record {number}: no running text; pre-training reads 'text'")
                yield example.text
        except OSError as error:
            raise InvalidRequest(f"the data {path.name} cannot be read: {error.strerror}") from error


def _tokenizer(folder: RunDir, spec: Spec) -> Path:
    """Train the tokenizer, or find the one that an earlier start trained."""
    home = folder.work / "tokenizer"
    settings = TokenizerSettings.model_validate(spec.tokenizer)
    if not home.is_dir():
        with whole_folder(home) as partial:
            train_tokenizer(
                _texts([folder.work / each for each in spec.train]),
                partial,
                objective=spec.objective,
                kind=settings.kind,
                vocabulary=settings.vocabulary,
            )
    return home


def _tables(
    folder: RunDir, spec: Spec, settings: TrainingSettings, home: Path, reporter: Reporter
) -> tuple[TokenTable, list[TokenTable]]:
    def table(files: list[str], name: str) -> TokenTable:
        paths = [folder.work / each for each in files]
        if spec.objective == "causal":
            return table_of(
                paths,
                open_tokenizer(home),
                objective="text",
                max_length=settings.max_length,
                cache=folder.work / "tokens" / name,
                warn=reporter.warn,
                tick=lambda: leave_if_asked(folder),
            )
        return _plain_table(paths, Tokenizer.from_file(str(home / "tokenizer.json")), settings.max_length - 2)

    train = table(spec.train, "train")
    if spec.validation:
        return train, [table([each], f"validation-{index}") for index, each in enumerate(spec.validation)]
    if settings.validation_share:
        train, taken = split(train, share=settings.validation_share, seed=settings.seed)
        return train, [taken]
    return train, []


def _plain_table(paths: list[Path], tokenizer: Tokenizer, length: int) -> TokenTable:
    """Ordinary tokens in pieces; marks are put around them when they are read."""
    rows = []
    for text in _texts(paths):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        pieces = [ids[start : start + length] for start in range(0, len(ids), length)]
        rows += [(piece, [True] * len(piece)) for piece in pieces if len(piece) >= _LEAST_TOKENS]
    if not rows:
        raise InvalidRequest(f"no text has {_LEAST_TOKENS} tokens; there is nothing to learn")
    return make_table(rows)


def _task(
    spec: Spec,
    settings: TrainingSettings,
    tokenizer: Tokenizer,
    table: TokenTable,
    device: torch.device,
    *,
    fixed: bool = False,
) -> Task:
    if spec.objective == "causal":
        return causal.CausalTask(
            table, capacity=settings.max_length, packing=settings.packing, seed=settings.seed, device=device
        )
    corruption = CorruptionSettings.model_validate(spec.corruption)
    marks = {name: int(tokenizer.token_to_id(text) or 0) for name, text in MARKS[spec.objective].items()}
    if spec.objective == "masked":
        special = set(marks.values())
        ordinary = np.array([index for index in range(tokenizer.get_vocab_size()) if index not in special])
        return MaskedTask(
            table,
            share=corruption.share,
            marks=marks,
            ordinary=ordinary,
            seed=settings.seed,
            device=device,
            fixed=fixed,
        )
    sentinels = np.array([tokenizer.token_to_id(f"<extra_id_{index}>") for index in range(SENTINELS)])
    return SpanTask(
        table,
        share=corruption.share,
        span=corruption.span,
        sentinels=sentinels,
        marks=marks,
        seed=settings.seed,
        device=device,
        fixed=fixed,
    )
