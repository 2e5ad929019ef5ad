"""The causal objective: every learned token is predicted from those before it, in its own example."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from rocamadre.core.errors import InvalidRequest
from rocamadre.training import attention
from rocamadre.training.data import TokenTable
from rocamadre.training.head import head_loss
from rocamadre.training.packing import Indices, RowOrder

Layout: TypeAlias = Literal["segments", "padded", "plain", "sharded"]
"""`segments`: examples end to end, nothing padded. `padded`: one a row, filled up on the right. `plain`: padded, and
the loss from the model's own logits, for models whose logits are more than a head's product. `sharded`: as `segments`,
but all of it in one call of the model, as FSDP needs it."""

_TOLERANCE = 1e-3
"""Nats per token by which the fast layouts may differ from the plain one before they are not trusted."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one pass reads.

    Attributes:
        ids: (rows, tokens) int64; one row in the layout `segments`.
        positions: As `ids`: places in the example.
        mask: As `ids`: 1 where there is a token; None in the layout `segments`.
        segments: Lengths of the examples of the one row, longest first; empty in the others.
        places: (targets,) int64: flat places in `ids` whose next token is learned.
        targets: (targets,) int64: those tokens.
    """

    ids: Tensor
    positions: Tensor
    mask: Tensor | None
    segments: tuple[int, ...]
    places: Tensor
    targets: Tensor


def make_batch(table: TokenTable, rows: Sequence[Indices], *, layout: Layout, device: torch.device) -> Batch:
    """The examples of some rows as tensors, longest first so that equal lengths lie together."""
    chosen = np.concatenate(rows)
    starts, lengths = table.offsets[chosen], table.offsets[chosen + 1] - table.offsets[chosen]
    order = np.argsort(-lengths, kind="stable")
    starts, lengths = starts[order], lengths[order]
    longest, flat = int(lengths[0]), layout in ("segments", "sharded")
    laid = np.concatenate([[0], np.cumsum(lengths)[:-1]]) if flat else np.arange(len(order)) * longest
    total = int(lengths.sum()) if flat else len(order) * longest
    ids, positions, mask = (np.zeros(total, np.int64) for _ in range(3))
    places, targets = [], []
    for start, length, at in zip(starts.tolist(), lengths.tolist(), laid.tolist(), strict=True):
        tokens = table.ids[start : start + length]
        ids[at : at + length], positions[at : at + length], mask[at : at + length] = tokens, np.arange(length), 1
        learned = np.flatnonzero(table.learned[start + 1 : start + length])
        places.append(at + learned)
        targets.append(tokens[learned + 1])

    def tensor(values: Any) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.int64)).to(device)

    shape = (1, total) if flat else (len(order), longest)
    return Batch(
        tensor(ids).view(shape),
        tensor(positions).view(shape),
        None if flat else tensor(mask).view(shape),
        tuple(lengths.tolist()) if flat else (),
        tensor(np.concatenate(places)),
        tensor(np.concatenate(targets)),
    )


def hidden_states(module: nn.Module, batch: Batch) -> Tensor:
    """What the base computes at the learned places: (targets, width)."""
    more: dict[str, Any] = {"attention_mask": batch.mask} if batch.mask is not None else {"segments": batch.segments}
    out = module.base_model(input_ids=batch.ids, position_ids=batch.positions, use_cache=False, **more)
    states: Tensor = out.last_hidden_state.flatten(0, 1)
    return states.index_select(0, batch.places)


def loss_sum(module: nn.Module, batch: Batch, *, layout: Layout) -> Tensor:
    """Summed cross entropy over the learned tokens of a pass, nats, float32."""
    if layout == "plain":
        out = module(input_ids=batch.ids, position_ids=batch.positions, attention_mask=batch.mask, use_cache=False)
        logits = out.logits.flatten(0, 1).index_select(0, batch.places)
        return cross_entropy(logits.float(), batch.targets, reduction="sum")
    if layout == "sharded":
        out = module(
            input_ids=batch.ids,
            position_ids=batch.positions,
            segments=batch.segments,
            logits_to_keep=batch.places,
            use_cache=False,
        )
        return cross_entropy(out.logits[0].float(), batch.targets, reduction="sum")
    head = module.get_output_embeddings()
    return head_loss(head, head, hidden_states(module, batch), batch.targets)


class CausalTask:
    """A table, the order of its rows, and their loss.

    Args:
        table: The examples.
        capacity: Tokens of a row, with `packing`.
        packing: Several examples to a row.
        seed: Of the order.
        device: That computes.
        layout: How a pass is laid out.
    """

    def __init__(
        self,
        table: TokenTable,
        *,
        capacity: int,
        packing: bool,
        seed: int,
        device: torch.device,
        layout: Layout = "segments",
    ) -> None:
        self.table, self.layout, self._device = table, layout, device
        self.order = RowOrder(table.lengths, capacity=capacity, packing=packing, seed=seed)

    def learned(self, rows: Sequence[Indices]) -> int:
        """Tokens whose prediction counts."""
        return int(sum(self.table.targets[row].sum() for row in rows))

    def tokens(self, rows: Sequence[Indices]) -> int:
        """Tokens that are read."""
        return int(sum((self.table.offsets[row + 1] - self.table.offsets[row]).sum() for row in rows))

    def loss(self, module: nn.Module, rows: Sequence[Indices]) -> Tensor:
        """Summed nats of some rows."""
        batch = make_batch(self.table, rows, layout=self.layout, device=self._device)
        return loss_sum(module, batch, layout=self.layout)


def use_layout(model: Any, layout: Layout) -> None:
    """Set the model's attention for a layout."""
    model.set_attn_implementation(attention.NAME if layout in ("segments", "sharded") else "sdpa")


def best_layout(model: Any, table: TokenTable, *, packs: bool, device: torch.device) -> tuple[Layout, float]:
    """The fastest layout that computes what the model itself computes, seen on a few short examples.

    Args:
        model: Prepared by its method.
        table: Where the examples are taken from.
        packs: Whether the method lets several examples share a row.
        device: That computes.

    Returns:
        The layout, and by how much the one that was tried first differed, in nats per token.

    Raises:
        InvalidRequest: the model computes no numbers.
    """
    few = np.argsort(table.lengths, kind="stable")[:3].astype(np.int64)
    rows = [few[index : index + 1] for index in range(len(few))]
    found: dict[Layout, float] = {}
    was_training = model.training
    model.eval()
    candidates: tuple[Layout, ...] = ("segments", "padded", "plain") if packs else ("padded", "plain")
    with torch.no_grad():
        for layout in ("plain", *candidates[:-1]):
            try:
                use_layout(model, layout)
                batch = make_batch(table, rows, layout=layout, device=device)
                found[layout] = float(loss_sum(model, batch, layout=layout)) / max(1, len(batch.targets))
            except (TypeError, ValueError, AttributeError, NotImplementedError):
                if layout == "plain":
                    raise
                found[layout] = float("inf")  # This architecture cannot be asked so.
    model.train(was_training)
    if not math.isfinite(found["plain"]):
        raise InvalidRequest("the base's own loss is no finite number: its weights are damaged, or too large")
    for layout in candidates:
        if abs(found[layout] - found["plain"]) <= _TOLERANCE:
            use_layout(model, layout)
            return layout, abs(found[candidates[0]] - found["plain"])
    raise AssertionError("plain equals itself")
