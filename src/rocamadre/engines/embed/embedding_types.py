"""The forms in which clients ask for vectors, as Cohere's and Titan's interfaces define them.

| type | what one dimension becomes | length |
|---|---|---|
| `float` | itself | D |
| `int8` | 127 × value / scale, rounded, in [-127, 127] | D |
| `uint8` | the `int8` form plus 128, in [1, 255] | D |
| `ubinary` | a bit: 1 above zero; eight to a byte, first dimension in the highest bit, in [0, 255] | D / 8 |
| `binary` | the `ubinary` byte minus 128, in [-128, 127] | D / 8 |

Titan's `binary` is one number per dimension, 1 above zero and 0 otherwise (`titan_binary`), not packed.

`scale` is fixed for all vectors, so that int8 forms of different calls can be compared: a unit vector of D dimensions
has values around 1/√D, and 4/√D covers all but about one in 16,000 of a normal distribution's; beyond it values are
clipped. The cosine of two int8 vectors then stays within about 0.01 of the float's.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from rocamadre.core.errors import InvalidRequest

EmbeddingType: TypeAlias = Literal["float", "int8", "uint8", "binary", "ubinary"]
EMBEDDING_TYPES: tuple[str, ...] = get_args(EmbeddingType)
_DEVIATIONS = 4.0


def convert(vectors: npt.ArrayLike, form: str) -> npt.NDArray[np.float32] | npt.NDArray[np.int16]:
    """Unit vectors in one of the forms above.

    Args:
        vectors: Shape (count, D); D is a multiple of 8 for the packed forms.
        form: One of `EMBEDDING_TYPES`.

    Returns:
        Shape (count, D) or (count, D / 8); float32 for `float`, else int16 holding the range above.

    Raises:
        InvalidRequest: there is no such form; the message lists those there are.

    >>> convert([[0.6, -0.8, 0, 0, 0, 0, 0, 0.1]], "ubinary").tolist()
    [[129]]
    """
    given = np.asarray(vectors, np.float32)
    if form == "float":
        return given
    if form in ("int8", "uint8"):
        scale = 127.0 * np.sqrt(given.shape[1]) / _DEVIATIONS
        whole: npt.NDArray[np.int16] = np.clip(np.rint(given * scale), -127, 127).astype(np.int16)
        return whole if form == "int8" else whole + np.int16(128)
    if form in ("binary", "ubinary"):
        packed: npt.NDArray[np.int16] = np.packbits(given > 0, axis=1).astype(np.int16)
        return packed if form == "ubinary" else packed - np.int16(128)
    raise InvalidRequest(f"embedding type {form!r}; allowed: {', '.join(EMBEDDING_TYPES)}")


def titan_binary(vectors: npt.ArrayLike) -> npt.NDArray[np.int16]:
    """Titan's `binary` form: shape (count, D), 1 where the value is above zero, else 0."""
    return (np.asarray(vectors, np.float32) > 0).astype(np.int16)
