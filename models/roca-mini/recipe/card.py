"""Write card.md from what was measured: scores.json, the last checkpoint's progress, and the table of sources.

    python models/roca-mini/recipe/card.py [--work build/roca-mini] [--hardware "..."]

Without the run's folder the budget is taken from budget.json, which the run leaves beside the card.
"""

# ruff: noqa: E501 - Markdown text

import argparse
import json
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

import corpus
import loop
from network import Shape

MODEL_FOLDER = Path(__file__).resolve().parents[1]
SHARE_ALIKE = "SA"
STAGES = (
    ("pretrain", "Pre-training, rows of 512"),
    ("copy", "Copying, rows of 96"),
    ("instruct", "Instruction tuning, rows of 512"),
)
HEAD = """---
license: apache-2.0
language:
- en
- es
- pt
---
# roca-mini

A decoder language model of {parameters} parameters for English, Spanish and Portuguese, the default text model of
Rocamadre (`rocamadre.roca-mini-v1:0`). Served from `roca-mini-q8_0.gguf` ({megabytes} MB); tuning starts from the
dequantised weights of the same file, so what is tuned is what is served.

**First edition, trained for 70 minutes on one thread of a CPU. It proves that the whole path works (data, tokenizer,
training, export, serving, scoring) and nothing more: it is not a usable assistant.** Its sentences are mostly broken, it
knows no facts, it answers almost no question from a passage rightly and scores below trivial baselines (table below).
What it has learnt are forms: to refuse in a fixed sentence, to write JSON and tool calls in the shape it was shown, and,
just begun when the time was up, to copy a name from a short text.

| | |
|---|---|
| Shape | Llama: hidden {hidden}, {layers} layers, {heads} heads, {kv_heads} key/value heads, feed-forward {feed_forward}, tied embeddings |
| Tokenizer | byte-level BPE, {vocabulary} tokens, made for the three languages in equal parts |
| Context | {context} tokens by position; trained on pieces of 512, so expect less beyond that |
| Chat template | ChatML turns; `tools` and `documents` in the system turn; calls as `<tool_call>` JSON |
| Licence | Apache-2.0 for the weights and the recipe; the training texts keep theirs (below) |
"""
LIMITS = """## Limits and risks

- The training budget above is a million times smaller than that of models people are used to. It will state falsehoods
  in a sure tone. Check everything; do not use it for decisions about people, health, law or money.
- It refuses most questions with one fixed sentence, whether the text has the answer or not; its refusal score is no better
  than always refusing. Below 50 in sentiment means that it often says something else than one of the two words.
- Its perplexity is worse than after pre-training alone: the last stages had little plain text.
- Bias: the texts are an encyclopedia of 2019, school books, software manuals and novels of the 19th century. Those
  novels carry the views of their time on women, race, religion and class, and the model has no safety tuning and no
  filter of its own. Its bias and toxicity have not been measured in this edition. Use guardrails in front of it.
- Spanish and Portuguese lean to manuals and old novels; part of their question sets is machine-translated, and the
  made-up training rows are few in form. Portuguese is Brazilian for the most part.
- Summaries were taught only on service dialogues with summaries made by a pattern, since the known summary sets forbid
  commercial use; see the score beside the first twenty words.
"""
METHOD = """## How the scores were taken

Greedy answers of the served Q8_0 file, free generation without a grammar, fixed random samples, 95 % intervals by
resampling. Grounded QA: questions on test articles (one in five, by a hash of the title, the same in every language; none
of them was trained on, and training texts sharing thirteen words in a row with a test passage were dropped). Refusal F1: how
well it refuses where the text has no answer; half the questions have none (in Portuguese: a passage of another article),
and always refusing would score what is said beside it. DialogSum (NC), SST-2 and PLUE (licence unstated or GPL) are
measured on only, never trained on. "Trained form": the same pattern as in training with other people and values.
Repeat with `make scores`.
"""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="the run's folder, to read what was spent")
    parser.add_argument("--hardware", default="one thread of a shared Intel Xeon CPU, float32, no GPU")
    return parser.parse_args()


