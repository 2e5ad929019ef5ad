"""How topics are compared with texts: stretches in one pass, long texts, odd texts, the embedder's edition."""

import numpy as np
import pytest

from rocamadre.guardrails.classifiers import stretches as module
from rocamadre.guardrails.classifiers.stretches import BLOCK_CHARACTERS, space
from rocamadre.guardrails.classifiers.topics import Topic, topic_scores
from rocamadre.guardrails.classifiers.windows import windows

GARDEN = Topic.read("Gardening", "Plants, seeds, soil and how to grow vegetables.", ["When do I plant tomatoes?"])
BARE = Topic.read("Gardening", "Plants, seeds, soil and how to grow vegetables.", [])
PLAIN = "The train to Lisbon leaves at nine from the other platform. Please keep your ticket with you. "


def stretches(text):
    return list(space().stretches(text))


def test_sentences_are_stretches_and_so_are_runs_of_them():
    (found,) = stretches("we sow beans. the bus is late. rain again")
    assert sorted(found.lengths.tolist()) == sorted([*found.lengths[-3:].tolist(), int(found.lengths[-3:].sum())])
    assert np.allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-5)


def test_a_single_sentence_lies_where_the_whole_text_lies():
    (found,) = stretches("we sow beans in may")
    assert np.allclose(found.vectors[0], space().whole("We sow beans in May"), atol=1e-5)


def test_a_new_line_ends_a_sentence_and_a_point_within_a_number_does_not():
    assert len(stretches("first line\nsecond line")[0].lengths) == 3
    assert len(stretches("version 3.5 of it")[0].lengths) == 1


def test_long_sentences_are_cut():
    (found,) = stretches("word " * 500)
    assert found.lengths.max() <= module.WINDOW_PIECES


def test_windows_of_other_lengths():
    ends = np.zeros(10, np.bool_)
    first, end = windows(ends, unit=4, window=8)
    assert [(int(a), int(b)) for a, b in zip(first, end, strict=True)] == [(0, 8), (4, 10), (0, 4), (4, 8), (8, 10)]


@pytest.mark.parametrize("topic", [GARDEN, BARE])
def test_one_sentence_in_a_long_text_counts_as_much_as_alone(topic):
    sentence = "how do i grow vegetables and plant tomato seeds in good soil?"
    (alone,) = topic_scores(sentence, [topic])
    (among,) = topic_scores(PLAIN.lower() * 40 + sentence + " " + PLAIN.lower() * 40, [topic])
    (without,) = topic_scores(PLAIN.lower() * 80, [topic])
    assert among == pytest.approx(alone, abs=0.02)
    assert alone > 0.5 > without


def test_what_stands_where_two_blocks_meet_is_read():
    sentence = "how do i grow vegetables and plant tomato seeds in good soil? "
    for place in (BLOCK_CHARACTERS - 400, BLOCK_CHARACTERS - 30, BLOCK_CHARACTERS + 5):
        filling = (PLAIN.lower() * (place // len(PLAIN) + 1))[: place - 2] + ". "
        assert topic_scores(filling + sentence + PLAIN.lower() * 20, [GARDEN])[0] > 0.5


@pytest.mark.parametrize("text", ["", " ", "\n\n", "!!!", "\u200b", "\U000f0000" * 50, "a", "7" * 5000])
def test_texts_that_say_nothing_are_on_no_topic(text):
    assert topic_scores(text, [GARDEN, BARE])[0] < 0.5


def test_surrogates_do_not_break_it():
    assert topic_scores("grow \ud800 vegetables", [GARDEN])[0] >= 0


def test_no_topics_no_scores():
    assert topic_scores("anything", []) == []


def test_examples_that_are_empty_do_not_count():
    assert not Topic.read("Name", "Definition.", ["", "  "]).has_examples


def test_another_edition_of_the_embedder_is_refused(monkeypatch):
    tokenizer, rows, scales, mark = module.embedder()
    monkeypatch.setattr(module, "embedder", lambda: (tokenizer, rows, scales, mark + 1))
    with pytest.raises(ValueError, match="another edition"):
        space.__wrapped__()
