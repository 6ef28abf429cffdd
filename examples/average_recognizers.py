"""Average the weights of recognizers that were trained on from one another (a model soup, Wortsman et al., 2022).

The mean of two such networks often errs less than either, at the cost of one; `lm` and `tune` follow it. Its weights
are float16: half the size, and the same words.

Example:
    python examples/average_recognizers.py --shares 0.35,0.65 --output runs/averaged examples/recognizer runs/second
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from asr_model.recognizer import Recognizer, RecognizerSettings, load_recognizer, recognizer_file, save_recognizer

UNEQUAL = {"decoder", "calibration", "token_priors", "vocal_tracts", "tempo"}
"""Settings that may differ: those of the average are as in a new recognizer."""


def main(arguments: list[str] | None = None) -> int:
    """Write the average and say what it is of."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recognizers", nargs="+", help="folders or files of recognizers")
    parser.add_argument("--shares", required=True, help="of each recognizer in the average, as 0.35,0.65")
    parser.add_argument("--output", type=Path, required=True, help="folder for recognizer.safetensors")
    options = parser.parse_args(arguments)
    shares = [float(share) for share in options.shares.split(",")]
    if len(shares) != len(options.recognizers) or abs(sum(shares) - 1) > 1e-6:
        parser.error(f"--shares {options.shares}: wanted {len(options.recognizers)} numbers whose sum is 1")
    files = [recognizer_file(path) for path in options.recognizers]
    loaded = [load_recognizer(Path(file).read_bytes(), file) for file in files]
    for file, one in zip(files, loaded, strict=True):
        if shown(one) != shown(loaded[0]):
            parser.error(f"{file}: its features, alphabet or network are not those of {files[0]}")
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "recognizer.safetensors").write_bytes(average(loaded, shares))
    print(" + ".join(f"{share:g} · {file}" for share, file in zip(shares, files, strict=True)), "→", options.output)
    return 0


def shown(recognizer: Recognizer) -> str:
    """Return the settings that have to be equal, as JSON."""
    return recognizer.settings.model_dump_json(exclude=UNEQUAL)


def average(recognizers: list[Recognizer], shares: list[float]) -> bytes:
    """Return a recognizer file's bytes, whose weights are the mean of those of ``recognizers`` by their ``shares``."""
    parts = [one.network.state_dict() for one in recognizers]
    means = {name: sum(share * part[name] for share, part in zip(shares, parts, strict=True)) for name in parts[0]}
    weights = {name: mean.half() for name, mean in means.items()}
    settings = RecognizerSettings.model_validate_json(shown(recognizers[0]))
    made = {"average": [{"recognizer": one.digest, "share": s} for one, s in zip(recognizers, shares, strict=True)]}
    return save_recognizer(settings, weights, made)


if __name__ == "__main__":
    sys.exit(main())
