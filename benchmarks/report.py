"""Measure how long the report of a large evaluation takes to build, and to open in a headless Chromium.

Example:
    python benchmarks/report.py --files 100000
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from pipelines.__main__ import main as beamscribe

WORDS = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "is",
    "you",
    "that",
    "it",
    "he",
    "was",
    "for",
    "on",
    "are",
    "as",
    "with",
    "his",
    "they",
    "at",
    "be",
    "this",
    "from",
    "have",
    "or",
    "by",
    "one",
    "had",
]


def main() -> int:
    """Print the seconds, the size of the page, and what the browser holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000, help="recordings of the evaluation (default %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_corpus(folder, options.files)
        started = time.monotonic()
        files = ["--input", str(folder / "system.jsonl"), "--reference", str(folder / "references.jsonl")]
        if beamscribe(["evaluate", *files, "--output", str(folder / "report")]):
            return 1
        page = folder / "report" / "index.html"
        print(f"evaluate: {time.monotonic() - started:.1f} s, page of {page.stat().st_size / 1e6:.1f} MB")
        open_page(page)
    print(f"memory of evaluate: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
    return 0


def write_corpus(folder: Path, num_files: int) -> None:
    """Write references and hypotheses of random words, one in ten of them wrong."""
    draw = random.Random(0)
    with open(folder / "references.jsonl", "w") as references, open(folder / "system.jsonl", "w") as hypotheses:
        for number in range(num_files):
            key = {"audio_filepath": f"calls/{number:06d}.wav", "channel": number % 2, "duration": 8.0}
            words = draw.choices(WORDS, k=draw.randrange(3, 40))
            said = [draw.choice(WORDS) if draw.random() < 0.1 else word for word in words]
            print(json.dumps(key | {"text": " ".join(words)}), file=references)
            print(json.dumps(key | {"pred_text": " ".join(said)}), file=hypotheses)


def open_page(page: Path) -> None:
    """Open the page three times and print the slowest time until its table stands, sorting it, and what it holds."""
    chromium = shutil.which("chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        times = []
        for _ in range(3):
            tab = browser.new_page()
            started = time.monotonic()
            tab.goto(page.as_uri())
            tab.locator("#files .open").first.wait_for()
            times.append(time.monotonic() - started)
            started = time.monotonic()
            tab.locator("#files thead button", has_text="Words").click()
            tab.get_by_role("searchbox").fill("000")
            used = time.monotonic() - started
            nodes, heap = tab.evaluate("[document.querySelectorAll('*').length, performance.memory.usedJSHeapSize]")
            tab.close()
        browser.close()
    print(f"Chromium: opened in {max(times):.2f} s, sorted and searched in {used:.2f} s", end=", ")
    print(f"{nodes} elements, {heap / 1e6:.0f} MB of script memory")


if __name__ == "__main__":
    sys.exit(main())
