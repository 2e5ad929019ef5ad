"""How many weights a method moves, and where in the model they are. Counted from the shape, without torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import BaseModel

from rocamadre.core.errors import InvalidRequest
from rocamadre.training.methods.facts import (
    FullSettings,
    Ia3Settings,
    LoraSettings,
    LoreftSettings,
    PrefixSettings,
    PromptSettings,
    QloraSettings,
)
from rocamadre.training.preflight.shape import Linear, ModelShape

_GROUPS = {"attention": ("q_proj", "k_proj", "v_proj", "o_proj"), "mlp": ("gate_proj", "up_proj", "down_proj")}
_KEYS_AND_VALUES = ("k_proj", "v_proj")
_LAST_OF_MLP = "down_proj"


@dataclass(frozen=True, slots=True)
class Trained:
    """What moves.

    Attributes:
        parameters: How many weights.
        layers: Blocks that the backward pass goes through, counted from the last one.
        matrices: Of the model's own matrices, those that get gradients: weights in them.
        head: Whether the output matrix gets gradients.
        norms: Whether the norms do.
        adapted: Matrices of each layer that something is put beside; their inputs are kept.
        rank: Of what is put beside them.
        virtual_tokens: Put before every example, computed with it.
        virtual_keys: Put before the keys and values of every layer, attended to but not computed.
    """

    parameters: int
    layers: int
    matrices: int = 0
    head: bool = False
    norms: bool = False
    adapted: tuple[Linear, ...] = ()
    rank: int = 0
    virtual_tokens: int = 0
    virtual_keys: int = 0


def trained(shape: ModelShape, settings: BaseModel) -> Trained:
    """What a method with these settings moves in a model of this shape.

    Args:
        shape: The base's.
        settings: Checked, of one of the methods in `training.methods.facts`.

    Raises:
        InvalidRequest: a layer that is named is not there, or the method is not known to the planner.
    """
    match settings:
        case FullSettings():
            return _full(shape, settings)
        case LoraSettings() | QloraSettings():
            return _lora(shape, settings)
        case PromptSettings():
            return Trained(settings.tokens * shape.hidden, shape.layers, virtual_tokens=settings.tokens)
        case PrefixSettings():
            return _prefix(shape, settings)
        case Ia3Settings():
            return _ia3(shape, settings)
        case LoreftSettings():
            return _loreft(shape, settings)
    raise InvalidRequest(
        f"what {type(settings).__name__} trains is not known to the planner; start it without --dry-run"
    )


def _full(shape: ModelShape, settings: FullSettings) -> Trained:
    embeddings = shape.embedding_parameters * (1 if shape.tied else 2)
    layer = (shape.parameters - embeddings - shape.hidden) // shape.layers
    if not settings.last_layers:
        moved = shape.parameters - (0 if settings.train_embeddings else embeddings)
        matrices = shape.layers * shape.layer_parameters
        return Trained(moved, shape.layers, matrices, head=settings.train_embeddings, norms=True)
    if settings.last_layers > shape.layers:
        raise InvalidRequest(f"last_layers is {settings.last_layers}; the model has {shape.layers} blocks")
    moved = settings.last_layers * layer + shape.hidden
    moved += shape.embedding_parameters if settings.train_embeddings else 0
    matrices = settings.last_layers * shape.layer_parameters
    # A tied output matrix is the embedding too: the backward pass then goes down to it.
    reach = shape.layers if settings.train_embeddings and shape.tied else settings.last_layers
    return Trained(moved, reach, matrices, head=settings.train_embeddings, norms=True)


def _lora(shape: ModelShape, settings: LoraSettings | QloraSettings) -> Trained:
    adapted = _chosen(shape, settings.targets)
    weights = sum(settings.rank * (linear.inputs + linear.outputs) for linear in adapted)
    if isinstance(settings, LoraSettings) and settings.dora:
        weights += sum(linear.outputs for linear in adapted)
    return Trained(shape.layers * weights, shape.layers, adapted=adapted, rank=settings.rank)


def _chosen(shape: ModelShape, targets: Iterable[str]) -> tuple[Linear, ...]:
    """Matrices of a layer that are meant."""
    chosen: dict[str, Linear] = {}
    for target in targets:
        names = _GROUPS.get(target, (target.rpartition(".")[2],))
        found = {each.name: each for each in shape.linears if target == "all" or each.name in names}
        if not found:
            known = ", ".join(sorted({each.name for each in shape.linears}))
            raise InvalidRequest(f"targets: the model has no layers called {target!r}; it has {known}")
        chosen |= found
    return tuple(chosen.values())


def _prefix(shape: ModelShape, settings: PrefixSettings) -> Trained:
    numbers = shape.layers * 2 * shape.key
    if not settings.projection:
        return Trained(settings.tokens * numbers, shape.layers, virtual_keys=settings.tokens)
    # An embedding, and a network of two layers with biases whose output is added to the keys and values.
    width = settings.projection_width
    network = numbers * (width + 1) + width * (width + 1)
    return Trained(settings.tokens * width + network, shape.layers, virtual_keys=settings.tokens)


def _ia3(shape: ModelShape, settings: Ia3Settings) -> Trained:
    weights, adapted = 0, []
    for linear in shape.linears:
        if settings.attention and linear.name in _KEYS_AND_VALUES:
            weights += linear.outputs
            adapted.append(linear)
        elif settings.feedforward and linear.name == _LAST_OF_MLP:
            weights += linear.inputs
            adapted.append(linear)
    return Trained(shape.layers * weights, shape.layers, adapted=tuple(adapted))


def _loreft(shape: ModelShape, settings: LoreftSettings) -> Trained:
    layers = settings.layers or tuple(range(shape.layers))
    if max(layers) >= shape.layers:
        raise InvalidRequest(f"layers: block {max(layers)} is not there; the model has 0 to {shape.layers - 1}")
    # Two matrices of rank rows and a bias in each edited block.
    each = settings.rank * (2 * shape.hidden + 1)
    # The output of the first edited block is where the backward pass ends: that block itself is not gone through.
    return Trained(len(layers) * each, shape.layers - min(layers) - 1, rank=settings.rank)
