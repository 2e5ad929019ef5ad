from __future__ import annotations

import math

from rocamadre.console.playground.tokens import TOP, Candidate, Token, after, ends, rank, read_logprobs, visible

LOGPROBS = {
    "tokens": ["a", " b"],
    "token_logprobs": [None, math.log(0.25)],
    "top_logprobs": [None, {" c": math.log(0.5), " b": math.log(0.25)}],
}


def test_tokens_are_paired_with_their_numbers():
    tokens = read_logprobs(LOGPROBS, [1, 70, 80])
    assert [(token.id, token.text) for token in tokens] == [(70, "a"), (80, " b")]
    assert tokens[1].top[0] == Candidate(" c", math.log(0.5))
    assert math.isclose(tokens[1].probability, 0.25)
    assert tokens[0].probability is None


def test_numbers_that_do_not_fit_are_left_out():
    assert [token.id for token in read_logprobs(LOGPROBS, [70])] == [None, None]
    assert [token.id for token in read_logprobs(LOGPROBS)] == [None, None]
    assert read_logprobs(None) == []


def test_shades_grow_with_probability():
    shades = [Token(1, "x", math.log(share)).shade for share in (0.001, 0.02, 0.1, 0.3, 0.6, 0.99)]
    assert shades == [0, 1, 2, 3, 4, 5]


def test_a_token_over_the_edge_belongs_to_the_text():
    tokens = [Token(1, "ab", None), Token(2, "cd", None), Token(3, "e", None)]
    assert [token.text for token in after(tokens, 3)] == ["cd", "e"]
    assert after(tokens, 5) == []


def test_candidates_are_ranked_and_bounded():
    top = rank({str(number): -float(number) for number in range(40)})
    assert len(top) == TOP
    assert top[0].text == "0"
    assert rank(None) == ()


def test_pieces_are_shown_and_ends_are_known():
    assert visible("\t x") == "⇥␣x"
    assert visible("") == "∎"
    assert ends("<|endoftext|>")
    assert not ends("<b>")
