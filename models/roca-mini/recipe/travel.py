"""Carry prepared shards to another machine and weights back, in pieces of limited size.

    python travel.py pack --work build/roca-mini/gpu             shards and tokenizer: half-1.tar.xz, half-2.tar.xz
    python travel.py unpack half-1.tar.xz --work FOLDER          on the other machine; once for each half
    python travel.py split --work FOLDER --out PARTS             weights of the newest checkpoint, 16 bits, in parts
    python travel.py join PARTS/*.safetensors --work build/roca-mini/gpu

Shards that are made of templates stay at home: train.py makes them again. A joined checkpoint has no state of the
optimiser: a run that goes on from it starts with a fresh one.
"""

import argparse
import json
import os
import sys
import tarfile
from pathlib import Path

import instruct
import loop
import torch
from editions import MADE
from safetensors.torch import load_file, safe_open, save_file

PART_BYTES = 15 * 2**20


def travellers(work: Path) -> list[Path]:
    """Tokenizer, manifest, and the shards that cannot be made again without the data folder."""
    made = {name for name in MADE if name == "echo" or name in instruct.MAKERS} - set(instruct.FROM_SETS)
    paths = [path for path in sorted((work / "shards").glob("*.npy")) if path.name.split(".")[0] not in made]
    return [work / "tokenizer.json", work / "manifest.json", *paths]


def pack(work: Path, halves: int) -> list[Path]:
    """Write the archives, of about equal size, and return them."""
    folder = work / "travel"
    folder.mkdir(exist_ok=True)
    groups: list[list[Path]] = [[] for _ in range(halves)]
    for path in sorted(travellers(work), key=lambda found: -found.stat().st_size):
        min(groups, key=lambda group: sum(item.stat().st_size for item in group)).append(path)
    written = []
    for number, group in enumerate(groups, 1):
        archive = folder / f"half-{number}.tar.xz"
        with tarfile.open(archive.with_suffix(".partial"), "w:xz", preset=6) as out:
            for path in sorted(group):
                out.add(path, arcname=str(path.relative_to(work)))
        archive.with_suffix(".partial").replace(archive)
        written.append(archive)
    return written


def unpack(archive: Path, work: Path) -> None:
    """Take an archive's files into a work folder."""
    work.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as opened:
        opened.extractall(work, filter="data")


def split(work: Path, out: Path) -> list[Path]:
    """Write the checkpoint's weights as float16 in parts; together they are half the size of the weights alone.

    Sixteen bits with eleven of precision lose less of small numbers around zero than bfloat16, and far less than the
    eight-bit file that is made of them.
    """
    path = work / loop.CHECKPOINT
    with safe_open(path, "pt") as opened:
        metadata = opened.metadata()
    weights = {name: tensor.half() for name, tensor in load_file(path).items() if name.startswith("weight/")}
    groups: list[dict[str, torch.Tensor]] = [{}]
    for name, tensor in weights.items():
        size = sum(kept.numel() * 2 for kept in groups[-1].values())
        if groups[-1] and size + tensor.numel() * 2 > PART_BYTES:
            groups.append({})
        groups[-1][name] = tensor
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for number, group in enumerate(groups, 1):
        part = out / f"part-{number}.safetensors"
        save_file(group, part, metadata={**metadata, "part": str(number), "parts": str(len(groups))})
        written.append(part)
    return written


def join(parts: list[Path], work: Path) -> Path:
    """Put the parts together as the work folder's checkpoint.

    Raises:
        SystemExit: a part is missing.
    """
    weights: dict[str, torch.Tensor] = {}
    metadata: dict[str, str] = {}
    for part in parts:
        with safe_open(part, "pt") as opened:
            metadata = opened.metadata()
        weights |= {name: tensor.float() for name, tensor in load_file(part).items()}
    if not parts or len(parts) != int(metadata["parts"]):
        raise SystemExit(f"travel: {len(parts)} parts given of {metadata.get('parts', 'several')}; give them all")
    work.mkdir(parents=True, exist_ok=True)
    partial = work / "checkpoint.partial"
    save_file(weights, partial, metadata={"progress": metadata["progress"]})
    os.replace(partial, work / loop.CHECKPOINT)
    return work / loop.CHECKPOINT


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("pack", "unpack", "split", "join"))
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--halves", type=int, default=2)
    parser.add_argument("--out", type=Path, help="with split")
    chosen = parser.parse_args()
    if chosen.action == "pack":
        written = pack(chosen.work, chosen.halves)
    elif chosen.action == "unpack":
        for archive in chosen.files:
            unpack(archive, chosen.work)
        written = chosen.files
    elif chosen.action == "split":
        written = split(chosen.work, chosen.out or chosen.work / "parts")
    else:
        written = [join(sorted(chosen.files), chosen.work)]
    print(json.dumps({str(path): path.stat().st_size for path in written}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
