"""Print a finished report as a table.

Example:
    python examples/show_report.py build/demo/report
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

COUNTS = ["num_words", "substitutions", "deletions", "insertions"]


def main(arguments: list[str] | None = None) -> int:
    """Print the word error rate of every file and channel, of every channel, and in total."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path, help="folder that `beamscribe evaluate` wrote")
    folder = parser.parse_args(arguments).report
    rows = pd.read_parquet(folder / "per_file.parquet").astype({"channel": "Int64"})
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    table = Table("", "words", "substitutions", "deletions", "insertions", "WER")
    for keys in (["audio_filepath", "channel"], ["channel"]):
        for key, counts in rows.groupby(keys, dropna=False)[COUNTS].sum().iterrows():
            *paths, channel = key if isinstance(key, tuple) else (key,)
            names = [*(Path(path).name for path in paths), "no channel" if pd.isna(channel) else f"channel {channel}"]
            num_words, *errors = counts
            rate = sum(errors) / num_words if num_words else None
            table.add_row(", ".join(names), *map(str, counts), percent(rate))
        table.add_section()
    table.add_row("all", *(str(summary[name]) for name in COUNTS), percent(summary["wer"]), style="bold")
    Console().print(table)
    print(f"report: {(folder / 'index.html').resolve().as_uri()}")
    return 0


def percent(rate: float | None) -> str:
    """Return a rate as a percentage; without words in the reference there is none."""
    return "–" if rate is None else f"{rate:.1%}"


if __name__ == "__main__":
    sys.exit(main())
