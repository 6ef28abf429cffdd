"""Texts for language models: of a text file, of a corpus, or of the shards of one; no audio is read."""

from __future__ import annotations

from collections.abc import Iterator

import pipelines.io as io
from asr_model.records import Failure, read_columns
from asr_model.text import normalize_text
from pipelines.corpora import read_corpus
from pipelines.rows import read_lines

__all__ = ["read_texts"]


def read_texts(source: str, split: str) -> Iterator[str]:
    """Yield the normalized texts of ``source``, those of another split than ``split`` and empty ones left out.

    A text file (``.txt``, one text a line); a folder that `featurize` wrote (augmented copies count once); or a corpus
    with texts, whose rows may have a ``split`` column: rows without one are of any split.

    Raises:
        InputError: there is no such input, it is unfinished, or holds a line that cannot be read.
    """
    for text in _raw_texts(source, split):
        if normalized := normalize_text(text):
            yield normalized


def _raw_texts(source: str, split: str) -> Iterator[str]:
    if source.lower().endswith(".txt"):
        if not io.exists(source):
            raise io.InputError(f"{source}: no such file")
        yield from read_lines(source)
    elif io.exists(io.join(source, io.SUCCESS_FILE)):
        for path in io.read_success(source, "featurize")["files"]:
            if path.startswith(f"{split}/"):
                with io.open_file(io.join(source, path)) as file:
                    rows = read_columns(file, ["copy", "text"]).to_pylist()
                yield from (row["text"] for row in rows if not row["copy"])
    else:
        for row, _ in read_corpus(source):
            if isinstance(row, Failure):
                raise io.InputError(f"{source}: {row.reason}: {row.message}")
            if row.text and row.extra.get("split", split) == split:
                yield row.text
