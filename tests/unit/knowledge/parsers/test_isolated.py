"""Children that parse: what they may do, what happens when one breaks, and who notices."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace

import msgspec
import psutil
import pytest

from rocamadre.documents.types import Limits
from rocamadre.knowledge.ingestion.cutting import CutSettings, Cutter, unpacked
from rocamadre.knowledge.ingestion.jobs import READING
from rocamadre.knowledge.parsers import isolated, ocr
from rocamadre.knowledge.parsers.isolated import KNOWLEDGE_LIMITS, ParserPool
from rocamadre.knowledge.parsers.ocr import OcrLimits
from rocamadre.knowledge.parsers.parsed import ParseFailure
from rocamadre.testing.slides import make_scan

MISBEHAVING = """
import os, socket, sys, time
from rocamadre.documents.pieces import Refused
from rocamadre.knowledge.parsers import plain
from rocamadre.knowledge.parsers.parsed import Parsed, Heading
real = plain.parse_text

def parse_text(file):
    words = file.data.decode("utf-8", "replace")
    if words.startswith("kill "):
        os.kill(os.getpid(), int(words[5:]))
    if words == "sleep":
        time.sleep(60)
    if words == "spin":
        while True: pass
    if words == "fill":
        return Parsed(str(bytearray(3 << 30)))
    if words == "fill a bit":
        kept = bytearray(300 << 20)
        kept[::4096] = b"1" * len(kept[::4096])
        return real(file)
    if words == "exit":
        os._exit(0)
    if words == "lie":
        return Parsed("short", headings=(Heading(0, 999, 1, "x"),))
    if words == "garbage":
        os.write(0, b"\\0" * 7 + b"\\5hello")
        time.sleep(60)
    if words == "look":
        found = [str(os.getpid()), ",".join(sorted(os.environ)), os.getcwd()]
        for attempt in (lambda: open("/etc/hostname"), socket.socket, os.pipe, lambda: os.listdir("/")):
            try:
                attempt()
                found.append("done")
            except OSError as error:
                found.append(str(error.errno))
        return Parsed(" ".join(found))
    return real(file)

plain.parse_text = parse_text
"""
FEW = replace(KNOWLEDGE_LIMITS, wall_s=2.0, cpu_s=1)


@pytest.fixture(autouse=True)
def _without_ocr(monkeypatch):
    monkeypatch.setattr(isolated, "tesseract", lambda: None)


@pytest.fixture
def misbehaving(tmp_path, monkeypatch):
    """Children whose parser of plain text does what the text says."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(MISBEHAVING)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def failure(pool, data, name="a.txt"):
    with pytest.raises(ParseFailure) as caught:
        pool.parse(data, name)
    return caught.value.reason, caught.value.message


def looked(pool):
    return pool.parse(b"look", "a.txt").text.split()


def test_a_child_is_used_again_and_ends_with_the_pool(misbehaving):
    with ParserPool(workers=2) as pool:
        pids = {looked(pool)[0] for _ in range(5)}
        assert len(pids) == 1
        [pid] = map(int, pids)
        assert psutil.pid_exists(pid)
    assert not psutil.pid_exists(pid)


def test_no_child_before_it_is_needed():
    before = {child.pid for child in psutil.Process().children()}
    with ParserPool() as pool:
        assert failure(pool, b"")[0] == "empty"
        assert {child.pid for child in psutil.Process().children()} <= before


def test_a_child_sees_no_secret_and_opens_nothing(misbehaving, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("ROCA_SERVER__PORT", "1")
    with ParserPool() as pool:
        _, names, folder, *attempts = looked(pool)
    assert not {name for name in names.split(",") if name.startswith(("AWS", "ROCA", "HOME"))}
    assert folder == "/"
    assert attempts == ["24"] * 4


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (b"kill 11", "crash"),
        (b"kill 9", "crash"),
        (b"exit", "crash"),
        (b"lie", "crash"),
        (b"garbage", "crash"),
        (b"sleep", "timeout"),
        (b"spin", "timeout"),
        (b"fill", "memory"),
    ],
)
def test_a_file_that_breaks_its_child_fails_alone(misbehaving, words, reason):
    with ParserPool(FEW, workers=1) as pool:
        assert pool.parse(b"good", "a.txt").text == "good"
        began = time.monotonic()
        assert failure(pool, words)[0] == reason
        assert time.monotonic() - began < 15
        assert pool.parse(b"good again", "a.txt").text == "good again"
        assert int(looked(pool)[0]) in {child.pid for child in psutil.Process().children()}


def test_a_child_that_died_meanwhile_is_replaced(misbehaving):
    with ParserPool(workers=1) as pool:
        pid = int(looked(pool)[0])
        os.kill(pid, signal.SIGKILL)
        assert int(looked(pool)[0]) != pid


