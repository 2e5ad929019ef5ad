"""The network, in torch: convolutions over a passage whose words know which words of the question they are like."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout as drop
from torch.nn.functional import glu

from rocamadre.knowledge.answers.extractor.features import PAIR_FEATURES, PASSAGE_FEATURES, QUESTION_FEATURES
from rocamadre.knowledge.answers.extractor.network import LONGEST
from rocamadre.knowledge.answers.extractor.space import DIMENSIONS


class Net(nn.Module):
    """Scores of starts and ends, and of there being no answer."""

    def __init__(self, common: int, *, word: int = 64, own: int = 24, hidden: int = 64, layers: int = 3,
                 rate: float = 0.15) -> None:  # fmt: skip
        super().__init__()
        self.rate = rate
        self.word = nn.Linear(DIMENSIONS, word, bias=False)
        self.own = nn.Embedding(common, own)
        nn.init.normal_(self.own.weight, std=0.1)
        self.align = nn.Linear(word, word)
        self.asked = nn.Conv1d(word + own + QUESTION_FEATURES, hidden, 3, padding=1)
        self.gist = nn.Linear(hidden, 1)
        self.inner = nn.Linear(3 * word + own + PASSAGE_FEATURES, hidden)
        self.gate = nn.Linear(hidden, hidden)
        self.layers = nn.ModuleList(
            nn.Conv1d(hidden, 2 * hidden, 3, padding=1 << k, dilation=1 << k) for k in range(layers)
        )
        self.start = nn.Linear(hidden, 2 * hidden)
        self.end = nn.Linear(hidden, 2 * hidden)
        self.ends = nn.Linear(PASSAGE_FEATURES + own, 2)
        self.none_look = nn.Linear(2 * hidden, 1)
        self.none_in = nn.Linear(3 * hidden + PAIR_FEATURES, 48)
        self.none_out = nn.Linear(48 + 4, 1)

    def forward(self, b: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Start and end scores (batch, words; -1e4 beyond the passage's end), and that of no answer (batch)."""
        rate = self.rate if self.training else 0.0
        q_mask, p_mask = b["q_mask"], b["p_mask"]
        words = self.word(b["vectors"])
        q_words, p_words = self._drop(words[b["q_rows"]], rate), self._drop(words[b["p_rows"]], rate)
        q_own, p_own = self._drop(self.own(b["q_common"]), rate), self._drop(self.own(b["p_common"]), rate)
        q_key = torch.relu(self.align(q_words))
        p_key = torch.relu(self.align(p_words)) * self.align.out_features**-0.5
        likeness = (p_key @ q_key.transpose(1, 2)).masked_fill(~q_mask[:, None], -1e4)
        aligned = torch.softmax(likeness, 2) @ q_words
        q = torch.cat((q_words, q_own, b["q_features"]), 2) * q_mask[..., None]
        q = torch.relu(self.asked(q.transpose(1, 2))).transpose(1, 2)
        gist = (torch.softmax(self.gist(q)[..., 0].masked_fill(~q_mask, -1e4), 1)[..., None] * q).sum(1)
        gist = drop(gist, rate)
        inner = self.inner(torch.cat((p_words, aligned, p_words * aligned, p_own, b["p_features"]), 2))
        first = torch.relu(inner) * (1 + torch.tanh(self.gate(gist)))[:, None]
        shown = p_mask[:, None].to(first.dtype)
        values = first.transpose(1, 2) * shown
        for layer in self.layers:
            values = (values + drop(glu(layer(values), 1), rate)) * shown
        whole = torch.cat((first, values.transpose(1, 2)), 2)
        near = self.ends(torch.cat((b["p_features"], p_own), 2))
        start = (whole * self.start(gist)[:, None]).sum(2) + near[..., 0]
        end = (whole * self.end(gist)[:, None]).sum(2) + near[..., 1]
        start, end = start.masked_fill(~p_mask, -1e4), end.masked_fill(~p_mask, -1e4)
        share = torch.softmax(self.none_look(whole)[..., 0].masked_fill(~p_mask, -1e4), 1)
        pooled = (share[..., None] * whole).sum(1)
        inner = torch.relu(self.none_in(torch.cat((pooled, gist, b["facts"]), 1)))
        points = torch.stack((start.max(1).values, end.max(1).values, start.logsumexp(1), end.logsumexp(1)), 1)
        return start, end, self.none_out(torch.cat((inner, points), 1))[:, 0]

    @staticmethod
    def _drop(values: Tensor, rate: float) -> Tensor:
        """The same numbers are left out of each word of a text."""
        return values * drop(torch.ones_like(values[:, :1]), rate) if rate else values


def loss_of(start: Tensor, end: Tensor, none: Tensor, golds: list[tuple[tuple[int, int], ...]]) -> Tensor:
    """One distribution over all spans of a passage and none (Clark & Gardner, ACL 2018)."""
    total = torch.logaddexp(start.logsumexp(1) + end.logsumexp(1), none)
    most = max(1, *(len(spans) for spans in golds))
    first = torch.tensor([[a for a, _ in spans] + [0] * (most - len(spans)) for spans in golds])
    last = torch.tensor([[b for _, b in spans] + [0] * (most - len(spans)) for spans in golds])
    held = torch.tensor([[True] * len(spans) + [False] * (most - len(spans)) for spans in golds])
    scores = (start.gather(1, first) + end.gather(1, last)).masked_fill(~held, -1e9)
    right = torch.where(held.any(1), scores.logsumexp(1), none)
    return (total - right).mean()


def best(start: Tensor, end: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The best span of each passage, at most `LONGEST` words, and its score."""
    count = start.shape[1]
    scores = start[:, :, None] + end[:, None, :]
    allowed = torch.ones(count, count, dtype=torch.bool).triu().tril(LONGEST - 1)
    scores = scores.masked_fill(~allowed, -1e9).flatten(1)
    top = scores.max(1)
    return top.indices // count, top.indices % count, top.values
