"""The process that holds an embedding model: `python -m rocamadre.engines.embed.child`, started by `EmbedEngine`.

Texts of all waiting requests are embedded together: the request with the fewest texts left goes first, so that a query
does not wait for a bulk load; within a round texts are sorted by length, so that little padding is computed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from rocamadre.core.errors import InvalidRequest, RocamadreError
from rocamadre.engines.childside import Inbox, begin, run
from rocamadre.engines.embed.windows import windows

DEFAULT_MAX_TOKENS = 256
ROUND_TEXTS = 64
BATCH_TOKENS = 1024
BATCH_TEXTS = 32
Vectors = npt.NDArray[np.float32]


class EmbeddingModel:
    """An encoder in ONNX Runtime with its tokenizer.

    Args:
        folder: Holds `tokenizer.json` and `model.onnx`, or `model.safetensors` and `config.json` to convert.
        threads: Of ONNX Runtime.

    Raises:
        InvalidRequest: a file is missing or cannot be read.
    """

    def __init__(self, folder: Path, *, threads: int) -> None:
        if not (folder / "model.onnx").exists():
            from rocamadre.engines.embed.export import export_bert  # noqa: PLC0415  (onnx slows every start)

            export_bert(folder, folder / "model.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # both libraries raise bare Exceptions for damaged files
            raise InvalidRequest(f"{folder}: {error}") from error
        self.max_tokens = _max_tokens(folder)
        self.dimensions = int(self._session.get_outputs()[0].shape[1])
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._last = self._tokenizer.encode("").ids[-1]

    def token_ids(self, texts: list[str]) -> list[list[int]]:
        """Tokens of each text, with the model's first and last token, not truncated."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]

    def truncate(self, ids: list[int]) -> list[int]:
        """The tokens that the model reads; the last one stays the model's own end token."""
        return ids if len(ids) <= self.max_tokens else [*ids[: self.max_tokens - 1], self._last]

    def embed(self, batch: list[list[int]]) -> Vectors:
        """Unit vectors, float32 (texts, dimensions), of token ids already truncated, none empty."""
        longest = max(map(len, batch))
        ids = np.zeros((len(batch), longest), np.int32)
        mask = np.zeros((len(batch), longest), np.int32)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        vectors: Vectors = self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return vectors


def _max_tokens(folder: Path) -> int:
    try:
        read = msgspec.json.decode((folder / "sentence_bert_config.json").read_bytes())
        return int(read["max_seq_length"])
    except (OSError, KeyError, msgspec.MsgspecError):
        return DEFAULT_MAX_TOKENS


@dataclass(slots=True)
class _Job:
    """A request under way: its texts' tokens, those still to do longest last, and its vectors so far.

    Attributes:
        spans: With a request to rerank, how many windows each text after the query has; else empty.
    """

    request: int
    tokens: list[list[int]]
    truncated: list[bool]
    vectors: Vectors
    spans: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)

    def answer(self) -> Any:
        """Vectors with what is known of them, or the greatest cosine of each text's windows with the query."""
        if not self.spans:
            return self.vectors.tobytes(), [len(ids) for ids in self.tokens], self.truncated
        cosines = self.vectors[1:] @ self.vectors[0]
        starts = np.cumsum([0, *self.spans[:-1]])
        return np.maximum.reduceat(cosines, starts).tolist()


def serve(model: EmbeddingModel, inbox: Inbox) -> None:
    """Answer `embed` and `rerank` requests until the parent is gone."""
    jobs: list[_Job] = []
    while True:
        while (frame := inbox.take(wait=not jobs)) is not None:
            if (job := _begin(model, inbox, frame)) is not None:
                jobs.append(job)
        jobs = [job for job in jobs if not inbox.cancelled(job.request)]
        _round(model, jobs)
        for job in [job for job in jobs if not job.left]:
            jobs.remove(job)
            inbox.finish(job.request, "done", job.answer())


def _begin(model: EmbeddingModel, inbox: Inbox, frame: tuple[int, str, Any]) -> _Job | None:
    request, kind, texts = frame
    if kind not in ("embed", "rerank"):
        inbox.finish(request, "invalid", f"an embedding model does not {kind}")
        return None
    tokens = model.token_ids(texts)
    truncated = [len(ids) > model.max_tokens for ids in tokens]
    spans: list[int] = []
    if kind == "rerank":
        query, *others = tokens
        pieces = [windows(ids, model.max_tokens) for ids in others]
        spans = [len(each) for each in pieces]
        tokens = [query, *(piece for each in pieces for piece in each)]
    tokens = [model.truncate(ids) for ids in tokens]
    vectors = np.empty((len(tokens), model.dimensions), np.float32)
    left = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
    return _Job(request, tokens, truncated, vectors, spans, left)


def _round(model: EmbeddingModel, jobs: list[_Job]) -> None:
    """Embed up to `ROUND_TEXTS` texts, those of the smallest requests first."""
    picked: list[tuple[_Job, int]] = []
    for job in sorted(jobs, key=lambda job: len(job.left)):
        take = min(len(job.left), ROUND_TEXTS - len(picked))
        picked += [(job, index) for index in job.left[len(job.left) - take :]]
        del job.left[len(job.left) - take :]
    picked.sort(key=lambda item: len(item[0].tokens[item[1]]))
    start = 0
    while start < len(picked):
        end = start + 1
        while end < len(picked) and _fits(picked, start, end):
            end += 1
        vectors = model.embed([job.tokens[index] for job, index in picked[start:end]])
        for row, (job, index) in enumerate(picked[start:end]):
            job.vectors[index] = vectors[row]
        start = end


def _fits(picked: list[tuple[_Job, int]], start: int, end: int) -> bool:
    """Whether the text at `end` may join the batch that begins at `start`; it would be its longest."""
    job, index = picked[end]
    size = end + 1 - start
    return size <= BATCH_TEXTS and size * len(job.tokens[index]) <= BATCH_TOKENS


def main() -> None:
    """Load, announce, serve."""
    spec, announcer = begin()
    try:
        model = EmbeddingModel(Path(spec["path"]), threads=spec["threads"])
        model.embed(model.token_ids(["warm"]))
    except RocamadreError as error:
        announcer.refuse(error)
    inbox = Inbox(spec["fd"])
    announcer.ready({"dimensions": model.dimensions, "max_tokens": model.max_tokens})
    serve(model, inbox)


if __name__ == "__main__":
    run(main)
