from __future__ import annotations

import json
import threading
import time

import pytest

from rocamadre.cli.logs import follow_file
from rocamadre.observability.logging import LOG_FILE


def line(number: int, level: str = "INFO") -> str:
    return json.dumps({"time": "2026-11-21T10:11:12+00:00", "level": level, "event": "tick", "number": number}) + "\n"


@pytest.fixture
def path(home):
    (home / "logs").mkdir(parents=True)
    return home / "logs" / LOG_FILE


def test_the_last_lines_across_rotated_parts(roca, path):
    path.with_name(LOG_FILE + ".1").write_text("".join(line(number) for number in range(10)))
    path.write_text(line(10) + line(11, "ERROR") + "not json\n")
    assert roca("logs", "-n", "4").out.splitlines() == [
        "10:11:12 INFO    tick number=9",
        "10:11:12 INFO    tick number=10",
        "10:11:12 ERROR   tick number=11",
        "not json",
    ]
    assert roca("logs", "--level", "warning", "--json").out == line(11, "ERROR") + "not json\n"


def test_without_a_log(roca, path):
    assert roca("logs").code == 4
    (path.parent / "server.out").write_text("rocamadre: port 4599 cannot be used\n")
    assert "port 4599" in roca("logs").err


def test_follows_into_the_next_file(path):
    path.write_text(line(0))
    lines = follow_file(path, poll_s=0.01)

    def write() -> None:
        time.sleep(0.05)
        with open(path, "a") as file:
            file.write(line(1)[:10])
            file.flush()
            time.sleep(0.05)
            file.write(line(1)[10:])
        path.rename(path.with_name(LOG_FILE + ".1"))
        path.write_text(line(2))

    writer = threading.Thread(target=write)
    writer.start()
    assert [json.loads(next(lines))["number"] for _ in range(2)] == [1, 2]
    writer.join()
    lines.close()
