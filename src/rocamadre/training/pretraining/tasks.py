"""Masked and cut texts as tasks of the loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from rocamadre.training.data import TokenTable
from rocamadre.training.packing import Indices, RowOrder
from rocamadre.training.pretraining.corruption import Ids, cut_counts, cut_spans, mask_tokens, masked_count


class _Corrupted:
    """What both share. The marks of a pass come from torch's random state, which the loop sets for each pass; those of
    validation from the example's number, so that every look sees the same.
    """

    def __init__(self, table: TokenTable, *, seed: int, device: torch.device, fixed: bool) -> None:
        self.table, self._device, self._seed, self._fixed = table, device, seed, fixed
        self.order = RowOrder(table.lengths, capacity=0, packing=False, seed=seed)

    def tokens(self, rows: Sequence[Indices]) -> int:
        """Tokens that are read."""
        return int(sum((self.table.offsets[row + 1] - self.table.offsets[row]).sum() for row in rows))

    def _texts(self, rows: Sequence[Indices]) -> list[tuple[Ids, np.random.Generator]]:
        chosen = np.concatenate(rows).tolist()
        root = self._seed if self._fixed else int(torch.randint(1 << 62, ()))
        return [
            (
                self.table.ids[self.table.offsets[index] : self.table.offsets[index + 1]].astype(np.int64),
                np.random.default_rng([root, index]),
            )
            for index in chosen
        ]

    def _padded(self, rows: list[Ids], fill: int) -> Tensor:
        made = np.full((len(rows), max(map(len, rows))), fill, np.int64)
        for index, row in enumerate(rows):
            made[index, : len(row)] = row
        return torch.from_numpy(made).to(self._device)


class MaskedTask(_Corrupted):
    """An encoder restores masked tokens.

    Args:
        table: Texts as ordinary tokens.
        share: Of tokens that are masked.
        marks: Ids of `cls_token`, `sep_token`, `pad_token`, `mask_token`.
        ordinary: Ids that stand for text.
        seed: Of the order.
        device: That computes.
        fixed: The same tokens are masked at every look; for validation.
    """

    def __init__(
        self,
        table: TokenTable,
        *,
        share: float,
        marks: dict[str, int],
        ordinary: Ids,
        seed: int,
        device: torch.device,
        fixed: bool = False,
    ) -> None:
        super().__init__(table, seed=seed, device=device, fixed=fixed)
        self._share, self._marks, self._ordinary = share, marks, ordinary

    def learned(self, rows: Sequence[Indices]) -> int:
        """Tokens that are masked."""
        lengths = self.table.lengths
        return sum(masked_count(int(lengths[index]), share=self._share) for row in rows for index in row)

    def loss(self, module: nn.Module, rows: Sequence[Indices]) -> Tensor:
        """Summed nats of the masked tokens."""
        marks, read, targets, places = self._marks, [], [], []
        for text, dice in self._texts(rows):
            found = mask_tokens(text, share=self._share, mask=marks["mask_token"], ordinary=self._ordinary, dice=dice)
            read.append(np.concatenate([[marks["cls_token"]], found.ids, [marks["sep_token"]]]))
            places.append(found.places + 1)
            targets.append(text[found.places])
        ids = self._padded(read, marks["pad_token"])
        lengths = torch.tensor([len(each) for each in read], device=self._device)
        mask = (torch.arange(ids.shape[1], device=self._device) < lengths[:, None]).long()
        logits = module(input_ids=ids, attention_mask=mask).logits
        flat = np.concatenate([row * ids.shape[1] + each for row, each in enumerate(places)])
        chosen = logits.flatten(0, 1).index_select(0, torch.from_numpy(flat).to(self._device))
        wanted = torch.from_numpy(np.concatenate(targets)).to(self._device)
        return cross_entropy(chosen.float(), wanted, reduction="sum")


class SpanTask(_Corrupted):
    """An encoder-decoder writes the spans that were cut out.

    Args:
        table: Texts as ordinary tokens.
        share: Of tokens that are cut out.
        span: Mean length of a span.
        sentinels: Ids that stand for spans, first to last.
        marks: Ids of `eos_token`, `pad_token`.
        seed: Of the order.
        device: That computes.
        fixed: The same spans at every look; for validation.
    """

    def __init__(
        self,
        table: TokenTable,
        *,
        share: float,
        span: float,
        sentinels: Ids,
        marks: dict[str, int],
        seed: int,
        device: torch.device,
        fixed: bool = False,
    ) -> None:
        super().__init__(table, seed=seed, device=device, fixed=fixed)
        self._share, self._span, self._sentinels, self._marks = share, span, sentinels, marks

    def learned(self, rows: Sequence[Indices]) -> int:
        """Tokens that the decoder writes: spans, sentinels, ends."""
        lengths = self.table.lengths
        total = 0
        for index in (each for row in rows for each in row):
            cut, spans = cut_counts(int(lengths[index]), share=self._share, span=self._span)
            total += cut + min(spans, len(self._sentinels)) + 1
        return total

    def loss(self, module: nn.Module, rows: Sequence[Indices]) -> Tensor:
        """Summed nats of what the decoder writes."""
        cuts = [
            cut_spans(
                text,
                share=self._share,
                span=self._span,
                sentinels=self._sentinels,
                end=self._marks["eos_token"],
                dice=dice,
            )
            for text, dice in self._texts(rows)
        ]
        pad = self._marks["pad_token"]
        ids = self._padded([cut.inputs for cut in cuts], pad)
        labels = self._padded([cut.targets for cut in cuts], -100)
        # A decoder begins with padding and reads what it has written; places after the end are not looked at.
        before = torch.cat([torch.full_like(labels[:, :1], pad), labels[:, :-1]], 1).masked_fill(labels == -100, pad)
        more: dict[str, Any] = {"attention_mask": _lengths_mask([len(cut.inputs) for cut in cuts], ids)}
        logits = module(input_ids=ids, decoder_input_ids=before, use_cache=False, **more).logits
        return cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")


def _lengths_mask(lengths: list[int], ids: Tensor) -> Tensor:
    ends = torch.tensor(lengths, device=ids.device)
    return (torch.arange(ids.shape[1], device=ids.device) < ends[:, None]).long()
