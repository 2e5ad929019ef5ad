from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from rocamadre.core.clock import FixedClock
from rocamadre.core.errors import Conflict, InvalidRequest
from rocamadre.jobs.rundir import RunDir, read_json, write_json, write_whole

CLOCK = FixedClock(datetime(2026, 11, 20, tzinfo=UTC))


def test_the_first_spec_holds(tmp_path):
    run = RunDir(tmp_path / "r")
    assert run.spec() is None
    assert run.begin({"a": 1}) == {"a": 1}
    assert RunDir(tmp_path / "r").begin({"a": 2}) == {"a": 1}


def test_progress_passes_over_a_torn_line(tmp_path):
    run = RunDir(tmp_path / "r")
    assert run.progress() == []
    run.begin({})
    run.note(CLOCK, {"step": 1})
    with (tmp_path / "r" / "progress.jsonl").open("ab") as stream:
        stream.write(b'{"step": 2, "at"')
    assert run.progress() == [{"at": "2026-11-20T00:00:00+00:00", "step": 1}]


def test_a_line_after_a_torn_one_is_read(tmp_path):
    run = RunDir(tmp_path / "run")
    run.begin({})
    (run.path / "progress.jsonl").write_bytes(b'{"event": "st')
    run.note(CLOCK, {"event": "step"})
    run.note(CLOCK, {"event": "end"})
    assert [line["event"] for line in run.progress()] == ["step", "end"]


def test_stop_and_result(tmp_path):
    run = RunDir(tmp_path / "r")
    run.begin({})
    assert not run.stop_requested()
    run.request_stop()
    assert run.stop_requested()
    run.clear_stop()
    assert not run.stop_requested()
    assert run.result() is None
    run.finish({"model": "x"})
    assert run.result() == {"model": "x"}
    run.discard()
    assert not run.path.exists()


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})

    def fail(_descriptor):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_whole(path, b"half")
    assert read_json(path) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.json"]


def test_damaged_json_is_refused(tmp_path):
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(InvalidRequest, match=r"x\.json"):
        read_json(tmp_path / "x.json")


def test_one_process_at_a_time_and_death_releases(tmp_path):
    run = RunDir(tmp_path / "r")
    code = (
        "import sys, time; from pathlib import Path; from rocamadre.jobs.rundir import RunDir\n"
        "with RunDir(Path(sys.argv[1])).held():\n print('held', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(run.path)], stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(Conflict, match="another process"), run.held():
            pass
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    with run.held():
        pass
