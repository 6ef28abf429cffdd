"""A comparison of systems for people: a page without any remote request, and Markdown for a pull request or a chat."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from asr_model.edits import align_words
from pipelines.findings import group_label
from pipelines.pages import page_environment
from pipelines.pictures import difference_whisker, percent, points
from pipelines.report_rows import pieces

__all__ = ["comparison_markdown", "render_comparison", "verdict"]

MAX_P = 0.05
MAX_FILES = 5
MAX_GROUPS = 3
MAX_GROUP_ROWS = 12
SCRIPTS = ("alignment.js", "file_table.js", "comparison.js")


def verdict(difference: Mapping[str, Any]) -> str:
    """Return in a word whether a system is better or worse than the baseline, or whether that may be chance.

    Where the two tests disagree, the difference is not sure.
    """
    tests = [difference[name] for name in ("bootstrap", "mapsswe")]
    if not difference["difference"]:
        return "equal"
    if not all(test and test["p"] <= MAX_P for test in tests):
        return "not sure"
    return "worse" if difference["difference"] > 0 else "better"


def comparison_markdown(summary: Mapping[str, Any]) -> str:
    """Return rates, differences with their significance, the files that got worse, and the groups."""
    differences = {row["system"]: row for row in summary["differences"]}
    names = ("system", "WER", "difference (points)", "95\u202f%", "p bootstrap", "p MAPSSWE", "verdict")
    lines = [f"### Compared with {_plain(summary['baseline'])}", ""]
    lines += [f"| {' | '.join(names)} |", "| --- | ---: | ---: | --- | ---: | ---: | --- |"]
    for system in summary["systems"]:
        cells = [_plain(system["name"]), percent(system["wer"], 2)]
        if row := differences.get(system["name"]):
            cells += [
                points(row["difference"]),
                _interval(row) or "–",
                _p(row["bootstrap"]),
                _p(row["mapsswe"]),
                verdict(row),
            ]
        else:
            cells += ["", "", "", "", "baseline"]
        lines.append(f"| {' | '.join(cells)} |")
    for row in summary["differences"]:
        numbers = f"{row['num_worse']:,} rows got worse, {row['num_better']:,} better, {row['num_equal']:,} stayed"
        lines += ["", f"{_plain(row['system'])}: {numbers}."]
        lines += [
            f"* {_plain(file['audio_filepath'])}: {file['errors'][0]} errors, now {file['errors'][1]}"
            for file in row["worse"][:MAX_FILES]
        ]
    for name, values, _ in list(_groups(summary))[:MAX_GROUPS]:
        systems = [_plain(system["name"]) for system in summary["systems"]]
        changes = [f"{system} (points)" if len(systems) > 2 else "points" for system in systems[1:]]
        heads = [_plain(name), "words", *systems, *changes]
        lines += ["", f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * (len(heads) - 1)}"]
        for value in values:
            cells = [_plain(value["name"]), f"{value['num_words']:,}", *map(percent, value["wers"])]
            for row in value["differences"]:
                cells.append(points(row["difference"]) + (f" ({_interval(row)})" if row["bootstrap"] else ""))
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def render_comparison(summary: Mapping[str, Any], links: Iterable[str | None] = ()) -> str:
    """Return the page of a comparison; ``links`` are to the audio of the files that it lists, in their order."""
    differences = {row["system"]: row for row in summary["differences"]}
    return (
        page_environment(*SCRIPTS)
        .get_template("compare.html")
        .render(
            summary=summary,
            rows=[(system, differences.get(system["name"])) for system in summary["systems"]],
            groups=list(_groups(summary)),
            files=[row | ({"a": link} if link else {}) for row, link in itertools.zip_longest(_files(summary), links)],
            num_changed=sum(row["num_worse"] + row["num_better"] for row in summary["differences"]),
            points=points,
            verdict=verdict,
            p=_p,
            interval=_interval,
            reach=_reach,
            whisker=lambda row, reach: difference_whisker(
                row["difference"], row["bootstrap"] and tuple(row["bootstrap"]["interval"]), reach
            ),
        )
    )


def _groups(summary: Mapping[str, Any]) -> Iterator[tuple[str, list[Mapping[str, Any]], int]]:
    """Yield (name, values, how many more there are) of groups, of many values those with the most words."""
    for name, values in summary["groups"].items():
        if len(values) > 1:
            most = sorted(range(len(values)), key=lambda i: -values[i]["num_words"])[:MAX_GROUP_ROWS]
            yield group_label(name), [values[i] for i in sorted(most)], len(values) - len(most)


def _files(summary: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the files that changed as ``comparison.js`` reads them."""
    for difference in summary["differences"]:
        for file in (*difference["worse"], *difference["better"]):
            before, now = (align_words(file["text"], said) for said in file["pred_texts"])
            row = {
                "n": file["audio_filepath"],
                "c": file["channel"],
                "r": file["num_words"],
                "e": file["errors"],
                "x": pieces(before),
                "y": pieces(now),
            }
            if file["offset"] is not None:
                row["o"] = file["offset"]
            if len(summary["differences"]) > 1:
                row["g"] = difference["system"]
            yield row


def _interval(row: Mapping[str, Any]) -> str:
    return " to ".join(points(end) for end in row["bootstrap"]["interval"]) if row["bootstrap"] else ""


def _reach(rows: Sequence[Mapping[str, Any]]) -> float:
    """Return how far from zero a picture of differences reaches."""
    ends = [end for row in rows if row["bootstrap"] for end in row["bootstrap"]["interval"]]
    return float(max(0.001, *map(abs, [*ends, *(row["difference"] or 0.0 for row in rows)])))


def _p(test: Mapping[str, Any] | None) -> str:
    if test is None:
        return "–"
    return "< 0.001" if test["p"] < 0.001 else f"{test['p']:.3f}"


def _plain(text: str) -> str:
    return "".join(f"\\{character}" if character in "\\`*_{}[]<>|~#" else character for character in text)
