"""Prompts that hold a chat template as text, read back into a conversation.

Clients of some families write the turns of a conversation into one string, with the marks that the family was trained
on. A local model has marks of its own, so the turns are found again here and go through its own template. Text
without any marks is one user message.

Marks of tools are kept as they are: a list of tools becomes part of the system prompt, a tool's result a message of the
user's side, and a call that the model made earlier stays in its own message. A model that calls a tool answers in its
own marks, as text, which is what these families do on AWS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import Message
from rocamadre.engines.profiles.turns import assistant, check_turns, merge_turns, user


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a prompt says.

    Attributes:
        system: Empty for none.
        messages: Turns, the user's first and last.
    """

    system: str
    messages: tuple[Message, ...]


_HEADER = re.compile(
    r"<\|(?:start_header_id|header_start)\|>\s*(\w+)\s*<\|(?:end_header_id|header_end)\|>(.*?)"
    r"(?=<\|(?:start_header_id|header_start)\|>|\Z)",
    re.DOTALL,
)
_HEADER_MARKS = re.compile(r"<\|(?:eot_id|eot|eom_id|eom|begin_of_text|end_of_text)\|>")
_CHATML = re.compile(r"<\|im_start\|>\s*(\w+)[ \t]*\n?(.*?)(?=<\|im_start\|>|\Z)", re.DOTALL)
_TOOLS = re.compile(r"\[AVAILABLE_TOOLS\].*?\[/AVAILABLE_TOOLS\]", re.DOTALL)
_INST = re.compile(r"(\[INST\]|\[TOOL_RESULTS\])")
_DEEPSEEK = re.compile(r"(<｜User｜>|<｜Assistant｜>|<｜tool▁outputs▁begin｜>)")
_DEEPSEEK_MARKS = re.compile(r"<｜(?:begin|end)▁of▁sentence｜>")
_RESULT_ROLES = ("ipython", "tool")
_SYS = re.compile(r"\s*<<SYS>>(.*?)<</SYS>>(.*)", re.DOTALL)
_HUMAN = re.compile(r"(?:\A|\n\n)(Human|Assistant):(.*?)(?=\n\n(?:Human|Assistant):|\Z)", re.DOTALL)
_TITAN = re.compile(r"(?:\A|\n)(User|Bot):(.*?)(?=\n(?:User|Bot):|\Z)", re.DOTALL)


def read_llama(prompt: str) -> Conversation:
    """Llama 2's `[INST]`, Llama 3's and 4's headers, or ChatML; other text is one user message."""
    if "_header_id|>" in prompt or "<|header_start|>" in prompt:
        return _roles(prompt, _HEADER, _HEADER_MARKS)
    if "<|im_start|>" in prompt:
        return _roles(prompt, _CHATML, re.compile(r"<\|im_end\|>|<\|endoftext\|>"))
    return read_inst(prompt)


def read_inst(prompt: str) -> Conversation:
    """`<s>[INST] question [/INST] answer</s>[INST] question [/INST]`, with `<<SYS>>` in the first turn or not.

    >>> read_inst("<s>[INST] Hola [/INST]").messages[0].content[0].text
    'Hola'
    """
    if "[INST]" not in prompt:
        return _plain(prompt)
    tools = _TOOLS.findall(prompt)
    before, *pieces = _INST.split(_TOOLS.sub("", prompt))
    system = _unmarked(before)
    messages = []
    for mark, turn in zip(pieces[::2], pieces[1::2], strict=True):
        end = mark.replace("[", "[/")
        asked, closed, answered = turn.partition(end)
        if not closed:
            raise InvalidRequest(f"the prompt opens a turn with {mark} and does not close it with {end}")
        if (marked := _SYS.fullmatch(asked)) is not None:
            system, asked = marked[1].strip(), marked[2]
        messages.append(user(asked.strip() if mark == "[INST]" else f"{mark}{asked}{end}"))
        if said := _unmarked(answered):
            messages.append(assistant(said))
    return _checked("\n\n".join(filter(None, [system, *tools])), messages)


