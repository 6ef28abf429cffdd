# make demo | test | check | format | bench | recognizer: each sets up what it needs; .venv is made once.
PYTHON ?= python3
BIN := .venv/bin
DATA ?= ../shared/data
INSTALLED := .venv/.installed

.PHONY: demo test check format bench recognizer clean

$(INSTALLED): setup.py constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 13) else f"Python 3.11 or 3.12 wanted, this is {v[0]}.{v[1]}: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

# Real speech, transcribed with the shipped recognizer, and its report.
demo: $(INSTALLED)
	$(BIN)/python examples/demo_archive.py --output build/demo
	$(BIN)/beamscribe transcribe --input 'build/demo/archive/*.wav' --output build/demo/transcripts --overwrite
	$(BIN)/beamscribe evaluate --input build/demo/transcripts --reference build/demo/references.jsonl \
		--output build/demo/report --overwrite
	$(BIN)/python examples/show_report.py build/demo/report

# The report's tests use a browser: Debian's is installed where that may be done, else they are skipped and say so.
test: $(INSTALLED)
	command -v chromium || { apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium; } >/dev/null || true
	$(BIN)/python examples/recordings.py
	$(BIN)/python examples/nist_tools.py
	$(BIN)/python -m pytest

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED)
	$(BIN)/python benchmarks/transcribe.py

# How examples/recognizer was made, from folders of speech of the form of DATA; some 40 minutes on two cores.
recognizer: $(INSTALLED)
	$(BIN)/python examples/recordings.py --training build/prompts
	$(BIN)/python examples/training_corpus.py --data $(DATA) --prompts build/prompts \
		--leave-out speechocean762 --output build/corpus.jsonl
	$(BIN)/beamscribe featurize --config configs/featurize-recognizer.yaml --input build/corpus.jsonl --output build/shards
	$(BIN)/beamscribe train --config configs/train-recognizer.yaml --input build/shards --output runs/recognizer

clean:
	rm -rf build .venv *.egg-info
