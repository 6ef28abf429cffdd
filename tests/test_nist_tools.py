"""Our figures against NIST's own tools on real references: prompts and readings that the test recordings carry."""

from __future__ import annotations

import random
import re
import subprocess

import nist_tools
import packages
import pytest
from recordings import obtain_recordings

from asr_model.alternatives import parse_alternatives, said_text
from asr_model.scoring import word_errors
from asr_model.significance import matched_pairs, segment_differences
from asr_model.text import normalize_text

needs_sclite = pytest.mark.skipif(nist_tools.find_tool("sclite") is None, reason="no sclite: no apt on this machine")
SUMS = rb"\| *Sum *\|([^|]*)\|([^|]*)\|"
CONFUSED = {"to": "two", "the": "a", "for": "four", "is": "it's", "your": "you're", "you": "your", "number": "numbers"}


def misheard(text, rate, draw, vocabulary):
    """Return what a recognizer might have made of ``text``: like words, lost and doubled ones."""
    said = []
    for word in text.split():
        chance = draw.random()
        if chance < 0.5 * rate:
            said.append(CONFUSED.get(word) or draw.choice(vocabulary))
        elif chance > 0.75 * rate:
            said.append(word)
        if draw.random() < 0.25 * rate:
            said.append(word)
    return " ".join(said)


@pytest.fixture(scope="module")
def systems(tmp_path_factory):
    """Return a folder of TRN files, the references, and what three systems made of them."""
    folder = tmp_path_factory.mktemp("nist")
    recordings = obtain_recordings(packages.default_cache())
    references = sorted({normalize_text(recording.text) for recording in recordings} - {""})
    vocabulary = sorted({word for text in references for word in text.split()})
    texts = {"ref": references}
    for name, rate in (("one", 0.2), ("two", 0.22), ("three", 0.4)):
        draw = random.Random(name)
        texts[name] = [misheard(text, rate, draw, vocabulary) for text in references]
    for name, rows in texts.items():
        lines = [f"{text} (s{number // 50:03d}_{number:05d})\n" for number, text in enumerate(rows)]
        (folder / f"{name}.trn").write_text("".join(lines))
    return folder, texts


def sclite(folder, name, report, *more, reference="ref.trn"):
    command = [nist_tools.find_tool("sclite"), "-r", reference, "trn", "-h", f"{name}.trn", "trn", name, "-i", "rm"]
    command += ["-o", report, "stdout", *more]
    return subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout


def sums_of(report):
    """Return (number of words, hits, errors) of a summary of sclite's."""
    counts, kinds = ([int(number) for number in part.split()] for part in re.search(SUMS, report).groups())
    return counts[1], kinds[0], kinds[4]


def left_open(text, draw, vocabulary):
    """Return ``text`` as a reference that leaves some words open, in NIST's manner."""
    said = []
    for word in text.split():
        chance, other = draw.random(), draw.choice(vocabulary)
        if chance < 0.2:
            said.append(
                draw.choice(["{{ {0} / {1} }}", "{{{1} {0} / {0}}}", "{{ {1} / {{ {0} / @ }} }}"]).format(word, other)
            )
        else:
            said.append(word)
        if draw.random() < 0.1:
            said.append(f"({other})")
    return " ".join(said)


@needs_sclite
@pytest.mark.parametrize("name", ["one", "two", "three"])
def test_words_and_errors_are_those_of_sclite(systems, name):
    folder, texts = systems
    found = word_errors(texts["ref"], texts[name])
    num_words, hits, num_errors = sums_of(sclite(folder, name, "rsum"))
    assert (found.num_reference, found.num_errors) == (num_words, num_errors)
    assert found.hits == pytest.approx(hits, rel=0.01)  # of as few errors, sclite's weights prefer other kinds


@needs_sclite
@pytest.mark.parametrize("name", ["one", "three"])
def test_alternatives_and_words_in_parentheses_count_as_for_sclite(systems, name):
    folder, texts = systems
    draw = random.Random(7)
    vocabulary = sorted({word for text in texts["ref"] for word in text.split()})
    references = [left_open(text, draw, vocabulary) for text in texts["ref"]]
    lines = [f"{text} (s{number // 50:03d}_{number:05d})\n" for number, text in enumerate(references)]
    (folder / "open.trn").write_text("".join(lines))
    pairs = zip(references, texts[name], strict=True)
    said = [said_text(parse_alternatives(text), heard, str.lower) for text, heard in pairs]
    found = word_errors(said, texts[name])
    *_, num_errors = sums_of(sclite(folder, name, "rsum", "-D", reference="open.trn"))
    assert num_errors < sums_of(sclite(folder, name, "rsum", reference="open.trn"))[2]  # -D: may be left out
    assert found.num_errors == num_errors


@needs_sclite
@pytest.mark.parametrize(("first", "second"), [("one", "two"), ("two", "three")])
def test_the_matched_pairs_test_is_that_of_sc_stats(systems, first, second):
    folder, texts = systems
    differences = [
        difference
        for rows in zip(texts["ref"], texts[first], texts[second], strict=True)
        for difference in segment_differences(*(text.split() for text in rows))
    ]
    found = matched_pairs(differences)
    alignments = b"".join(sclite(folder, name, "sgml") for name in (first, second))
    command = [nist_tools.find_tool("sc_stats"), "-p", "-t", "mapsswe", "-u", "-n", "-"]
    shown = subprocess.run(command, input=alignments, cwd=folder, capture_output=True, check=True).stdout.decode()
    winner, p = re.search(r"\| +MP +\|\| +\w+ +\| +\| +(\S+) +<?(0\.\d+)", shown).groups()
    assert found.p == pytest.approx(float(p), abs=0.02)
    assert winner == ("~" if found.p > 0.05 else first)


def test_a_tool_that_is_not_here_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(nist_tools, "INSTALLED", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert nist_tools.find_tool("sclite", tmp_path) is None
    (tmp_path / "sclite").write_text("")
    assert nist_tools.find_tool("sclite", tmp_path) == str(tmp_path / "sclite")