def test_a_child_that_held_much_is_not_used_again(misbehaving):
    with ParserPool(workers=1) as pool:
        pid = looked(pool)[0]
        assert pool.parse(b"fill a bit", "a.txt").text == "fill a bit"
        assert looked(pool)[0] != pid


def test_the_memory_of_the_parent_is_not_the_childs(misbehaving, monkeypatch):
    """What the kernel says of a process begins with the memory of the one that started it."""
    monkeypatch.setattr(isolated, "_LARGE_BYTES", 100 << 20)
    ballast = b"1" * (150 << 20)
    with ParserPool(workers=1) as pool:
        assert looked(pool)[0] == looked(pool)[0]
        assert failure(pool, b"kill 11")[0] == "crash"
    del ballast


def test_many_threads_share_few_children(misbehaving):
    found, wrong = [], []

    def work(number):
        try:
            if number % 7 == 3:
                wrong.append(failure(pool, b"kill 11"))
            else:
                found.append(pool.parse(b"text %d" % number, "a.txt").text)
        except BaseException as error:
            wrong.append(error)

    with ParserPool(workers=2) as pool:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(28)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(pool._idle) <= 2
    assert sorted(found) == sorted(f"text {number}" for number in range(28) if number % 7 != 3)
    assert [each[0] for each in wrong] == ["crash"] * 4


def test_a_thread_that_ends_takes_no_child_with_it(misbehaving):
    with ParserPool(workers=1) as pool:
        pids = []
        thread = threading.Thread(target=lambda: pids.append(looked(pool)[0]))
        thread.start()
        thread.join()
        time.sleep(0.1)
        assert looked(pool)[0] == pids[0]


