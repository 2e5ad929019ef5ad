"""Trained weights to the file that is served, and the check that both say the same."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from net import Net, best
from packing import Packed, batch_of
from safetensors.numpy import save_file

from rocamadre.knowledge.answers.extractor.features import Pair, Seen
from rocamadre.knowledge.answers.extractor.network import FORMAT, Network, best_spans


def save(target: Path, weights: Mapping[str, torch.Tensor], common: Sequence[str], calibration: Mapping,
         space: str) -> None:  # fmt: skip
    """Matrices as int8 with a scale for each row, the rest as float16; under another name until it is whole."""
    parts: dict[str, np.ndarray] = {}
    for name, tensor in weights.items():
        values = tensor.detach().numpy().astype(np.float32)
        if values.ndim < 2 or len(values) < 8:
            parts[name] = values.astype(np.float16)
            continue
        scales = (np.maximum(np.abs(values.reshape(len(values), -1)).max(axis=1), 1e-8) / 127).astype(np.float16)
        scales = np.maximum(scales, np.float16(1e-6))
        exact = scales.astype(np.float32).reshape(-1, *[1] * (values.ndim - 1))
        parts[name] = np.clip(np.rint(values / exact), -127, 127).astype(np.int8)
        parts[f"{name}.scale"] = scales
    metadata = {
        "format": FORMAT,
        "license": "Apache-2.0",
        "space": space,
        "common": json.dumps(list(common), ensure_ascii=False, separators=(",", ":")),
        "calibration": json.dumps(dict(calibration), separators=(",", ":")),
    }
    part = target.with_suffix(".part")
    save_file(parts, part, metadata=metadata)
    os.replace(part, target)


def as_pair(packed: Packed, table: np.ndarray) -> Pair:
    """An example as the served network takes it."""

    def seen(side) -> Seen:
        rows, common, features = side
        return Seen([None] * len(rows), table[rows].astype(np.float32), common.astype(np.int64),
                    features.astype(np.float32))  # fmt: skip

    return Pair(seen(packed.question), seen(packed.passage), packed.facts)


def compared(net: Net, file: Path, packed: Sequence[Packed], table: np.ndarray) -> dict[str, float]:
    """How often the served file points at the span that the trained weights point at, and how far scores are apart."""
    served, same, apart = Network(file), 0, []
    net.eval()
    for at in range(0, len(packed), 8):
        part = packed[at : at + 8]
        with torch.inference_mode():
            start, end, none = net(batch_of(part, table))
            first, last, _ = best(start, end)
        for row, scores in enumerate(served.scores([as_pair(each, table) for each in part])):
            found = best_spans(scores, 1)[0]
            same += (found[0], found[1]) == (int(first[row]), int(last[row]))
            apart.append(abs(scores.none - float(none[row])))
            apart.append(float(np.abs(scores.start - start[row, : len(scores.start)].numpy()).max()))
    return {"same_span": round(same / len(packed), 4), "mean_gap": round(float(np.mean(apart)), 4),
            "largest_gap": round(float(np.max(apart)), 4)}  # fmt: skip