def read_deepseek(prompt: str) -> Conversation:
    """`<｜begin▁of▁sentence｜>system<｜User｜>question<｜Assistant｜><think>`; other text is one user message.

    >>> read_deepseek("<｜begin▁of▁sentence｜><｜User｜>Hola<｜Assistant｜><think>").messages[0].content[0].text
    'Hola'
    """
    if "<｜User｜>" not in prompt:
        return _plain(_DEEPSEEK_MARKS.sub("", prompt))
    before, *pieces = _DEEPSEEK.split(prompt)
    messages = []
    for mark, turn in zip(pieces[::2], pieces[1::2], strict=True):
        text = _DEEPSEEK_MARKS.sub("", turn).strip()
        if mark == "<｜Assistant｜>":
            # The client may begin the thoughts, which is the model's to do.
            messages.append(assistant("" if text in ("<think>", "<think>\n</think>") else text))
        else:
            messages.append(user(text if mark == "<｜User｜>" else mark + text))
    return _checked(_DEEPSEEK_MARKS.sub("", before).strip(), messages)


def read_plain(prompt: str) -> Conversation:
    """One user message, whatever it holds.

    Raises:
        InvalidRequest: it is blank.
    """
    return _plain(prompt)


def read_human(prompt: str) -> Conversation:
    r"""`\n\nHuman: question\n\nAssistant:`; text before the first turn is the system prompt.

    Raises:
        InvalidRequest: the first or the last mark is missing, in Amazon Bedrock's words.
    """
    turns = list(_HUMAN.finditer(prompt))
    if not turns or turns[0][1] != "Human":
        raise InvalidRequest('Invalid prompt: prompt must start with "\n\nHuman:" turn')
    if turns[-1][1] != "Assistant":
        raise InvalidRequest('Invalid prompt: prompt must end with "\n\nAssistant:" turn')
    system = prompt[: turns[0].start()].strip()
    return _checked(system, [(user if turn[1] == "Human" else assistant)(turn[2].strip()) for turn in turns])


def read_titan(prompt: str) -> Conversation:
    r"""`User: question\nBot:`; text before the first turn is the system prompt, other text is one user message."""
    turns = list(_TITAN.finditer(prompt))
    if not turns or turns[0][1] != "User" or turns[-1][1] != "Bot":
        return _plain(prompt)
    system = prompt[: turns[0].start()].strip()
    return _checked(system, [(user if turn[1] == "User" else assistant)(turn[2].strip()) for turn in turns])


def _unmarked(text: str) -> str:
    return text.replace("</s>", "").replace("<s>", "").strip()


def _plain(prompt: str) -> Conversation:
    text = _unmarked(prompt.replace("<|begin_of_text|>", ""))
    if not text:
        raise InvalidRequest("the prompt is blank; write a question or an instruction and try again")
    return Conversation("", (user(text),))


def _roles(prompt: str, pattern: re.Pattern[str], marks: re.Pattern[str]) -> Conversation:
    system: list[str] = []
    messages: list[Message] = []
    for role, raw in pattern.findall(prompt):
        text = marks.sub("", raw).strip()
        if role == "system":
            system.append(text)
        elif role == "user" or role in _RESULT_ROLES:
            messages.append(user(text))
        elif role == "assistant":
            messages.append(assistant(text))
        else:
            raise InvalidRequest(f"the prompt has a turn of {role[:40]!r}; roles taken: system, user, assistant, tool")
    return _checked("\n\n".join(filter(None, system)), messages)


def _checked(system: str, messages: list[Message]) -> Conversation:
    """The turns without those that were left blank, such as the assistant's that is to be written now."""
    said = [message for message in messages if message.content[0].text]  # type: ignore[union-attr]
    return Conversation(system, check_turns(merge_turns(said)))