def test_children_end_when_their_parent_is_killed(misbehaving):
    program = (
        "import time\n"
        "from rocamadre.knowledge.parsers.isolated import ParserPool\n"
        "pool = ParserPool()\n"
        "print(pool.parse(b'look', 'a.txt').text.split()[0], flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 20
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not psutil.pid_exists(pid)


# -- one child, many documents ahead --------------------------------------------------------------------------------


def streamed(pool, documents):
    """What became of each."""
    found = {}
    with pool.stream() as stream:
        for tag, data in documents.items():
            found |= {each.tag: each for each in stream.put(tag, data, "a.txt")}
        found |= {each.tag: each for each in stream.rest()}
    assert found.keys() == documents.keys()
    return found


def test_whatever_breaks_a_child_those_behind_it_are_read(misbehaving):
    hostile = {3: b"kill 11", 4: b"exit", 9: b"sleep", 15: b"", 20: b"fill", 21: b"spin", 30: b"garbage", 39: b"kill 9"}
    documents = {number: hostile.get(number, b"text %d" % number) for number in range(40)}
    with ParserPool(FEW, workers=1) as pool:
        found = streamed(pool, documents)
        assert len(pool._idle) <= 2
        assert pool.parse(b"good", "a.txt").text == "good"
    for number, outcome in found.items():
        if number in hostile:
            assert outcome.parsed is None
            assert outcome.failure.reason in ("crash", "timeout", "memory", "empty")
        else:
            assert outcome.failure is None
            assert outcome.parsed.text == f"text {number}"
    assert [found[number].failure.reason for number in (9, 15, 20, 21)] == ["timeout", "empty", "memory", "timeout"]


def test_large_and_small_documents_take_turns(misbehaving):
    documents = {number: b"word " * (60_000 if number % 3 == 0 else 3) for number in range(12)}
    with ParserPool(workers=1) as pool:
        found = streamed(pool, documents)
    assert [len(found[number].parsed.text) for number in range(4)] == [300_000, 15, 15, 300_000]


def test_a_stream_replaces_a_child_that_held_much_or_died(misbehaving):
    with ParserPool(workers=1) as pool, pool.stream() as stream:
        [first] = [*stream.put(0, b"look", "a.txt"), *stream.rest()]
        [_] = [*stream.put(1, b"fill a bit", "a.txt"), *stream.rest()]
        [second] = [*stream.put(2, b"look", "a.txt"), *stream.rest()]
        pids = [each.parsed.text.split()[0] for each in (first, second)]
        assert pids[0] != pids[1]
        os.kill(int(pids[1]), signal.SIGKILL)
        [third] = [*stream.put(3, b"look", "a.txt"), *stream.rest()]
        assert third.parsed.text.split()[0] != pids[1]


def test_a_stream_that_is_left_ends_its_child(misbehaving):
    with ParserPool(workers=1) as pool:
        with pool.stream() as stream:
            [looked_at] = [*stream.put(0, b"look", "a.txt"), *stream.rest()]
            assert list(stream.put(1, b"sleep", "a.txt")) == []
        assert not psutil.pid_exists(int(looked_at.parsed.text.split()[0]))


def test_children_that_cut_give_what_is_cut_here():
    settings = CutSettings({"chunkingStrategy": "RECURSIVE", "recursiveChunkingConfiguration": {"maxTokens": 20}})
    program = (READING, msgspec.json.encode(settings).decode())
    texts = {
        number: f"Tide {number}\n\nThe tide came in at {number}.30.\n\n" + f"La marea subió despacio {number}. " * 9
        for number in range(30)
    }
    with ParserPool(workers=1, program=program) as pool, Cutter(settings) as cutter:
        found = streamed(pool, {number: text.encode() for number, text in texts.items()})
        for outcome in found.values():
            cuts = unpacked(outcome.parsed.text, outcome.more)
            assert cuts == cutter.cut(pool.parse(texts[outcome.tag].encode(), "a.txt"))
            assert all(cut.piece.text == outcome.parsed.text[cut.piece.start : cut.piece.end] for cut in cuts)
        huge = streamed(pool, {0: b"word " * 300_000})[0]
        assert huge.more == b""
        assert len(huge.parsed.text) == 1_500_000


@pytest.mark.parametrize("piece", [(0, 6, None), (3, 3, None), (4, 2, None), (-1, 2, None), (0, 2, 0), (0, 2, 7)])
def test_pieces_that_are_not_there_are_refused(piece):
    start, end, parent = piece
    told = msgspec.msgpack.encode([(start, end, (), None, parent, True, {}, "en", "", {})])
    with pytest.raises(ValueError, match="a piece from"):
        unpacked("words", told)
    with pytest.raises(ValueError, match="array"):
        unpacked("words", b"nothing")


def test_files_and_what_is_none(tmp_path):
    file = tmp_path / "a.md"
    file.write_text("# Hi\n\nthere")
    (tmp_path / "link.md").symlink_to(file)
    os.mkfifo(tmp_path / "pipe.md")
    (tmp_path / "large.md").write_bytes(b"a" * 2000)
    with ParserPool(Limits(size_bytes=1000)) as pool:
        assert pool.parse(file, "a.md").title == "Hi"
        for name in ("link.md", "pipe.md", "none.md", ""):
            with pytest.raises(ParseFailure) as caught:
                pool.parse(tmp_path / name, name)
            assert caught.value.reason == "unreadable"
        for source in (tmp_path / "large.md", b"a" * 2000):
            with pytest.raises(ParseFailure, match="has 2000 bytes; at most 1000 are taken"):
                pool.parse(source, "large.md")


FAKE = """#!/bin/sh
[ "$1" = --list-langs ] && { echo 'List of available languages (2):'; echo eng; echo por; echo osd; exit; }
case "$(head -c 2)" in
P5) echo "words of $*" ;;
GI) sleep 60 ;;
*) exit 1 ;;
esac
"""
SCAN = make_scan([(8, 8, bytes(64)), (8, 8, bytes(64))])
GIF = b"GIF89a\1\0\1\0"


@pytest.fixture
def fake_tesseract(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "tesseract"
    program.parent.mkdir()
    program.write_text(FAKE)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    ocr.tesseract.cache_clear()
    monkeypatch.setattr(isolated, "tesseract", ocr.tesseract)
    yield
    ocr.tesseract.cache_clear()


def test_scans_without_ocr_say_what_is_missing():
    with ParserPool(workers=1) as pool:
        assert failure(pool, SCAN, "scan.pdf") == (
            "needs-ocr",
            "the 2 pages of the pdf document are images; install Tesseract to have their words read",
        )


def test_scans_are_read_page_by_page(fake_tesseract):
    with ParserPool(workers=1) as pool:
        found = pool.parse(SCAN, "scan.pdf")
        assert found.text == "words of stdin stdout -l eng+por\n\nwords of stdin stdout -l eng+por"
        assert [page.number for page in found.pages] == [1, 2]
        assert pool.parse(b"plain", "a.txt").text == "plain"


def test_scans_of_a_stream_are_read_beside_it(fake_tesseract):
    documents = {"a": b"first", "scan": SCAN, "b": b"second"}
    with ParserPool(workers=1) as pool, pool.stream() as stream:
        found = {}
        for tag, data in documents.items():
            found |= {each.tag: each for each in stream.put(tag, data, "a.pdf" if tag == "scan" else "a.txt")}
        found |= {each.tag: each for each in stream.rest()}
    assert found["scan"].parsed.text.startswith("words of stdin")
    assert (found["a"].parsed.text, found["b"].parsed.text) == ("first", "second")


def test_ocr_that_fails_or_takes_too_long(fake_tesseract):
    with ParserPool(workers=1, ocr=OcrLimits(page_s=0.3)) as pool:
        assert failure(pool, GIF, "a.gif") == ("timeout", "reading the words of an image takes over 0.3 seconds")
        png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0\0\0\1" * 2
        assert failure(pool, png, "a.png")[0] == "damaged"
    with ParserPool(workers=1, ocr=OcrLimits(document_s=0.0)) as pool:
        reason, message = failure(pool, SCAN, "scan.pdf")
    assert reason == "timeout"
    assert "has 2 scanned pages; reading them takes over 0 seconds" in message
