"""Write card.md from what was measured: scores.json, the last checkpoint's progress, and the table of sources.

    python models/roca-mini/recipe/card.py --work build/roca-mini/cpu [--hardware "..."]

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
from editions import EDITIONS
from network import Network

MODEL_FOLDER = Path(__file__).resolve().parents[1]
SHARE_ALIKE = "SA"
STAGES = {"pretrain": "Pre-training", "anneal": "Annealing on the best texts", "instruct": "Instruction tuning"}
HEAD = """---
license: apache-2.0
language:
- en
- es
- pt
---
# roca-mini

A decoder language model of {parameters:.1f} million parameters for English, Spanish and Portuguese, the default text model
of Rocamadre (`rocamadre.roca-mini-v1:0`), second edition. Served from `roca-mini-q8_0.gguf` ({megabytes:.1f} MB); tuning
starts from the dequantised weights of the same file, so what is tuned is what is served.

| | |
|---|---|
| Shape | Llama: hidden {hidden}, {layers} layers, {heads} heads, {kv_heads} key/value heads, feed-forward {feed_forward}, tied embeddings |
| Tokenizer | byte-level BPE, {vocabulary} tokens, made for the three languages in equal parts |
| Context | {context} tokens by position; trained on rows of up to {longest}, so expect less beyond that |
| Chat template | ChatML turns; `tools` and `documents` in the system turn; calls as `<tool_call>` JSON |
| Licence | Apache-2.0 for the weights and the recipe; the training texts keep theirs (below) |
"""
LIMITS = """## Limits and risks

- It is thousands of times smaller than the models people are used to. It will state falsehoods in a sure tone. Check
  everything; do not use it for decisions about people, health, law or money.
- What it can do are forms: the tasks of the table above, asked in about the words it was taught. Outside of them expect
  little.
- Bias and toxicity are measured above with a few own sentences a language (`recipe/harms.py`); the platform's filters are
  the judge, and they err. A good figure there proves nothing.
- The texts are an encyclopedia of 2019, school books, software manuals and novels of the 19th century. Those
  novels carry the views of their time on women, race, religion and class, and the model has no safety tuning and no
  filter of its own. Use guardrails in front of it.
- Spanish and Portuguese lean to manuals and old novels; part of their question sets is machine-translated, and the
  made-up training rows are few in form. Portuguese is Brazilian for the most part.
- Summaries were taught only on service dialogues with summaries made by a pattern and on made-up talks, since the known
  summary sets forbid commercial use; see the score beside the first twenty words.
- Sentiment, topic and toxicity were taught from word lists alone.
"""
METHOD = """## How the scores were taken

Greedy answers of the served Q8_0 file, free generation without a grammar, fixed random samples, 95 % intervals by
resampling. Grounded QA: questions on test articles (one in five, by a hash of the title, the same in every language; none
of them was trained on, and training texts sharing thirteen words in a row with a test passage were dropped). Refusal F1: how
well it refuses where the text has no answer; half the questions have none (in Portuguese: a passage of another article),
and always refusing would score what is said beside it. DialogSum (NC), SST-2 and PLUE (licence unstated or GPL) are
measured on only, never trained on, and so are BFCL's calls, the posts of the toxicity rows and Tatoeba's test sentences.
"Trained form": the same pattern as in training with other people and values.
Repeat with `make scores`.
"""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="the run's folder, to read what was spent")
    parser.add_argument("--hardware", default="one thread of a shared AMD EPYC (Zen 3) CPU, float32, no GPU")
    return parser.parse_args()


def budget(work: Path | None, hardware: str) -> dict:
    """What the run spent: read from its checkpoint and manifest and kept, or as kept before."""
    path = MODEL_FOLDER / "budget.json"
    if work is not None:
        progress = asdict(loop.read_progress(work / loop.CHECKPOINT))
        manifest = json.loads((work / "manifest.json").read_text(encoding="utf-8"))
        edition = json.loads((work / "edition.json").read_text(encoding="utf-8"))["edition"]
        kept = {"edition": edition, "hardware": hardware, "progress": progress, "manifest": manifest}
        path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def budget_text(spent: dict) -> str:
    progress, edition = spent["progress"], EDITIONS[spent["edition"]]
    lines = [
        "## What was spent",
        "",
        "| Stage | Rows of | Tokens read | Minutes | Last loss (nats per token) | Share of the peak arithmetic |",
        "|---|---|---|---|---|---|",
    ]
    for phase in edition.phases:
        tokens, minutes = progress["tokens"][phase.name], progress["seconds"][phase.name] / 60
        used = progress["utilisation"].get(phase.name, 0)
        lines.append(f"| {STAGES[phase.name]} | {phase.length} | {tokens:,} | {minutes:.0f} | "
                     f"{progress['losses'][phase.name]:.2f} | {100 * used:.0f} % |")  # fmt: skip
    passes = progress["passes"][edition.phases[0].name]
    most = max(passes, key=passes.get)
    lines += [
        "",
        f"Hardware: {spent['hardware']}. {progress['steps']:,} steps of Muon (matrices) and AdamW (the rest), no preference",
        "tuning. Of conversations, answers alone are learnt. The source read most often in pre-training is",
        f"`{most}` ({passes[most]:.1f} times). Hashes of the data files are in budget.json.",
    ]
    return "\n".join(lines) + "\n"


def scores_text(result: dict, before: dict) -> str:
    lines = ["## Scores", "", "| | Score | 95 % interval | Rows | Edition before |", "|---|---|---|---|---|"]
    for name, score in result["scores"].items():
        between = f"{score['low']} to {score['high']}" if "low" in score else ""
        rows = f"{score['bytes']:,} bytes" if "bytes" in score else score.get("rows", "")
        if "most" in score:
            between = f"most: {score['most']}; least: {score['least']}"
        beside = f" (always refusing: {score['always refusing']})" if "always refusing" in score else ""
        earlier = before.get(name, {}).get("value", "")
        lines.append(f"| {name}{beside} | {score['value']} | {between} | {rows} | {earlier} |")
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
    spent = budget(chosen.work, chosen.hardware)
    edition = EDITIONS[spent["edition"]]
    shape = edition.shape
    head = HEAD.format(
        parameters=Network(shape).parameter_count() / 1e6,
        megabytes=(MODEL_FOLDER / "roca-mini-q8_0.gguf").stat().st_size / 1e6,
        longest=max(phase.length for phase in edition.phases),
        **{**shape.as_dict(), "vocabulary": f"{shape.vocabulary:,}"},
    )
    result = json.loads((MODEL_FOLDER / "scores.json").read_text(encoding="utf-8"))
    first = MODEL_FOLDER / "scores-first.json"
    before = json.loads(first.read_text(encoding="utf-8"))["scores"] if first.is_file() else {}
    parts = (head, budget_text(spent), scores_text(result, before), METHOD, LIMITS, data_text())
    partial = MODEL_FOLDER / "card.md.partial"
    partial.write_text("\n".join(parts), encoding="utf-8")
    partial.replace(MODEL_FOLDER / "card.md")
    print(f"written: {MODEL_FOLDER / 'card.md'}")


if __name__ == "__main__":
    main()
