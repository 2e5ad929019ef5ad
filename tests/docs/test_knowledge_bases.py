"""The page about knowledge bases: its programs and commands run as copied, on the documents of the examples."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from rocamadre.catalog.embedded import MINILM_FOLDER, ROCA_MINI_FILE, embedded_dir
from rocamadre.cli.process import start_server, stop_server

DOCUMENTS = 6

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def place(checkout, tmp_path_factory, needs):
    """A folder with the documents, a server on its home, and what a command needs to know."""
    folder = embedded_dir("roca-mini")
    needs(folder is not None and (folder / ROCA_MINI_FILE).is_file(), "roca-mini is not here")
    prepared = checkout / ".roca" / "models" / MINILM_FOLDER
    needs(prepared.is_dir(), "roca models prepare has not run")
    where = tmp_path_factory.mktemp("knowledge")
    home = where / "home"
    (home / "models").mkdir(parents=True, mode=0o700)
    (home / "models" / MINILM_FOLDER).symlink_to(prepared)
    shutil.copytree(checkout / "examples" / "documents", where / "examples" / "documents")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ROCA_", "AWS_"))}
    settings = {"ROCA_SERVER__PORT": "0", "ROCA_CONSOLE__ENABLED": "false", "ROCA_CONFIG": str(home / "none.toml")}
    server = start_server(home, kept | settings)
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    environment = kept | settings | {"PATH": path, "ROCA_HOME": str(home), "COLUMNS": "200", "NO_PROXY": "*"}
    yield where, environment, server.address
    stop_server(home, server)


def blocks(checkout, language):
    page = (checkout / "docs" / "knowledge-bases.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.M | re.S)


def run(place, command):
    where, environment, _ = place
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_programs_run_as_copied(checkout, place):
    _, _, address = place
    first, header = [each.replace("http://127.0.0.1:4599", address) for each in blocks(checkout, "python")]
    shown = run(place, [sys.executable, "-W", "error", "-c", first])
    lines = shown.splitlines()
    assert lines[0] == f"COMPLETE {DOCUMENTS} documents"
    found = [line for line in lines if "->" in line]
    assert [re.search(r"s3://my-documents/(\S+)", line)[1] for line in found] == [
        "lighthouse.md",
        "contrato.docx",
        "mercado.txt",
    ]
    assert "twelve" in shown
    assert shown.count("from s3://my-documents/") >= 3
    run(place, [sys.executable, "-W", "error", "-c", header])


def test_the_commands_run_in_their_order(checkout, place):
    (script,) = blocks(checkout, "sh")
    where, _, _ = place
    shown = run(place, ["bash", "-euo", "pipefail", "-c", script])
    assert "lighthouse.md" in shown
    assert "fusion" in shown
    assert "Celeste Moura" in shown
    assert re.search(r"^name +chunks$", shown, re.M)
    assert "no chunk has names noted" not in shown
    assert "the chunks are in the embedded store" in shown
    assert shown.rstrip().endswith("coast is deleted")
    kept = [path.name for path in (where / "home" / "kb").glob("*")]
    assert len([name for name in kept if name.endswith(".sqlite")]) <= 1


def test_questions_are_judged(place):
    where, _, _ = place
    lines = [
        '{"question": "How often does the lamp turn?", "documents": ["lighthouse.md"], "language": "en"}',
        '{"question": "¿Quién repara el tejado?", "documents": {"contrato.docx": 1}, "language": "es", '
        '"answer": "La cooperativa"}',
    ]
    (where / "questions.jsonl").write_text("\n".join(lines) + "\n")
    run(place, ["roca", "kb", "create", "judged"])
    run(place, ["roca", "kb", "add", "judged", "examples/documents"])
    shown = run(place, ["roca", "kb", "eval", "judged", "questions.jsonl"])
    assert re.search(r"^all\s+2\s+recall@5\s+1\.000", shown, re.M)
    assert re.search(r"^es\s+1\s+mrr", shown, re.M)
    judged = run(place, ["roca", "kb", "eval", "judged", "questions.jsonl", "--answers"])
    assert re.search(r"^faithfulness +1\.000", judged, re.M)
    assert re.search(r"^context recall +", judged, re.M)
    (where / "examples" / "documents" / "ferries.csv").unlink()
    again = run(place, ["roca", "kb", "add", "judged", "examples/documents", "--json"])
    assert '"numberOfDocumentsDeleted": 1' in again
    run(place, ["roca", "kb", "delete", "judged", "--yes"])
