"""Training examples of the content filters: texts with what is known of each label."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from patterns import drawn, patterns, slots
from sources import BACKGROUND, LANGUAGES, SEED, intents, part, rows, sampled

LABELS = (
    "HATE",
    "INSULTS",
    "SEXUAL",
    "VIOLENCE",
    "MISCONDUCT",
    "PROMPT_ATTACK",
    "JAILBREAK",
    "PROMPT_INJECTION",
    "PROMPT_LEAKAGE",
)
KINDS = LABELS[6:]
HELD, CALIBRATING, TRAINING = 0, 1, 2


@dataclass
class Example:
    """A text; `values` per label: 1, 0, or -1 where nothing is known."""

    text: str
    language: str
    source: str
    values: list[int]
    role: int
    weight: float = 1.0
    extra: dict = field(default_factory=dict)


def values(positive=(), unknown=(), *, default: int = 0) -> list[int]:
    positive = set(positive)
    if positive & set(KINDS):
        positive.add("PROMPT_ATTACK")
        unknown = {*unknown, *(set(KINDS) - positive)}
    return [1 if each in positive else -1 if each in unknown else default for each in LABELS]


def role(key: str) -> int:
    return min(part(key), TRAINING)


def from_patterns(per_pattern: int, rng: random.Random) -> list[Example]:
    words = slots()
    found = []
    for pattern in patterns():
        labels = values(pattern.labels, pattern.unknown)
        texts = {drawn(pattern, words[pattern.language], rng) for _ in range(per_pattern)}
        source = "written" if pattern.labels else "written-benign"
        extra = {"pattern": pattern.line, "sitting": pattern.sitting, "near": pattern.near}
        found += [Example(text, pattern.language, source, labels, TRAINING, extra=extra) for text in sorted(texts)]
    return found


def moderation(data: Path) -> list[Example]:
    names = {
        "hate": "HATE",
        "hate/threatening": "HATE",
        "harassment": "INSULTS",
        "sexual": "SEXUAL",
        "violence": "VIOLENCE",
        "violence/graphic": "VIOLENCE",
    }
    found = []
    for row in rows(data / "moderation" / "moderation.jsonl"):
        labels = {names[each] for each in row["labels"] if each in names}
        unknown = {"MISCONDUCT"} if not row["safe"] else set()
        if labels & {"HATE", "VIOLENCE"}:
            unknown |= {"INSULTS"} - labels
        found.append(
            Example(
                row["text"],
                "en",
                "moderation",
                values(labels, unknown),
                TRAINING if part(row["text"], 2) else HELD,
                weight=3.0,
            )
        )
    return found


def tweets(data: Path) -> list[Example]:
    found = []
    for row in rows(data / "hate-davidson" / "tweets.jsonl.gz"):
        if row["label"] == "offensive" and part(row["text"], 25) > 6:
            continue
        text = re.sub(r"&#?\w+;|https?://\S+|@\w+|^[!\s]*RT\b|[\"!]{2,}", " ", row["text"]).strip()
        unknown = {"SEXUAL", "VIOLENCE"}
        if row["label"] == "hate":
            labels = values(["HATE"], unknown | {"INSULTS"})
        elif row["label"] == "offensive":
            aimed = re.search(r"\b(you|u|ur|your|youre|she|he)\b", text.lower()) and max(row["votes"]) == sum(
                row["votes"]
            )
            labels = values(
                ["INSULTS"] if aimed and part(text, 3) == 0 else [],
                unknown | {"INSULTS"} | ({"HATE"} if row["votes"][0] else set()),
            )
        else:
            labels = values([], unknown)
        found.append(
            Example(text, "en", "tweets", labels, role(row["text"]), 0.8 if row["label"] != "offensive" else 0.4)
        )
    return found


def told(data: Path) -> list[Example]:
    found = []
    for row in rows(data / "told-br" / "told-br.jsonl.gz"):
        votes = row["votes"]
        if max(votes.values()) < 2 and part(row["text"], 15) > 6:
            continue
        text = re.sub(r"@user|https?://\S+|\brt\b", " ", row["text"]).strip()
        hate = max(votes[each] for each in ("homophobia", "racism", "misogyny", "xenophobia"))
        positive = ({"HATE"} if hate >= 2 else set()) | ({"INSULTS"} if votes["insult"] >= 2 else set())
        unknown = {"SEXUAL", "VIOLENCE"} | ({"HATE"} if hate == 1 else set())
        if votes["insult"] == 1 or votes["obscene"] or hate:
            unknown |= {"INSULTS"}
        if not text or (row["toxic"] and not positive and part(text, 3)):
            continue
        found.append(Example(text, "pt", "told", values(positive, unknown - positive), role(row["text"]), 0.8))
    return found


def requests(data: Path) -> list[Example]:
    """Requests for misconduct, and attacks on prompts."""
    other = {"HATE", "INSULTS", "SEXUAL", "VIOLENCE"}
    found = []
    for row in rows(data / "advbench" / "advbench.jsonl"):
        found.append(Example(row["text"], "en", "advbench", values(["MISCONDUCT"], other), role(row["text"]), 2.0))
    bad = {
        "Privacy Violation Activity",
        "Malware Viruses",
        "Illegal Activity",
        "Physical Harm",
        "Economic Harm",
        "Fraud/Deception",
    }
    for row in rows(data / "catqa" / "catqa.jsonl"):
        if row["category"] == "Adult Content":
            labels = values(["SEXUAL"], {"MISCONDUCT", "HATE", "VIOLENCE"})
            found.append(Example(row["text"], "en", "catqa", labels, role(row["text"]), 2.0))
        elif row["category"] in bad:
            found.append(Example(row["text"], "en", "catqa", values(["MISCONDUCT"], other), role(row["text"]), 2.0))
    unknown = {*LABELS[:5]}
    for row in rows(data / "jailbreaks" / "inthewild.jsonl"):
        found.append(Example(row["text"], "en", "inthewild", values(["JAILBREAK"], unknown), role(row["text"]), 2.0))
    goals = {row["goal"]: row["category"] for row in rows(data / "jailbreaks" / "jailbreakbench.jsonl")}
    crimes = {"Malware/Hacking", "Fraud/Deception", "Privacy", "Economic harm", "Government decision-making"}
    for goal, category in goals.items():
        if category in crimes or category == "Sexual/Adult content":
            label = "MISCONDUCT" if category in crimes else "SEXUAL"
            found.append(Example(goal, "en", "goals", values([label], {*LABELS[:5]} - {label}), role(goal), 2.0))
    for row in rows(data / "jailbreaks" / "jailbreakbench.jsonl"):
        found.append(
            Example(row["text"], "en", "jailbreakbench", values(["JAILBREAK"], unknown), role(row["goal"]), 1.0)
        )
    for row in rows(data / "prompt-injection" / "deepset.jsonl"):
        labels = values(["PROMPT_INJECTION"] if row["label"] else [], unknown if row["label"] else ())
        found.append(Example(row["text"], "en", "deepset", labels, role(row["text"]), 2.0))
    for row in rows(data / "prompt-injection" / "cyberseceval.jsonl"):
        labels = values(["PROMPT_ATTACK"], unknown | set(KINDS))
        found.append(
            Example(row["user"], row["lang"], "cyberseceval", labels, TRAINING if part(row["user"], 2) else HELD, 1.5)
        )
    for row in rows(data / "prompt-injection" / "benign-security.jsonl"):
        found.append(Example(row["text"], row["lang"], "benign-security", values([]), role(row["text"]), 1.0))
    return found


_DOUBTFUL = re.compile(
    r"\b(?:kill|murder|di[ed]|dead|death|blood|shoot|shot|gun|bomb|knife|hit|beat|burn|stab|hurt|sex|naked|nude|kiss|bed\b|"
    r"stupid|idiot|fool|liar|pig|fat\b|ugly|hate|damn|shit|hell\b|wom[ae]n|black|jew|muslim|arab|gay|foreign|steal|stole|drug|"
    r"mat[aeoóéá]|muer|muri|asesin|sangr|dispar|pistola|bomba|cuchill|golpe|peg[aóu]|quem|sexo|desnud|bes[aoó]|cama\b|"
    r"est[uú]pid|idiota|tont|imb[eé]cil|gord|fe[ao]\b|odi|mierda|mujer|negr|jud[ií]|musulm|[aá]rabe|extranj|rob|droga|"
    r"mor[tr]|assass|sangue|tiro|arma|faca|bat[ei]|feri|nu[as]?\b|beij|burr|fei[oa]\b|[oó]dio|odei|merda|mulher|mu[cç]ulm|estrang)",
    re.IGNORECASE,
)


def sentence(text: str, language: str, english: str) -> Example:
    """One of Tatoeba's; nobody knows of those that hold a doubtful word how they were meant."""
    unknown = {"HATE", "INSULTS", "VIOLENCE", "SEXUAL"} if _DOUBTFUL.search(f"{text} {english}") else set()
    return Example(text, language, "tatoeba", values([], unknown), role(english), 0.5 if unknown else 1.0)


