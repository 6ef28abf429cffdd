from __future__ import annotations

import pytest

from asr_model.nist import parse_ctm, parse_open_trn, parse_stm, parse_trn
from asr_model.records import Word


def lines(text):
    return list(enumerate(text.splitlines(), start=1))


def test_a_ctm_is_the_words_of_each_side_in_order_of_time():
    text = ";; a comment\nsw1 A 1.0 0.5 there 0.5\nsw1 B 0.2 0.3 yes\nsw1 A 0.5 0.25 hello 0.75\nsw2 1 0 1 x NA\n"
    first, second, third = parse_ctm(lines(text))
    assert (first.recording, first.channel, first.text) == ("sw1", 0, "hello there")
    assert first.words == [Word("hello", 0.5, 0.75, 0.75), Word("there", 1.0, 1.5, 0.5)]
    assert (second.channel, second.text, second.words[0].confidence) == (1, "yes", -1.0)
    assert (third.recording, third.channel, third.words[0].confidence) == ("sw2", 0, -1.0)


def test_an_stm_is_joined_in_order_of_time_without_what_is_to_be_ignored():
    text = """;; LABEL "o" "Overall"
call 1 spk 5.0 7.5 <o,f0,female> how are you
call 1 spk 0.0 2.0 <o,f0,female> hello
call 1 inter_segment_gap 2.0 5.0 <o> ignore_time_segment_in_scoring
call 2 other 1.0 1.5 fine
call 2 other 1.5 2.5
"""
    first, second = parse_stm(lines(text))
    assert (first.recording, first.channel, first.text) == ("call", 0, "hello how are you")
    assert (first.segments, first.ignored, first.speakers) == ([(0.0, 2.0), (5.0, 7.5)], [(2.0, 5.0)], {"spk"})
    assert (second.channel, second.text, second.segments) == (1, "fine", [(1.0, 1.5), (1.5, 2.5)])


def test_a_trn_is_text_and_id():
    assert list(parse_trn(lines("how are you (a_1)\n(a_2)\nwell (so) (a_3)\n"))) == [
        ("a_1", "how are you"),
        ("a_2", ""),
        ("a_3", "well (so)"),
    ]


def test_alternatives_of_references_are_kept_and_the_first_is_the_text():
    (side,) = parse_stm(lines("call 1 s 2 3 <o> (uh) no\ncall 1 s 0 2 <o> so { i am / i'm } in\n"))
    assert side.text == "so i am in uh no"
    assert side.parts == [("so",), ("i am", "i'm"), ("in",), ("uh", ""), ("no",)]
    assert side.segments == [(0.0, 2.0), (2.0, 3.0)]
    assert list(parse_open_trn(lines("yes { a / @ } (a_1)\n"))) == [("a_1", [("yes",), ("a", "")])]


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (parse_ctm, "a A 0 1", "line 1: 4 fields"),
        (parse_ctm, "a A 0 x w", "line 1: 'x' where a number"),
        (parse_ctm, "a ? 0 1 w", "line 1: channel '\\?'"),
        (parse_ctm, "a A 0 1 w\nb A 0 1 w\na A 2 1 w", "line 3: a comes again"),
        (parse_ctm, "a A * * <ALT_BEGIN>", "line 1: alternatives"),
        (parse_stm, "a A s 0", "line 1: 4 fields"),
        (parse_stm, "a A s 0 1 { x / y", "line 1: braces"),
        (parse_trn, "x (a)\nno id", "line 2: 'no id', wanted text"),
        (parse_trn, "{ x / y } (a)", "line 1: .*alternatives"),
        (parse_open_trn, "x (a)\n{ x / } (a)", "line 2: an empty alternative"),
    ],
)
def test_a_line_that_is_something_else_is_named(parse, text, message):
    with pytest.raises(ValueError, match=message):
        list(parse(lines(text)))
