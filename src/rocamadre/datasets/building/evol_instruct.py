"""Instructions made harder, or others of their kind, by a model's own words.

Source: Xu et al. 2023, "WizardLM", arXiv:2304.12244: five ways into depth, one into breadth, and the rules by which an
evolution is given up (it says nothing new; the answer is a refusal, or signs only; words of our prompt came along). An
instruction whose evolution failed waits for the next round. The prompts are ours.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.building.answers import bad_answer, bad_instruction
from rocamadre.datasets.building.asking import Ask, Journal, Made, Shown
from rocamadre.datasets.building.rouge import Similar

WAYS = {
    "constrain": "adds one condition or requirement that the answer must meet",
    "deepen": "asks for more depth or breadth in the matter it is about",
    "concretise": "puts particular things, names or numbers in the place of general notions",
    "reason": "can only be answered by thinking in several steps",
    "complicate": "comes with a piece of data (a table, a text, a list, some code) that the answer must work on",
}
_BREADTH = "breadth"
_MAX_TOKENS = 512
_OURS = re.compile(r"(?i)\b(?:given|original|new|rewritten|created|evolved) (?:task|prompt|instruction)s?\b|#\w+#")
_TAGS = re.compile(r"(?i)^\s*(?:(?:the )?(?:new |rewritten )?(?:task|prompt|instruction)\s*:)\s*|^[\"“]|[\"”]$")


def evol_instruct(
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
    """Evolve instructions until there are enough; arguments and result as `self_instruct`.

    A step evolves one instruction: the seeds one after another, then what came of them.

    Raises:
        InvalidRequest: there is no seed.
    """
    if not seeds:
        raise InvalidRequest("there is no seed; give at least one instruction with its answer")
    progress = journal.progress
    similar = Similar(threshold=0.95)
    for each in (*seeds, *progress.made):
        similar.add(each.instruction)
    most_steps = most_steps or 4 * count
    while len(progress.made) < count and progress.step < most_steps:
        chance = random.Random(f"{seed}/{progress.step}")
        pool = [*seeds, *progress.made]
        source = pool[progress.step % len(pool)]
        found, why = _evolved(source, ask, chance, similar, temperature=temperature, max_tokens=max_tokens)
        made = [found] if found is not None else []
        if found is not None:
            similar.add(found.instruction)
        journal.note(made, Counter([why] if why else []))
        show(progress)
    return progress.made[:count]


def _evolved(
    source: Made, ask: Ask, chance: random.Random, similar: Similar, *, temperature: float, max_tokens: int
) -> tuple[Made | None, str]:
    """One evolution, or why it was given up."""
    way = chance.choice([*WAYS, _BREADTH])
    number = chance.randrange(2**31)
    old = f"{source.instruction}\n\n{source.input}".strip()
    written = ask(_prompt(old, way), max_tokens=max_tokens, temperature=temperature, seed=number)
    new = _TAGS.sub("", written.text).strip()
    if not written.whole:
        return None, "instruction cut off"
    if _OURS.search(new):
        return None, "words of the prompt came along"
    if not new or (why := bad_instruction(new)):
        return None, why if new else "instruction empty"
    if similar.like(new):
        return None, "nothing new"
    judged = ask(_compare(old, new), max_tokens=8, temperature=0.0, seed=number).text.lower()
    if judged.startswith("same"):
        return None, "nothing new"
    reply = ask(new, max_tokens=max_tokens, temperature=0.0, seed=number)
    if why := bad_answer(new, reply.text, whole=reply.whole):
        return None, why
    return Made(new, "", reply.text), ""


def _prompt(task: str, way: str) -> str:
    if way == _BREADTH:
        wish = (
            "Write one other task from the same field that is less common, about as long and as hard as this one, and "
            "possible for people to understand and answer."
        )
    else:
        wish = (
            f"Rewrite this task so that it {WAYS[way]}. It must stay one that people understand and can answer, keep "
            "any text, table or code that belongs to it, and grow by 10 to 20 words only."
        )
    return f"{wish}\nWrite the task itself and nothing else.\n\n{task}"


def _compare(old: str, new: str) -> str:
    return (
        "Do these two ask for the same, with the same conditions and the same depth? Answer with one word, same or "
        f"different.\n\nFirst: {old}\n\nSecond: {new}"
    )
