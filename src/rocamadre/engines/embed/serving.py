"""What every process that holds an embedding model does: take requests, embed their texts, answer.

Texts of all waiting requests are embedded together: the request with the fewest texts left goes first, so that a query
does not wait for a bulk load; within a round texts are sorted by length, so that little padding is computed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rocamadre.engines.childside import Inbox
from rocamadre.engines.embed.windows import windows

ROUND_TEXTS = 64
Vectors = npt.NDArray[np.float32]


class Encoder(Protocol):
    """A model that is loaded.

    Attributes:
        dimensions: Of its vectors.
        max_tokens: What it reads of a text.
        window_tokens: What it reads at a time of a text that is to be reranked.
        batch_texts: Most texts that `embed` is given at once.
        batch_tokens: Most tokens, counting each text as long as the longest.
    """

    dimensions: int
    max_tokens: int
    window_tokens: int
    batch_texts: int
    batch_tokens: int

    def token_ids(self, texts: list[str]) -> list[list[int]]:
        """Tokens of each text, with the model's first and last token, not truncated."""

    def truncate(self, ids: list[int]) -> list[int]:
        """The tokens that the model reads."""

    def embed(self, batch: list[list[int]]) -> Vectors:
        """Unit vectors of token ids already truncated."""


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


def serve(model: Encoder, inbox: Inbox) -> None:
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


def _begin(model: Encoder, inbox: Inbox, frame: tuple[int, str, Any]) -> _Job | None:
    request, kind, texts = frame
    if kind not in ("embed", "rerank"):
        inbox.finish(request, "invalid", f"an embedding model does not {kind}")
        return None
    tokens = model.token_ids(texts)
    truncated = [len(ids) > model.max_tokens for ids in tokens]
    spans: list[int] = []
    if kind == "rerank":
        query, *others = tokens
        pieces = [windows(ids, model.window_tokens) for ids in others]
        spans = [len(each) for each in pieces]
        tokens = [query, *(piece for each in pieces for piece in each)]
    tokens = [model.truncate(ids) for ids in tokens]
    vectors = np.empty((len(tokens), model.dimensions), np.float32)
    left = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
    return _Job(request, tokens, truncated, vectors, spans, left)


def _round(model: Encoder, jobs: list[_Job]) -> None:
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
        while end < len(picked) and _fits(model, picked, start, end):
            end += 1
        vectors = model.embed([job.tokens[index] for job, index in picked[start:end]])
        for row, (job, index) in enumerate(picked[start:end]):
            job.vectors[index] = vectors[row]
        start = end


def _fits(model: Encoder, picked: list[tuple[_Job, int]], start: int, end: int) -> bool:
    """Whether the text at `end` may join the batch that begins at `start`; it would be its longest."""
    job, index = picked[end]
    size = end + 1 - start
    return size <= model.batch_texts and size * len(job.tokens[index]) <= model.batch_tokens
