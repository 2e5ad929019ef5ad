from __future__ import annotations

import ast
import re
import subprocess

import pytest

# One letter of each in brackets, or this file would find itself.
MACHINE_PATHS = re.compile("/[r]oot/|/[w]ork/|/[h]ome/[a-z]|/[U]sers/[a-z]|/opt/[p]ypi")
PACKAGE_HOSTS = re.compile(r"[p]ypi\.org|files\.[p]ythonhosted|download\.[p]ytorch|[a]naconda\.org")
WORDS = re.compile(r"\bas an [A]I\b|Chat[G]PT|[C]opilot|[G]enerated with|Co-[A]uthored-By", re.I)
BINARY = (".gguf", ".onnx", ".safetensors", ".png", ".gz", ".npz", ".npy", ".sqlite", ".bin")


@pytest.fixture(scope="module")
def tracked(checkout):
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=checkout, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    names = [name for name in listed.stdout.decode().split("\0") if name and not name.endswith(BINARY)]
    return {name: (checkout / name).read_text(errors="replace") for name in names if (checkout / name).is_file()}


def test_no_path_of_a_machine_and_no_package_host(tracked):
    found = [
        (name, number, line.strip()[:100])
        for name, text in tracked.items()
        for number, line in enumerate(text.splitlines(), 1)
        # Scores and recipes may quote text of their data.
        if not name.endswith(".jsonl") and (MACHINE_PATHS.search(line) or PACKAGE_HOSTS.search(line))
    ]
    assert found == []


def test_nothing_tells_which_tool_wrote_it(tracked):
    # What classifiers learn from holds what people ask about, a product's name among it, and nothing else of these.
    asked = re.compile("Chat[G]PT")
    found = [
        name
        for name, text in tracked.items()
        if not name.endswith((".json", ".jsonl"))
        and WORDS.search(asked.sub("", text) if "/recipe/texts/" in name else text)
    ]
    assert found == []


def test_exports_are_sorted_and_init_files_hold_nothing_else(tracked):
    for name, text in tracked.items():
        if not name.startswith("src/") or not name.endswith("__init__.py"):
            continue
        for node in ast.parse(text).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
                exported = ast.literal_eval(node.value)
                assert exported == sorted(exported), name
            allowed = ast.Import | ast.ImportFrom | ast.Assign | ast.Expr
            assert isinstance(node, allowed), f"{name}: {ast.unparse(node)[:60]}"


def test_every_folder_of_the_package_is_a_package(checkout):
    folders = {path.parent for path in (checkout / "src" / "rocamadre").rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_weights_stay_small(checkout):
    sizes = {path.name: path.stat().st_size for path in (checkout / "models").rglob("*.gguf")}
    assert {name: size for name, size in sizes.items() if size > 32 * 2**20} == {}


def test_pinned_versions_satisfy_what_the_package_asks(checkout):
    import tomllib

    from packaging.requirements import Requirement

    lines = (checkout / "constraints.txt").read_text().splitlines()
    pinned = dict(line.lower().replace("_", "-").split("==") for line in lines if line and not line.startswith("#"))
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(item for group in project["optional-dependencies"].values() for item in group),
    ]
    for line in wanted:
        requirement = Requirement(line)
        version = pinned.get(requirement.name.lower().replace("_", "-"))
        assert version, f"{requirement.name} is not pinned in constraints.txt"
        assert requirement.specifier.contains(version), f"{line} against {version}"
