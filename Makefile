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
	for file in benchmarks/*.py; do echo "$$file"; $(BIN)/python $$file || exit 1; done

TRAIN := $(BIN)/torchrun --nproc_per_node=2 -m pipelines train
FEATURIZE := $(BIN)/beamscribe featurize --config configs/featurize-recognizer.yaml

# A recognizer like examples/recognizer, from folders of speech of the form of DATA, in five and a half hours on two
# cores. What was stopped goes on where it stood; before other DATA, build and runs are to be removed. A first network,
# of connected speech and digits alone, aligns: its words are strung together, with pauses and without, and a second one
# goes on from it with these and all other speech.
recognizer: runs/recognizer/_SUCCESS

build/prompts/manifest.jsonl: | $(INSTALLED)
	$(BIN)/python examples/recordings.py --training $(@D)

build/first.jsonl build/corpus.jsonl: build/prompts/manifest.jsonl
	$(BIN)/python examples/training_corpus.py --data $(DATA) --prompts $(<D) --output $@ \
		$(if $(findstring first,$@),--leave-out speechocean762)

build/first/_SUCCESS: build/first.jsonl
	$(FEATURIZE) --input $< --output $(@D)

runs/first/_SUCCESS: build/first/_SUCCESS
	$(TRAIN) --config configs/train-recognizer-first.yaml --input $(<D) --output $(@D)

build/strings/manifest.jsonl build/close/manifest.jsonl: build/corpus.jsonl runs/first/_SUCCESS
	$(BIN)/python examples/word_strings.py --corpus $< --recognizer runs/first --output $(@D) \
		$(if $(findstring close,$@),--close)

build/%-shards/_SUCCESS: build/%/manifest.jsonl
	$(FEATURIZE) --input $< --output $(@D)

runs/network/_SUCCESS: build/strings-shards/_SUCCESS build/close-shards/_SUCCESS
	$(TRAIN) --config configs/train-recognizer.yaml --init runs/first --input $(^D) --output $(@D)

runs/words/_SUCCESS: runs/network/_SUCCESS
	$(BIN)/beamscribe lm --set distinct=true --input build/strings-shards --dev build/strings-shards \
		--attach $(<D) --output $(@D)

runs/recognizer/_SUCCESS: runs/words/_SUCCESS
	$(BIN)/beamscribe tune --set beam_size=150 --set balance=corpus --set 'lm_weights=[1.0,1.5]' \
		--set 'word_scores=[0.5]' --set 'letter_scores=[0.0,1.5]' --set 'prior_weights=[0.2,0.4]' \
		--set 'vocal_tracts=[0.9,1.0,1.1]' --set 'tempi=[0.92,1.0]' --recognizer $(<D) \
		--input build/strings-shards --output $(@D)

clean:
	rm -rf build .venv *.egg-info
