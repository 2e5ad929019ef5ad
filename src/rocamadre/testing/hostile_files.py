"""Over two hundred files that no parser should be given, made when they are asked for, the same for the same seed.

None is kept anywhere: each is some lines here. Whoever parses them must survive all, in bounded time and memory, and
either read them or say why not. `heavy` ones are large, or cost a good parser seconds, too.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rocamadre.testing import hostile_office, hostile_pdf, hostile_text
from rocamadre.testing.documents import make_docx, make_pdf, make_xlsx, paragraph, row
from rocamadre.testing.slides import make_pptx, make_scan, slide


@dataclass(frozen=True)
class Hostile:
    """A file.

    Attributes:
        what: What is wrong with it.
        name: A file name, itself hostile at times.
        make: Its bytes.
    """

    what: str
    name: str
    make: Callable[[], bytes]
    heavy: bool = False


MAIL = (
    b"From: a@example.org\nTo: b@example.org\nSubject: Good\nMIME-Version: 1.0\n"
    b"Content-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: text/plain\n\nGood words.\n"
    b"--B\nContent-Type: text/csv\nContent-Disposition: attachment; filename=a.csv\n\na,b\n1,2\n--B--\n"
)


def good_files() -> dict[str, bytes]:
    """A good file of each format; the word `Good` is in all but the scan."""
    return {
        "a.pdf": make_pdf(["Good words", "and more of them"]),
        "a.docx": make_docx(paragraph("Good words") * 5),
        "a.xlsx": make_xlsx({"S": row(1, {"A": "Good", "B": "words"}) + row(2, {"A": "1", "B": "2"})}),
        "a.pptx": make_pptx([slide("Good", ["words"])]),
        "a.html": "<html><body><h1>Good</h1><p>words &amp; más</p></body></html>".encode(),
        "a.md": "# Good\n\nwords ñ\n\n| a | b |\n|---|---|\n| 1 | 2 |\n".encode(),
        "a.csv": "Good,words\n1,ñ\n2,3\n".encode(),
        "a.json": '{"Good": ["words", {"ñ": 1.5}]}'.encode(),
        "a.jsonl": b'{"Good": 1}\n{"Good": 2}\n',
        "a.eml": MAIL,
        "a.txt": "Good words. Palabras buenas, coração.".encode(),
        "scan.pdf": make_scan([(8, 8, bytes(64))]),
    }


def hostile_files(seed: int = 7) -> list[Hostile]:
    """All of them; those of the same name differ in what is wrong."""
    files = [*_damaged(random.Random(seed)), *_misnamed()]
    for module in (hostile_pdf, hostile_office, hostile_text):
        files += [Hostile(what, name, make, heavy) for what, name, make, heavy in module.cases()]
    return files


def _damaged(chance: random.Random) -> Iterator[Hostile]:
    """Each good file cut off, with changed bytes, with parts missing, doubled, and after rubbish."""
    for name, data in good_files().items():
        for part in (0.1, 0.5, 0.9):
            yield _fixed(f"cut off after {part:.0%}", name, data[: int(len(data) * part)])
        changed = bytearray(data)
        for _ in range(max(1, len(data) // 50)):
            changed[chance.randrange(len(data))] = chance.randrange(256)
        yield _fixed("changed bytes", name, bytes(changed))
        start = chance.randrange(len(data) // 2)
        yield _fixed("a part missing", name, data[:start] + data[start + len(data) // 4 :])
        yield _fixed("zeros in the middle", name, data[: len(data) // 2] + bytes(500) + data[len(data) // 2 :])
        yield _fixed("twice", name, data + data)
        yield _fixed("after rubbish", name, chance.randbytes(300) + data)


def _misnamed() -> Iterator[Hostile]:
    """Good files under names that are wrong, or that look like paths and commands."""
    good = good_files()
    names = list(good)
    for place, name in enumerate(names):
        other = names[(place + 5) % len(names)]
        yield _fixed(f"{name} under another's name", other, good[name])
    for name in (
        "../../../../etc/passwd",
        "/etc/shadow.pdf",
        "a\0.txt",
        "con.docx",
        "-rf.txt",
        "$(reboot).md",
        "a" * 5000 + ".txt",
        "\u202etxt.exe",
        "..",
        "a.pdf/",
        "file:///etc/passwd",
        "a\nb.csv",
        "\ud800.txt".encode("utf-8", "replace").decode(),
    ):
        yield _fixed("a hostile name", name, good["a.txt"])
    for ending in ("pdf", "docx", "xlsx", "pptx", "html", "md", "csv", "json", "jsonl", "eml", "txt", "png", "xls"):
        yield _fixed("empty", f"empty.{ending}", b"")
        yield _fixed("only white space", f"white.{ending}", b" \n\t\r\n " * 10)


def _fixed(what: str, name: str, data: bytes) -> Hostile:
    return Hostile(what, name, lambda: data)