def budget(work: Path | None, hardware: str) -> dict:
    """What the run spent: read from its checkpoint and kept, or as kept before."""
    path = MODEL_FOLDER / "budget.json"
    if work is not None:
        progress = asdict(loop.read_progress(work / "checkpoint.safetensors"))
        shards = {name: json.loads((work / f"{name}.json").read_text()) for name in ("pretrain", "instruct")}
        note = json.loads(path.read_text(encoding="utf-8")).get("note", "") if path.is_file() else ""
        kept = {
            "note": note,
            "hardware": hardware,
            "progress": progress,
            "learnt share": round(shards["instruct"]["learnt"], 3),
        }
        path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def budget_text(spent: dict) -> str:
    progress = spent["progress"]
    lines = [
        "## What was spent",
        "",
        "| Stage | Tokens read | Minutes | Last loss (nats per token) |",
        "|---|---|---|---|",
    ]
    for stage, name in STAGES:
        tokens, minutes = progress["tokens"][stage], progress["seconds"][stage] / 60
        lines.append(f"| {name} | {tokens:,} | {minutes:.0f} | {progress['losses'][stage]:.2f} |")
    share = 100 * spent["learnt share"]
    lines += [
        "",
        f"Hardware: {spent['hardware']}. {progress['steps']:,} steps of Muon (matrices) and AdamW (the rest), no preference",
        f"tuning. In instruction tuning the loss is taken on answers and on some plain text, {share:.0f} % of its tokens.",
        "Minutes include compiling and what other work on the machine took; work lost when the run was killed and restarted",
        "(some minutes in all) is in neither column. The share of learnt tokens is that of the last instruction mix.",
        *(["", spent["note"]] if spent.get("note") else []),
    ]
    return "\n".join(lines) + "\n"


def scores_text(result: dict) -> str:
    lines = ["## Scores", "", "| | Score | 95 % interval | Rows |", "|---|---|---|---|"]
    for name, score in result["scores"].items():
        between = f"{score['low']} to {score['high']}" if "low" in score else ""
        rows = score.get("rows", f"{score.get('bytes', 0):,} bytes")
        beside = f" (always refusing: {score['always refusing']})" if "always refusing" in score else ""
        lines.append(f"| {name}{beside} | {score['value']} | {between} | {rows} |")
    lines += [
        "",
        f"Taken on {result['date']} through {result['through']}; file sha256 `{result['model sha256'][:16]}`.",
    ]
    return "\n".join(lines) + "\n"


def data_text() -> str:
    """Every source with licence and credit; the share-alike ones named as such."""
    lines = [
        "## Data and credits",
        "",
        "None of the text is in this repository. Sets marked NC, GPL, unstated or for measuring only were not used.",
        "",
        "| Set | Languages | Licence | Credit |",
        "|---|---|---|---|",
    ]
    grouped: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for entry in corpus.SOURCES:
        grouped[(entry.language, entry.licence, entry.credit)].append(entry.path.split(".")[0])
    for (language, licence, credit), paths in grouped.items():
        lines.append(f"| {', '.join(paths)} | {language} | {licence} | {credit} |")
    shared = sorted({entry.path.split(".")[0] for entry in corpus.SOURCES if SHARE_ALIKE in entry.licence})
    lines += ["", f"Share-alike sets among them: {', '.join(shared)}.", ""]
    lines += [
        "Licences: [CC-BY-4.0](https://creativecommons.org/licenses/by/4.0/), "
        "[CC-BY-3.0](https://creativecommons.org/licenses/by/3.0/), "
        "[CC-BY-2.0](https://creativecommons.org/licenses/by/2.0/fr/), "
        "[CC-BY-SA-4.0](https://creativecommons.org/licenses/by-sa/4.0/), "
        "[CC-BY-SA-3.0](https://creativecommons.org/licenses/by-sa/3.0/), "
        "[CC-BY-SA-2.5](https://creativecommons.org/licenses/by-sa/2.5/). The texts were tokenised, cut and mixed."
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    chosen = arguments()
    shape = Shape()
    size = (MODEL_FOLDER / "roca-mini-q8_0.gguf").stat().st_size
    head = HEAD.format(
        parameters="7.3 million",
        megabytes=f"{size / 1e6:.1f}",
        **{**shape.as_dict(), "vocabulary": f"{shape.vocabulary:,}"},
    )
    result = json.loads((MODEL_FOLDER / "scores.json").read_text(encoding="utf-8"))
    parts = (head, budget_text(budget(chosen.work, chosen.hardware)), scores_text(result), METHOD, LIMITS, data_text())
    partial = MODEL_FOLDER / "card.md.partial"
    partial.write_text("\n".join(parts), encoding="utf-8")
    partial.replace(MODEL_FOLDER / "card.md")
    print(f"written: {MODEL_FOLDER / 'card.md'}")


if __name__ == "__main__":
    main()
