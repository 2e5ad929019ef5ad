"""The recipe of the answer extractor, from made-up data to a file that is served."""

import gzip
import json
import os
import random
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from rocamadre.knowledge.answers.extractor.network import FILE, Network

RECIPE = Path(__file__).resolve().parents[3] / "models" / "answer-extractor" / "recipe"
TOWNS = "Arles Calder Dover Elche Faro Goslar Huesca Ivrea Jaca Kells Lugo Meissen".split()
WORKS = {
    "en": ("tower", "bridge", "harbour"),
    "es": ("torre", "puente", "puerto"),
    "pt": ("torre", "ponte", "porto"),
}
TOLD = {
    "en": "The {work} of {town} was built in {year}. It stands by the old market of the town.",
    "es": "La obra {work} de {town} fue construida en {year}. Está junto al mercado viejo.",
    "pt": "A obra {work} de {town} foi construída em {year}. Fica junto ao mercado velho.",
}
ASKED = {
    "en": "When was the {work} of {town} built?",
    "es": "¿Cuándo fue construida la obra {work} de {town}?",
    "pt": "Quando foi construída a obra {work} de {town}?",
}


def sets() -> dict[str, str]:
    """Files of the data sets, as the recipe lists them, with their language."""
    code = "import data,json;print(json.dumps({f:n for n,(_,fs) in data.SETS.items() for f in fs}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=RECIPE, capture_output=True, text=True, check=True)
    named = json.loads(done.stdout)
    return {file: {"xquad": "es", "faquad": "pt", "qamr": "en"}.get(name, name[-2:]) for file, name in named.items()}


def rows_of(file: str, language: str, rng: random.Random) -> list[dict]:
    told, asked = TOLD[language], ASKED[language]
    rows = []
    for k in range(60):
        town, year, work = rng.choice(TOWNS), str(rng.randrange(1200, 1990)), rng.choice(WORKS[language])
        text = told.format(work=work, town=town, year=year)
        question = asked.format(work=work, town=town)
        if file.startswith("text"):
            more = " ".join(told.format(work=w, town=t, year=year) for w in WORKS[language] for t in TOWNS[:4])
            rows.append({"id": str(k), "title": f"T{k}", "text": f"{text} {more}", "src": "made"})
        elif file.startswith("qamr"):
            name = f"W:w:{k // 4}:0:{k}#0"
            rows.append({"id": name, "sentence": text, "question": f"{question}   {year}", "answers": [year]})
        else:
            answers = [] if k % 4 == 3 else [{"text": year, "start": text.index(year)}]
            row = {"id": f"{language}{k}", "title": f"Article {k}", "context": text, "question": question}
            rows.append({**row, "answers": answers})
    return rows


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    base = tmp_path_factory.mktemp("recipe")
    rng = random.Random(1)
    for file, language in sets().items():
        path = base / "data" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(row) + "\n" for row in rows_of(file, language, rng)]
        if path.suffix == ".gz":
            with gzip.open(path, "wt") as opened:
                opened.writelines(lines)
        else:
            path.write_text("".join(lines))
    command = [sys.executable, str(RECIPE / "run.py"), "data", "work", "--smoke"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=base, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return base


def test_one_command_makes_a_file_that_is_served(made):
    figures = json.loads((made / "work" / "figures.json").read_text())
    network = Network(made / "work" / FILE)
    assert len(network.calibration.holds) == len(figures["calibration"]["holds"])
    assert figures["sha256"] == sha256((made / "work" / FILE).read_bytes()).hexdigest()
    assert figures["bytes"] < 2_500_000
    assert set(figures["data_sha256"]) == set(sets())


def test_the_served_file_points_where_the_trained_weights_point(made):
    parity = json.loads((made / "work" / "figures.json").read_text())["parity"]
    assert parity["same_span"] >= 0.9
    assert parity["mean_gap"] < 0.05


def test_articles_of_the_test_split_are_not_read(made):
    code = (
        "import pickle,sys,json;d=pickle.load(open(sys.argv[1],'rb'));"
        "print(json.dumps([[n,p.example.title] for n,g in d['packed'].items() for p in g]))"
    )
    packed = str(made / "work" / "examples.pickle")
    done = subprocess.run([sys.executable, "-c", code, packed], cwd=RECIPE, capture_output=True, text=True, check=True)
    read = [(group, title) for group, title in json.loads(done.stdout) if title.startswith("Article")]
    numbers = {title: int(sha256(title.encode()).hexdigest(), 16) for _, title in read}
    assert len(read) > 60
    assert all(numbers[title] % 5 for _, title in read)
    assert not {title for group, title in read if group == "dev"} & {title for group, title in read if group != "dev"}
