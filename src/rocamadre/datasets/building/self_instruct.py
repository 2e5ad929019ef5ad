"""New instructions with answers, from a few seeds, by a model's own words.

Source: Wang et al. 2023, "Self-Instruct", arXiv:2212.10560. Each step shows the model six seeds and two of its own,
asks for more, has each answered, and keeps what passes the filters: not too like (ROUGE-L over 0.7) any that is there,
neither too short nor too long, no repetition, no refusal. The prompts are ours; classification is not treated apart.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.building.answers import bad_answer, bad_instruction, listed
from rocamadre.datasets.building.asking import Ask, Journal, Made, Shown
from rocamadre.datasets.building.rouge import Similar, words

_SEEDS, _OWN, _NEW = 6, 2, 8
_MAX_TOKENS = 512


def self_instruct(
    seeds: Sequence[Made],
    ask: Ask,
    journal: Journal,
    *,
    count: int,
    seed: int = 0,
    temperature: float = 0.7,
    most_steps: int = 0,
    max_tokens: int = _MAX_TOKENS,
    show: Shown = lambda _: None,
) -> list[Made]:
    """Make records until there are enough, or the steps are used up; called again it goes on where the journal ends.

    Args:
        seeds: At least one.
        ask: The model.
        journal: What earlier calls made.
        count: How many are wanted.
        seed: Another one picks otherwise.
        temperature: Of the new instructions; answers are greedy.
        most_steps: At most; 0: four for each record wanted.
        max_tokens: Of one answer.
        show: Called after each step.

    Returns:
        At most `count`, in the order in which they were made.

    Raises:
        InvalidRequest: there is no seed.
    """
    if not seeds:
        raise InvalidRequest("there is no seed; give at least one instruction with its answer")
    progress = journal.progress
    similar = Similar()
    for each in (*seeds, *progress.made):
        similar.add(each.instruction)
    most_steps = most_steps or 4 * count
    while len(progress.made) < count and progress.step < most_steps:
        chance = random.Random(f"{seed}/{progress.step}")
        number = chance.randrange(2**31)
        answer = ask(_prompt(seeds, progress.made, chance), max_tokens=max_tokens, temperature=temperature, seed=number)
        made: list[Made] = []
        dropped: Counter[str] = Counter()
        found = listed(answer.text)
        if not found:
            dropped["no list of instructions"] += 1
        for instruction in found if answer.whole else found[:-1]:
            why = bad_instruction(instruction) or ("too like another" if similar.like(instruction) else "")
            if not why:
                reply = ask(instruction, max_tokens=max_tokens, temperature=0.0, seed=number)
                why = bad_answer(instruction, reply.text, whole=reply.whole)
            if why:
                dropped[why] += 1
                continue
            made.append(Made(instruction, "", reply.text))
            similar.add(instruction)
            if len(progress.made) + len(made) >= count:
                break
        journal.note(made, dropped)
        show(progress)
    return progress.made[:count]


def _prompt(seeds: Sequence[Made], own: Sequence[Made], chance: random.Random) -> str:
    shown = chance.sample(list(seeds), min(_SEEDS, len(seeds)))
    shown += chance.sample(list(own), min(_OWN, len(own)))
    chance.shuffle(shown)
    lines = [f"{number}. {_one_line(each)}" for number, each in enumerate(shown, start=1)]
    return (
        "These are tasks that people give to an assistant.\n\n"
        + "\n".join(lines)
        + f"\n\nWrite {_NEW} more tasks, each different from all of these in its subject and in what it asks for. Use "
        "the same languages. Write each on one line with its number, complete in itself, and nothing else."
    )


def _one_line(each: Made) -> str:
    text = " ".join(f"{each.instruction} {each.input}".split())
    return text if len(words(text)) <= 80 else " ".join(text.split()[:80]) + " …"
