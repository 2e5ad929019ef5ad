"""The recipe of the embedder, from made-up data to a file that is served: what is read, resumed and noted."""

import gzip
import json
import os
import random
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from rocamadre.engines.embed.export import export_bert
from rocamadre.engines.embed.static import StaticModel
from rocamadre.testing.tiny import tiny_bert

RECIPE = Path(__file__).resolve().parents[3] / "models" / "roca-embed" / "recipe"
WORDS = {
    "en": "river spring house dog cat stone garden window street teacher music bread winter letter",
    "es": "rio primavera casa perro gato piedra jardin ventana calle maestro musica pan invierno carta",
    "pt": "rio primavera casa cachorro gato pedra jardim janela rua professor musica pao inverno carta",
}


def sets() -> list[str]:
    """Names of the data sets, as the recipe lists them."""
    command = [sys.executable, "-c", "import corpus; print('\\n'.join(corpus.SETS))"]
    done = subprocess.run(command, cwd=RECIPE, capture_output=True, text=True, check=True)
    return done.stdout.split()


def is_test(title: str) -> bool:
    return int(sha256(title.encode()).hexdigest(), 16) % 5 == 0


def sentence(language: str, rng: random.Random, length: int = 7) -> str:
    return " ".join(rng.sample(WORDS[language].split(), length)).capitalize() + "."


def rows_of(name: str, rng: random.Random) -> list[dict]:
    folder, _, file = name.partition("/")
    if folder.startswith("parallel"):
        other = folder[-2:]
        return [{"en": sentence("en", rng), other: sentence(other, rng)} for _ in range(30)]
    if folder.startswith("text"):
        language = folder[-2:]
        text = " ".join(sentence(language, rng) for _ in range(6))
        return [{"id": str(each), "title": f"T{each}", "text": f"{text}\n\n{text}"} for each in range(6)]
    if folder == "qamr":
        return [{"question": f"{sentence('en', rng)}   a", "sentence": sentence("en", rng)} for _ in range(9)]
    if folder == "dolly":
        return [{"instruction": sentence("en", rng), "response": sentence("en", rng) * 2} for _ in range(9)]
    if folder == "pubmedqa":
        return [{"question": sentence("en", rng), "context": sentence("en", rng)} for _ in range(9)]
    language = (
        file[-2:] if folder == "xquad" else {"squad-es": "es"}.get(folder, "pt" if folder != "squad-en" else "en")
    )
    return [
        {
            "id": f"{folder}{each}",
            "lang": language,
            "title": f"Article {each}",
            "context": f"{'Held back. ' if is_test(f'Article {each}') else ''}{sentence(language, rng)}",
            "question": sentence(language, rng),
            "answers": [{"text": "x"}],
        }
        for each in range(12)
    ]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    base = tmp_path_factory.mktemp("recipe")
    rng = random.Random(1)
    for name in sets():
        path = base / "data" / f"{name}.jsonl.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(path, "wt") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows_of(name, rng))
    teacher = tiny_bert(base / "home" / "models" / "all-minilm-l6-v2")
    export_bert(teacher, teacher / "model.onnx")
    return base, run(base)


def run(base: Path) -> str:
    command = [sys.executable, str(RECIPE / "run.py"), "data", "home", "work", "--smoke", "--part", "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=base, env=environment, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_one_command_makes_a_file_that_is_served(made):
    base, said = made
    folder = base / "work" / "smoke"
    model = StaticModel(folder)
    vectors = model.embed(model.token_ids(["A river in spring.", "Um rio na primavera."]))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    figures = json.loads((folder / "figures.json").read_text())
    assert figures["parity"]["least"] > 0.999
    assert set(figures["data_sha256"]) == set(figures["licences"]) == set(sets())
    for name, digest in figures["sha256"].items():
        assert sha256((folder / name).read_bytes()).hexdigest() == digest
    assert "step 60" in said


def test_articles_of_the_test_split_are_not_read(made):
    base, _ = made
    kept = subprocess.run(
        [
            sys.executable,
            "-c",
            "import pickle,sys,json;print(json.dumps(pickle.load(open(sys.argv[1],'rb')).texts))",
            str(base / "work" / "smoke" / "corpus.pickle"),
        ],
        cwd=RECIPE,
        capture_output=True,
        text=True,
        check=True,
    )
    texts = json.loads(kept.stdout)
    assert any(is_test(f"Article {each}") for each in range(12))
    assert len(texts) > 300
    assert not any(text.startswith("Held back.") for text in texts)


def contents(file):
    """Header and weights; safetensors writes the header's members in any order."""
    data = file.read_bytes()
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def test_a_second_run_goes_on_from_the_first(made):
    base, _ = made
    before = contents(base / "work" / "smoke" / "static.safetensors")
    said = run(base)
    assert "teacher:" not in said
    assert "step" not in said.splitlines()[1]
    assert contents(base / "work" / "smoke" / "static.safetensors") == before
