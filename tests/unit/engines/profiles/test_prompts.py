import time

import pytest

from rocamadre.core.errors import InvalidRequest
from rocamadre.engines.profiles.prompts import read_human, read_inst, read_llama, read_titan


def turns(conversation):
    return [(message.role, message.content[0].text) for message in conversation.messages]


def test_llama_2():
    said = read_llama("<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST] Hello </s><s>[INST] Why? [/INST]")
    assert said.system == "Be brief."
    assert turns(said) == [("user", "Hi"), ("assistant", "Hello"), ("user", "Why?")]


def test_llama_3():
    said = read_llama(
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
        "Hello<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nWhy?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )
    assert said.system == "Be brief."
    assert turns(said) == [("user", "Hi"), ("assistant", "Hello"), ("user", "Why?")]


def test_llama_4():
    said = read_llama(
        "<|begin_of_text|><|header_start|>user<|header_end|>\n\nHi<|eot|><|header_start|>assistant<|header_end|>"
    )
    assert turns(said) == [("user", "Hi")]


def test_chatml():
    said = read_llama(
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
    assert (said.system, turns(said)) == ("Be brief.", [("user", "Hi")])


@pytest.mark.parametrize("read", [read_llama, read_inst, read_titan])
@pytest.mark.parametrize("text", ["¿Qué es una roca?", "User: no bot here", "a [b] <c>"])
def test_plain_text_is_one_user_message(read, text):
    assert turns(read(text)) == [("user", text)]


def test_titan():
    said = read_titan("You are kind.\nUser: Hi\nBot: Hello\nUser: Why?\nBot:")
    assert said.system == "You are kind."
    assert turns(said) == [("user", "Hi"), ("assistant", "Hello"), ("user", "Why?")]


def test_human():
    said = read_human("\n\nHuman: Two\n\nlines: yes\n\nAssistant: Ok\n\nHuman: Go\n\nAssistant:")
    assert turns(said) == [("user", "Two\n\nlines: yes"), ("assistant", "Ok"), ("user", "Go")]


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [("Hi\n\nAssistant:", "must start with"), ("\n\nHuman: Hi", "must end with"), ("Hi", "start")],
)
def test_human_needs_both_marks(prompt, sentence):
    with pytest.raises(InvalidRequest, match=sentence):
        read_human(prompt)


@pytest.mark.parametrize(
    "prompt",
    [
        "[INST] never closed",
        "<s>[INST] Hi [/INST] The answer is",
        "<|start_header_id|>assistant<|end_header_id|>\n\nHi<|eot_id|>",
        "<|start_header_id|>wizard<|end_header_id|>\n\nHi<|eot_id|>",
        "<|start_header_id|>system<|end_header_id|>\n\nHi<|eot_id|>",
        " \n",
    ],
)
def test_what_makes_no_sense_is_refused(prompt):
    with pytest.raises(InvalidRequest):
        read_llama(prompt)


@pytest.mark.parametrize(
    "prompt",
    [
        "[INST]" * 200_000,
        "[INST][/INST]" * 100_000,
        "<|start_header_id|>" * 60_000,
        "<|start_header_id|>" + " " * 1_000_000,
        "<|start_header_id|>" + "a" * 1_000_000,
        "<|im_start|>" * 100_000,
        "<<SYS>>" * 100_000 + "[INST]",
    ],
)
def test_hostile_prompts_take_linear_time(prompt):
    began = time.perf_counter()
    with pytest.raises(InvalidRequest):
        read_llama(prompt)
    assert time.perf_counter() - began < 60  # Anything worse than linear would take hours.


@pytest.mark.parametrize("prompt", ["\n\nHuman:" * 100_000, "\n\n" * 500_000, "\n\nHuman:" + "\n\nHuman" * 100_000])
def test_hostile_human_prompts_take_linear_time(prompt):
    began = time.perf_counter()
    with pytest.raises(InvalidRequest):
        read_human(prompt)
    assert time.perf_counter() - began < 60  # Anything worse than linear would take hours.
