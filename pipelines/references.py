"""References as people have them → utterances. A further format is one function here and a line in `_READERS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pipelines.io as io
from asr_model.alternatives import Part, has_choice, plain_text
from asr_model.nist import parse_ctm, parse_open_trn, parse_stm
from asr_model.records import Failure, Utterance
from pipelines.corpora import find_corpus, read_corpus
from pipelines.lines import Line, keyed_lines, number_of, numbered_lines, read_naming
from pipelines.reading import read_text
from pipelines.rows import parse_json, parse_row

__all__ = ["ReferenceLine", "list_references", "read_references"]


def list_references(source: str) -> list[tuple[str, int]]:
    """Return the files of references and their bytes (0 where they are found only by reading).

    Raises:
        InputError: there is nothing of that name.
    """
    if _reader_of(source):
        if not io.exists(source):
            raise io.InputError(f"{source}: no such file")
        return [(source, io.size_and_time(source)[0])]
    corpus = find_corpus(source)
    if corpus.layout in ("manifest", "table") and io.exists(corpus.path):
        return [(corpus.path, io.size_and_time(corpus.path)[0])]
    return [(source, 0)]


class ReferenceLine(Line):
    """A line of a manifest that names a recording."""

    __slots__ = ()

    def read(self) -> Utterance | Failure:
        """Return what else the line says."""
        try:
            return parse_row(parse_json(self.text), self.path.rpartition("/")[0])
        except (ValueError, RecursionError) as error:
            number = number_of(self.path, self.place)
            return Failure(f"{self.path}:{number}", None, "bad-manifest-line", f"line {number}: {error}")


Reference: TypeAlias = ReferenceLine | Utterance | Failure
"""What there is to be compared with, perhaps to be read yet, or what is wrong with it."""


def read_references(source: str, start: int = 0, stop: int | None = None) -> Iterator[Reference]:
    """Yield the references of a source; of a manifest, the lines that begin in a range of bytes, to be read later.

    STM, CTM, TRN, a file ``text`` of Kaldi's, or any corpus that `featurize` reads. What an STM or TRN leaves open (see
    `asr_model.alternatives`) is decided where it is scored.

    Raises:
        InputError: the source is empty, in another encoding than UTF-8, or not what its name says.
    """
    if read := _reader_of(source):
        return read_naming(source, read)
    if source.endswith((".jsonl", ".json")) and find_corpus(source).layout == "manifest":
        return keyed_lines(ReferenceLine, source, start, stop)
    return (row if isinstance(row, Failure) else read_text(row) for row, _ in read_corpus(source))


def _read_stm(path: str) -> Iterator[Utterance]:
    """Yield the sides of an STM; times are carried, those to be ignored by themselves."""
    for side in parse_stm(numbered_lines(path)):
        extra = {"segment_times": side.segments, "ignored_times": side.ignored} | _alternatives(side.parts)
        speaker = next(iter(side.speakers)) if len(side.speakers) == 1 else None
        yield Utterance(side.recording, side.recording, side.channel, side.text, None, speaker, extra)


def _read_ctm(path: str) -> Iterator[Utterance]:
    """Yield the sides of a CTM; the times of the words are carried."""
    for side in parse_ctm(numbered_lines(path)):
        extra = {"word_times": [(word.start, word.end) for word in side.words]}
        yield Utterance(side.recording, side.recording, side.channel, side.text, extra=extra)


def _read_trn(path: str) -> Iterator[Utterance]:
    for name, parts in parse_open_trn(numbered_lines(path)):
        yield Utterance(name, name, None, plain_text(parts), extra=_alternatives(parts))


def _alternatives(parts: list[Part]) -> dict[str, Any]:
    return {"text_alternatives": parts} if has_choice(parts) else {}


def _read_kaldi(path: str) -> Iterator[Utterance]:
    """Yield the lines ``id text`` of a file in Kaldi's manner."""
    for _, line in numbered_lines(path):
        name, *words = line.split()
        yield Utterance(name, name, None, " ".join(words))


_READERS: dict[str, Callable[[str], Iterator[Utterance]]] = {
    ".stm": _read_stm,
    ".ctm": _read_ctm,
    ".trn": _read_trn,
    ".txt": _read_kaldi,
}


def _reader_of(source: str) -> Callable[[str], Iterator[Utterance]] | None:
    name = source.rpartition("/")[2].lower()
    if "*" in name:
        return None
    return _READERS[".txt"] if name == "text" else _READERS.get(f".{name.rpartition('.')[2]}")
