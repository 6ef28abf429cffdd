"""References as people have them → utterances. A further format is one function here and a line in `_READERS`."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pipelines.io as io
from asr_model.records import Failure, Utterance
from pipelines.corpora import find_corpus, read_corpus
from pipelines.lines import lines_between, number_of
from pipelines.reading import read_text
from pipelines.rows import parse_row

__all__ = ["list_references", "read_references"]


def list_references(source: str) -> list[tuple[str, int]]:
    """Return the files of references and their bytes (0 where they are found only by reading).

    Raises:
        InputError: there is nothing of that name.
    """
    corpus = find_corpus(source)
    if corpus.layout in ("manifest", "table") and io.exists(corpus.path):
        return [(corpus.path, io.size_and_time(corpus.path)[0])]
    return [(source, 0)]


def read_references(source: str, start: int = 0, stop: int | None = None) -> Iterator[Utterance | Failure]:
    """Yield the references of a source, or of the lines of a manifest that begin in a range of bytes.

    Raises:
        InputError: the source is empty, in another encoding than UTF-8, or of no kind that is known.
    """
    if source.endswith((".jsonl", ".json")) and find_corpus(source).layout == "manifest":
        return _read_manifest(source, start, stop)
    return (row if isinstance(row, Failure) else read_text(row) for row, _ in read_corpus(source))


def _read_manifest(path: str, start: int, stop: int | None) -> Iterator[Utterance | Failure]:
    folder = path.rpartition("/")[0]
    for place, line in lines_between(path, start, stop):
        try:
            yield parse_row(json.loads(line), folder)
        except ValueError as error:
            number = number_of(path, place)
            yield Failure(f"{path}:{number}", None, "bad-manifest-line", f"line {number}: {error}")
