"""The editions of roca-mini: shape, tokenizer, and what is read in which order.

One code path trains them all; they differ in sizes and budgets only.
"""

from dataclasses import dataclass, field, replace

from network import Shape

TEXT = {"en": 27.0, "es": 20.0, "pt": 20.0, "parallel": 8.0}
"""Language shares of pre-training. The first edition's perplexity per byte on the same news in three languages (7.5 en,
8.4 es, 8.2 pt) says that Spanish and Portuguese need as much as English; they have half its text, so they get a share
between that and the third each would need."""
MADE = {
    "repeat": 8.0, "echo": 3.0, "lookup": 3.0, "counterfactual": 2.0, "extraction": 3.0, "records": 2.0,
    "tool_call": 2.0, "any_tool": 3.0, "sums": 1.5, "dates": 1.0, "sentiment": 2.0, "topic": 1.0,
    "toxicity": 1.0, "rewriting": 1.5,
    "copying": 1.0, "dialogue": 1.5, "greeting": 0.3,
}  # fmt: skip
"""Shares of the made-up tasks, relative to each other."""
READ = {
    "grounded": 10.0, "swapped": 4.0, "sentences": 6.0, "quotes": 4.0, "translation": 5.0, "pivot": 3.0,
    "instructions": 4.0, "intents": 1.5, "dialogue_calls": 1.5, "summaries": 2.0, "titles": 0.5, "mending": 1.5,
}  # fmt: skip
"""The same for tasks made from the allowed sets."""


def shares(total: float, parts: dict[str, float]) -> dict[str, float]:
    """`parts` scaled to sum up to `total`."""
    whole = sum(parts.values())
    return {name: total * part / whole for name, part in parts.items()}


@dataclass(frozen=True)
class Phase:
    """One stretch of training.

    Args:
        name: Its name in checkpoints and in the card.
        mix: Shares by group: a language or `parallel` (all its sources), the same with `!` (the best ones), or a task.
        rows: Rows of a batch.
        length: Tokens of a row.
        tokens: The budget.
        start: Learning-rate factor after the warm-up.
        end: The same at the end; straight in between.
        warmup: Part of the budget, 0 to 1.
        curve: `line`, or `cosine` from `start` to `end`.
    """

    name: str
    mix: dict[str, float]
    rows: int
    length: int
    tokens: int
    start: float = 1.0
    end: float = 1.0
    warmup: float = 0.0
    curve: str = "line"


@dataclass(frozen=True)
class Edition:
    """All that a run needs to know; `matrix_rate` and `vector_rate` are the peaks for Muon and AdamW."""

    name: str
    shape: Shape
    phases: tuple[Phase, ...]
    conversations: int
    """Rows made of each task with a share of 1."""
    matrix_rate: float = 0.02
    vector_rate: float = 0.003
    rates: dict[str, float] = field(default_factory=dict)

    def with_budget(self, factor: float) -> "Edition":
        """The same with every phase's tokens times `factor`."""
        phases = tuple(replace(phase, tokens=max(1, int(phase.tokens * factor))) for phase in self.phases)
        return replace(self, phases=phases)


def life(*, tokens: tuple[int, int, int], rows: tuple[int, int, int], lengths: tuple[int, int, int]) -> tuple:
    """Pre-training at a constant rate, annealing on the best texts, instruction tuning."""
    best = {f"{language}!": share for language, share in TEXT.items()}
    return (
        Phase("pretrain", {**shares(75, TEXT), **shares(15, MADE), **shares(10, READ)},
              rows[0], lengths[0], tokens[0], warmup=0.02),
        Phase("anneal", {**shares(55, best), **shares(22, MADE), **shares(23, READ)},
              rows[1], lengths[1], tokens[1], start=1.0, end=0.2),
        Phase("instruct", {**shares(12, best), **shares(42, MADE), **shares(46, READ)},
              rows[2], lengths[2], tokens[2], start=0.3, end=0.0, warmup=0.03),
    )  # fmt: skip


CPU = Edition(
    "cpu",
    Shape(),
    life(tokens=(24_000_000, 6_000_000, 10_000_000), rows=(24, 12, 12), lengths=(256, 512, 512)),
    conversations=1_500,
)
GPU = Edition(
    "gpu",
    Shape(vocabulary=8192, hidden=512, layers=8, heads=8, kv_heads=4, feed_forward=1536),
    life(tokens=(650_000_000, 150_000_000, 150_000_000), rows=(128, 64, 64), lengths=(512, 1024, 2048)),
    conversations=6_000,
    matrix_rate=0.015,
    vector_rate=0.002,
)
TEST = Edition(
    "test",
    Shape(vocabulary=2048, hidden=256, layers=3, heads=4, kv_heads=2, feed_forward=512),
    life(tokens=(4_000_000, 1_000_000, 2_000_000), rows=(32, 16, 16), lengths=(128, 256, 384)),
    conversations=400,
)
SMOKE = Edition(
    "smoke",
    Shape(vocabulary=512, hidden=64, layers=2, heads=2, kv_heads=1, feed_forward=128, context=256),
    life(tokens=(12_288, 2_560, 12_288), rows=(8, 4, 4), lengths=(64, 128, 256)),
    conversations=12,
)
EDITIONS = {edition.name: edition for edition in (CPU, GPU, TEST, SMOKE)}