def everyday(data: Path, count: int) -> list[Example]:
    """Requests and sentences that nobody would block."""
    found = []
    asked = [row["instruction"] for row in rows(data / "dolly" / "dolly.jsonl.gz")]
    answered = [row["response"][:1500] for row in rows(data / "dolly" / "dolly.jsonl.gz")]
    asked += [row["instruction"] for row in rows(data / "self-instruct" / "seeds.jsonl")]
    asked += [text for text, _ in sampled(intents(data), 6000, "intents")]
    asked += [row["text"] for row in rows(data / "mbpp" / "mbpp.jsonl")]
    found += [Example(text, "en", "requests", values([]), role(text)) for text in sampled(asked, 3 * count, "asked")]
    found += [
        Example(text, "en", "answers", values([]), role(text)) for text in sampled(answered, count // 3, "answered")
    ]
    for language, folder in (("es", "parallel-en-es"), ("pt", "parallel-en-pt")):
        name = "tatoeba.jsonl.gz" if language == "es" else "tatoeba-test.jsonl.gz"
        pairs = sampled(list(islice(rows(data / folder / name), 60_000)), 2 * count, folder)
        found += [sentence(row[language], language, row["en"]) for row in pairs]
        found += [sentence(row["en"], "en", row["en"]) for row in pairs[: count // 2]]
    for language, folder, name in (
        ("en", "squad-en", "squad2-dev.jsonl.gz"),
        ("es", "squad-es", "squad2-es-dev.jsonl.gz"),
        ("pt", "squad-pt", "squad1-pt-sample.jsonl.gz"),
    ):
        kept = [row["question"] for row in rows(data / folder / name) if row.get("title") and part(row["title"])]
        found += [Example(text, language, "questions", values([]), role(text)) for text in sampled(kept, count, folder)]
    return found


def background(data: Path, count: int) -> list[Example]:
    """Stretches of plain text, a few sentences each."""
    found = []
    for language in LANGUAGES:
        for name in BACKGROUND[language]:
            texts = list(islice((row["text"] for row in rows(data / f"text-{language}" / name)), 1000))
            rng = random.Random(f"{SEED}{name}")
            pieces = []
            for _ in range(count):
                text = rng.choice(texts)
                at = rng.randrange(max(1, len(text) - 100))
                at = text.find(". ", at) + 2 if ". " in text[at:] else 0
                pieces.append(text[at : at + rng.choice((90, 150, 250, 400))].strip())
            source = "novels" if "novels" in name or "machado" in name else "background"
            weight = 0.5 if source == "novels" else 1.0
            found += [
                Example(text, language, source, values([]), role(text), weight) for text in pieces if len(text) > 15
            ]
    return found


def roughened(text: str, rng: random.Random) -> str:
    """A text as people type it."""
    draw = rng.random()
    if draw < 0.2:
        text = text.lower()
    elif draw < 0.25:
        text = text.upper()
    if rng.random() < 0.2:
        text = text.rstrip(".!?")
    if rng.random() < 0.15 and len(text) > 20:
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(1, len(text) - 2)
            if text[at].isalpha() and text[at + 1].isalpha():
                change = rng.random()
                text = (
                    text[:at] + text[at + 1] + text[at] + text[at + 2 :]
                    if change < 0.4
                    else text[:at] + text[at + 1 :]
                    if change < 0.7
                    else text[:at] + text[at] + text[at:]
                )
    if rng.random() < 0.06:
        text = "".join(
            ({"a": "4", "e": "3", "i": "1", "o": "0", "s": "5"}.get(each, each) if rng.random() < 0.5 else each)
            for each in text
        )
    return text


def augmented(examples: list[Example], surroundings: list[Example], seed: int) -> list[Example]:
    """With ordinary sentences before and behind a third of the written ones, which are learned to be ignored."""
    rng = random.Random(seed)
    by_language: dict[str, list[str]] = {}
    for each in surroundings:
        if len(each.text) < 220:
            by_language.setdefault(each.language, []).append(each.text)
    made = []
    for each in examples:
        text = each.text
        if each.source in ("written", "written-benign", "advbench", "catqa", "goals"):
            text = roughened(text, rng)
            if rng.random() < 0.35:
                language = each.language if rng.random() < 0.9 else rng.choice(LANGUAGES)
                before, behind = rng.choice(by_language[language]), rng.choice(by_language[language])
                text = rng.choice(
                    (f"{before} {text}", f"{text} {behind}", f"{before} {text} {behind}", f"{before}\n{text}")
                )
        made.append(Example(text, each.language, each.source, each.values, each.role, each.weight, each.extra))
    return made


def everything(data: Path, *, smoke: bool = False) -> list[Example]:
    """All examples; with `smoke` a text of every third pattern and no set."""
    rng = random.Random(SEED)
    if smoke:
        return from_patterns(1, rng)[::3]
    found = from_patterns(20, rng)
    sets = moderation(data) + tweets(data) + told(data) + requests(data)
    return found + sets + everyday(data, 1100) + background(data, 1100)
