"""Reads one document in a process that can hurt nobody: `python -m rocamadre.documents.child`.

Standard input: a line of JSON with `format` and `limits`, then the file. Standard output: JSON, `parts` as lists of
kind, name and text, or `error`. Before a byte of the file is parsed, computing time and memory are limited, and so is
the number of open files: to none beyond the three that are open, which leaves neither files nor sockets to a parser
that was taken over.
"""

from __future__ import annotations

import codecs
import ctypes
import resource
import signal
import sys
import zipfile
import zlib
from collections.abc import Callable
from typing import Any
from xml.parsers.expat import ExpatError

import msgspec

from rocamadre.documents.pieces import Refused, Text
from rocamadre.documents.types import Limits

_PR_SET_PDEATHSIG = 1
_ENCODINGS = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "ascii", "latin-1", "cp437", "cp1252")


def limit(limits: Limits) -> None:
    """Bound this process."""
    for kind, bound in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        if hard == resource.RLIM_INFINITY or bound < hard:
            resource.setrlimit(kind, (bound, bound))


def load(format_: str) -> Callable[[bytes, Text, Limits], None]:
    """Import one reader and what it will need, while files can still be opened."""
    for name in _ENCODINGS:
        codecs.lookup(name)
    if format_ == "pdf":
        from rocamadre.documents.pdf import read_pdf as read  # noqa: PLC0415  (only the reader that is needed)
    elif format_ == "docx":
        from rocamadre.documents.docx import read_docx as read  # noqa: PLC0415
    else:
        from rocamadre.documents.xlsx import read_xlsx as read  # noqa: PLC0415
    return read


def answer(read: Callable[[bytes, Text, Limits], None], data: bytes, format_: str, limits: Limits) -> dict[str, Any]:
    """Parts, or a sentence that says why not."""
    text = Text(limits.characters)
    damaged = f"the document is damaged, or no {format_} file"
    try:
        read(data, text, limits)
    except Refused as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": f"reading the {format_} document takes over {limits.memory_bytes >> 20} MB of memory"}
    except RecursionError:
        return {"error": f"the {format_} document is nested too deeply"}
    except (zipfile.BadZipFile, zlib.error, EOFError, ExpatError, NotImplementedError) as error:
        return {"error": f"{damaged}: {type(error).__name__}"}
    except (ValueError, KeyError, IndexError, TypeError, ArithmeticError, OSError, RuntimeError):
        return {"error": damaged}
    return {"parts": text.parts}


def main() -> None:
    """The command."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    head = msgspec.json.decode(sys.stdin.buffer.readline())
    limits = Limits(**head["limits"])
    read = load(head["format"])
    data = sys.stdin.buffer.read()
    limit(limits)
    reply = answer(read, data, head["format"], limits)
    sys.stdout.buffer.write(msgspec.json.encode(reply))


if __name__ == "__main__":
    main()
