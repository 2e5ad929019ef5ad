from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path


def test_layers_and_heavy_packages(checkout):
    """The contracts in pyproject.toml: no room imports a higher one, and none a heavy package."""
    program = shutil.which("lint-imports", path=sysconfig.get_path("scripts"))
    assert program, "import-linter is not installed"
    result = subprocess.run([program, "--no-cache"], cwd=checkout, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-3000:]


def test_importing_the_package_imports_nothing_heavy():
    heavy = (
        "torch",
        "transformers",
        "diffusers",
        "ray",
        "dbos",
        "boto3",
        "botocore",
        "numpy",
        "onnxruntime",
        "sqlalchemy",
    )
    code = f"import sys, rocamadre; print([name for name in {heavy!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_help_imports_nothing_slow():
    slow = ("boto3", "botocore", "pydantic", "sqlalchemy", "rich", "uvicorn", "psutil", "numpy")
    code = (
        "import sys, contextlib, io\n"
        "from rocamadre.cli.main import run\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    assert run(['--help']) == 0\n"
        f"print([name for name in {slow!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_server_imports_no_engine():
    """Models are compiled and cached, and weights belong to child processes."""
    heavy = ("torch", "transformers", "onnxruntime", "onnx", "xllamacpp", "boto3")
    code = f"import sys, rocamadre.server.app; print([name for name in {heavy!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_every_file_has_one_purpose_of_readable_size(checkout):
    """Some 400 lines to a file. What must be longer is listed here, with its reason."""
    longer: dict[str, str] = {}
    files = [path for path in (checkout / "src").rglob("*.py")]
    sizes = {path.relative_to(checkout).as_posix(): len(path.read_text().splitlines()) for path in files}
    assert {name: size for name, size in sizes.items() if size > 500 and name not in longer} == {}
    assert [name for name in longer if not Path(checkout / name).exists()] == []
