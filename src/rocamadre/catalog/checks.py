"""What is looked at before a model of strangers is loaded by anything."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from rocamadre.catalog.gguf_header import DEFAULT_ALIGNMENT, GgufHeader, read_header
from rocamadre.catalog.safetensors_header import read_safetensors_header
from rocamadre.catalog.templates import check_template, template_in_config
from rocamadre.core.errors import InvalidRequest

MAX_JSON_BYTES = 64 * 1024 * 1024
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz", ".h5", ".msgpack", ".t7")
SIDE_FILES = frozenset(
    {
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.json",
        "vocab.txt",
        "merges.txt",
        "tokenizer.model",
        "spiece.model",
        "chat_template.jinja",
        "modules.json",
        "sentence_bert_config.json",
        "1_Pooling/config.json",
        "README.md",
        "LICENSE",
        "LICENSE.md",
        "LICENSE.txt",
        "NOTICE",
    }
)
INDEX = "model.safetensors.index.json"
WEIGHTS = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors")
_SPLIT = re.compile(r"-\d{5}-of-\d{5}\.gguf$")


@dataclass(frozen=True, slots=True)
class CheckedFolder:
    """A sound safetensors folder.

    Attributes:
        config: `config.json`.
        parameters: Weights in all tensors.
        shapes: Of all tensors, by name.
    """

    config: dict[str, Any]
    parameters: int
    shapes: dict[str, tuple[int, ...]]


def choose_files(names: Iterable[str], *, wanted: str | None = None) -> list[str]:
    """Which files of a model to take: one GGUF, or safetensors with what belongs to them; never anything else.

    Args:
        names: All there are, relative, with `/`.
        wanted: The one weight file to take, where there are several.

    Raises:
        InvalidRequest: nothing there can be taken, or the choice is open; the message lists what there is.
    """
    names = sorted(names)
    ggufs = [name for name in names if name.lower().endswith(".gguf")]
    tensors = [name for name in names if WEIGHTS.fullmatch(name)]
    if wanted is not None:
        if wanted.lower().endswith(PICKLES):
            raise InvalidRequest(f"{wanted} may run code when it is read; only safetensors and GGUF files are taken")
        if wanted not in ggufs:
            raise InvalidRequest(f"there is no GGUF file {wanted!r}; there are: {', '.join(ggufs) or 'none'}")
        ggufs, tensors = [wanted], []
    side = [name for name in names if name in SIDE_FILES]
    if tensors:
        return [check_name(name) for name in [*tensors, *side, *(name for name in names if name == INDEX)]]
    if len(ggufs) > 1:
        raise InvalidRequest(f"there are several GGUF files, choose one with file=: {', '.join(ggufs)}")
    if not ggufs:
        unsafe = [name for name in names if name.lower().endswith(PICKLES)]
        why = f"; {', '.join(unsafe[:5])} may run code when read and are never taken" if unsafe else ""
        raise InvalidRequest(f"there is no model.safetensors and no GGUF file{why}")
    if _SPLIT.search(ggufs[0]):
        raise InvalidRequest(f"{ggufs[0]} is one part of a split GGUF; merge the parts into one file first")
    return [check_name(ggufs[0]), *(name for name in side if name in ("README.md", "LICENSE"))]


def check_name(name: str) -> str:
    """A file name that stays inside its folder.

    Raises:
        InvalidRequest: it is absolute, climbs out, or has characters that no model file has.
    """
    path = PurePosixPath(name)
    strange = not name or name != str(path) or "\\" in name or any(ord(character) < 32 for character in name)
    if strange or path.is_absolute() or ".." in path.parts or len(name) > 255:
        raise InvalidRequest(f"the file name {name[:100]!r} leads out of its folder or is malformed")
    return name


def check_inside(folder: Path, name: str) -> Path:
    """A file in a folder, no symbolic link on the way leading out of it.

    Raises:
        InvalidRequest: it leads out, or is no plain file.
    """
    path = folder / check_name(name)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InvalidRequest(f"{name} is a link that leads out of its folder; copy the file itself there")
    if not path.is_file():
        raise InvalidRequest(f"{name} is no plain file")
    return path


def check_gguf(path: Path) -> GgufHeader:
    """Check a GGUF file's header against the file, and its chat template.

    Raises:
        InvalidRequest: a tensor lies outside the file, overlaps another, or has an unknown type; or the template fails.
    """
    header = read_header(path)
    alignment = header.metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    position = 0
    for tensor in sorted(header.tensors, key=lambda tensor: tensor.offset):
        size = _tensor_bytes(path, tensor.name, tensor.type, tensor.dimensions)
        end = header.data_offset + tensor.offset + size
        if tensor.offset % alignment or tensor.offset < position or end > header.size_bytes:
            raise InvalidRequest(
                f"{path.name} is not a sound GGUF file: tensor {tensor.name[:64]!r} does not lie where its shape says"
            )
        position = tensor.offset + size
    if not header.architecture or not header.tensors:
        raise InvalidRequest(f"{path.name} names no architecture or holds no tensors; it is no model")
    template = header.metadata.get("tokenizer.chat_template")
    if isinstance(template, str):
        check_template(template, name=f"the chat template of {path.name}")
    return header


def _tensor_bytes(path: Path, name: str, kind: int, dimensions: tuple[int, ...]) -> int:
    try:
        block, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    except (ValueError, KeyError) as error:
        raise InvalidRequest(f"{path.name}: tensor {name[:64]!r} has the unknown type {kind}") from error
    if dimensions[0] % block:
        raise InvalidRequest(f"{path.name}: tensor {name[:64]!r} has rows that do not fill its blocks of {block}")
    return math.prod(dimensions) // int(block) * int(block_bytes)


def check_safetensors_folder(folder: Path) -> CheckedFolder:
    """Check every weight file of a folder, its index, its configuration and its chat template.

    Raises:
        InvalidRequest: one of them is missing, damaged, or leads out of the folder.
    """
    config = read_object(folder, "config.json")
    if config is None:
        raise InvalidRequest("there is no config.json beside the weights")
    names = sorted(path.name for path in folder.glob("*.safetensors"))
    index = read_object(folder, INDEX)
    if index is not None:
        wanted = index.get("weight_map")
        if not isinstance(wanted, dict) or not all(isinstance(value, str) for value in wanted.values()):
            raise InvalidRequest(f"{INDEX} has no weight_map of file names")
        missing = sorted({check_name(value) for value in wanted.values()} - set(names))
        if missing:
            raise InvalidRequest(f"{INDEX} names files that are not there: {', '.join(missing[:5])}")
    shapes: dict[str, tuple[int, ...]] = {}
    for name in names:
        shapes |= read_safetensors_header(check_inside(folder, name)).shapes
    read_object(folder, "tokenizer.json")
    template = template_in_config(read_object(folder, "tokenizer_config.json") or {})
    jinja = folder / "chat_template.jinja"
    if jinja.is_file():
        template = _text(jinja)
    if template is not None:
        check_template(template)
    return CheckedFolder(config, sum(map(math.prod, shapes.values())), shapes)


def read_object(folder: Path, name: str) -> dict[str, Any] | None:
    """A JSON object in a folder; None when the file is not there.

    Raises:
        InvalidRequest: it is too large, no JSON or no object.
    """
    path = folder / name
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(_text(path), type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidRequest(f"{name} is not a JSON object: {error}") from error


def _text(path: Path) -> str:
    if path.stat().st_size > MAX_JSON_BYTES:
        raise InvalidRequest(f"{path.name} has over {MAX_JSON_BYTES} bytes")
    return path.read_text("utf-8", errors="replace")
