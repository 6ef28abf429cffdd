from __future__ import annotations

import os
import random

import pytest
from apache_beam.io.filesystems import FileSystems

import pipelines.io as io
from pipelines.listing import is_pattern, list_folders, matches, matches_any

NAMES = ["b.wav", "a.wav", "a/x.wav", "a-b/x.wav", "a/deep/er/y.wav", "a/z.txt", "c/a.wav"]


@pytest.fixture
def tree(tmp_path):
    for name in random.Random(0).sample(NAMES, len(NAMES)):
        io.write_file(str(tmp_path / name), b"123")
    return tmp_path


def listed(source):
    return [os.path.relpath(path, source) for files in list_folders(str(source)) for path, _ in files]


def test_a_tree_is_listed_folder_by_folder_in_order_with_sizes(tree):
    assert listed(tree) == ["a.wav", "b.wav", "a/x.wav", "a/z.txt", "a/deep/er/y.wav", "a-b/x.wav", "c/a.wav"]
    assert {size for files in list_folders(str(tree)) for _, size in files} == {3}


@pytest.mark.parametrize(
    "pattern", ["*.wav", "**", "**.wav", "a*/x.wav", "*/*", "a/**/*.wav", "?.wav", "[ab].wav", "z*"]
)
def test_a_pattern_stands_for_what_beam_says_it_does(tree, pattern):
    source = f"{tree}/{pattern}"
    assert is_pattern(source)
    found = [path for files in list_folders(source) for path, _ in files if matches(source).match(path)]
    assert sorted(found) == sorted(file.path for file in FileSystems.match([source])[0].metadata_list)
    assert matches_any(source) == bool(found)


def test_a_pattern_without_a_folder_is_seen_from_here(tree, monkeypatch):
    monkeypatch.chdir(tree)
    found = [path for files in list_folders("*.wav") for path, _ in files if matches("*.wav").match(path)]
    assert found == ["a.wav", "b.wav"]


def test_folders_deeper_than_a_pattern_are_not_looked_into(tree):
    assert {path.count("/") for files in list_folders(f"{tree}/*.wav") for path, _ in files} == {
        str(tree).count("/") + 1
    }


def test_links_to_folders_are_followed_but_not_in_circles(tree, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "far.wav").write_bytes(b"123")
    (tree / "c" / "link").symlink_to(elsewhere)
    (tree / "c" / "up").symlink_to(tree)
    (tree / "c" / "none.wav").symlink_to(tree / "gone")
    assert listed(tree)[-3:] == ["c/a.wav", "c/none.wav", "c/link/far.wav"]


def test_a_name_with_brackets_is_no_pattern_where_it_is_one_of_a_file(tmp_path):
    (tmp_path / "[1].wav").write_bytes(b"x")
    assert not is_pattern(f"{tmp_path}/[1].wav")
    assert is_pattern(f"{tmp_path}/[2].wav")


def test_nothing_is_no_match(tmp_path):
    assert not matches_any(str(tmp_path))
    assert not matches_any(str(tmp_path / "none"))
    assert not matches_any(f"{tmp_path}/none/*.wav")


def test_the_names_of_an_object_store_come_in_the_same_order(tree, monkeypatch):
    class Match:
        def __init__(self, path):
            self.path, self.size_in_bytes = path, 3

    found = [Match(f"gs://bucket/{name}") for name in sorted(NAMES)]
    asked = []
    answer = lambda patterns, limits=None: asked.extend(patterns) or [type("Result", (), {"metadata_list": found})]  # noqa: E731
    monkeypatch.setattr(FileSystems, "match", answer)
    remote = [path.removeprefix("gs://bucket/") for files in list_folders("gs://bucket/") for path, _ in files]
    assert remote == listed(tree)
    list(list_folders("gs://bucket/2024*.wav"))
    assert asked == ["gs://bucket/**", "gs://bucket/2024**"]
