"""Trained weights to the file that is served, and the check that both say the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file


def folded(table: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Rows with their weights in them; nothing for the piece that stands for what is not known."""
    rows = (table * np.exp(weight)[:, None]).astype(np.float32)
    rows[0] = 0
    return rows


def quantised(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int8 and a scale for each row."""
    scales = np.abs(rows).max(axis=1) / 127
    safe = np.where(scales > 0, scales, 1)[:, None]
    return np.clip(np.rint(rows / safe), -127, 127).astype(np.int8), scales.astype(np.float32)


def save(target: Path, table: np.ndarray, weight: np.ndarray, space: np.ndarray) -> None:
    rows, scales = quantised(folded(table, weight))
    part = target.with_suffix(".part")
    save_file(
        {"rows": rows, "scales": scales, "map": space.astype(np.float16)},
        part,
        metadata={"format": "rocamadre static embedder 1", "license": "Apache-2.0"},
    )
    part.replace(target)
