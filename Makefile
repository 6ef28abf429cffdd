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

TRAIN_TOGETHER := $(BIN)/torchrun --nproc_per_node=2 -m pipelines train --config configs/train-recognizer-further.yaml \
	--set learning_rate=8.0e-4 --set batches.batch_frames=3000 --set batches_per_step=2
DEEPER := --set network.lstm_layers=3 --set learning_rate=1.2e-3 --set batches.batch_frames=3800 \
	--set spec_augment.max_tempo_change=0.3

# A recognizer like examples/recognizer, from folders of speech of the form of DATA; a night on two cores. A first one, of
# connected speech and digits alone, aligns: its words are strung together with pauses for the second. The third learns
# from two views of each utterance, and two more go on so from means, and two that hear noise. From a mean, one goes on
# with a third LSTM layer, faster frames and many tempi, then with strings that are spelled without pauses, and from a
# mean again without them, the last with other draws of strings and copies.
recognizer: $(INSTALLED)
	$(BIN)/python examples/recordings.py --training build/prompts
	$(BIN)/python examples/training_corpus.py --data $(DATA) --prompts build/prompts \
		--leave-out speechocean762 --output build/first.jsonl
	$(BIN)/python examples/training_corpus.py --data $(DATA) --prompts build/prompts --output build/corpus.jsonl
	$(BIN)/beamscribe featurize --config configs/featurize-recognizer.yaml --input build/first.jsonl --output build/first
	$(BIN)/beamscribe train --config configs/train-recognizer.yaml --input build/first --output runs/first
	$(BIN)/python examples/word_strings.py --corpus build/corpus.jsonl --recognizer runs/first --output build/strings
	$(BIN)/beamscribe featurize --config configs/featurize-recognizer.yaml --input build/strings/manifest.jsonl \
		--output build/shards
	$(BIN)/beamscribe train --config configs/train-recognizer.yaml --init runs/first --input build/shards \
		--output runs/second
	$(BIN)/beamscribe train --config configs/train-recognizer-further.yaml --init runs/second --input build/shards \
		--output runs/third
	$(BIN)/python examples/average_recognizers.py --shares 0.4,0.6 --output runs/averaged runs/second runs/third
	$(BIN)/beamscribe train --config configs/train-recognizer-further.yaml --init runs/averaged --input build/shards \
		--set seed=1 --set epochs=9 --set learning_rate=1.2e-3 --output runs/fourth
	$(BIN)/python examples/average_recognizers.py --shares 0.4,0.6 --output runs/again-averaged runs/averaged runs/fourth
	$(BIN)/beamscribe train --config configs/train-recognizer-further.yaml --init runs/again-averaged \
		--input build/shards --set seed=3 --set epochs=2 --set learning_rate=5.0e-4 --output runs/fifth
	$(BIN)/python examples/average_recognizers.py --shares 0.3,0.4,0.3 --output runs/of-three \
		runs/averaged runs/fourth runs/fifth
	$(TRAIN_TOGETHER) --init runs/of-three --input build/shards --set seed=11 --set epochs=4 \
		--set spec_augment.max_noise=0.3 --output runs/sixth
	$(BIN)/python examples/average_recognizers.py --shares 0.5,0.5 --output runs/half runs/of-three runs/sixth
	$(TRAIN_TOGETHER) --init runs/half --input build/shards --set seed=12 --set epochs=3 --output runs/seventh
	$(BIN)/python examples/average_recognizers.py --shares 0.3,0.7 --output runs/of-all runs/of-three runs/seventh
	$(BIN)/beamscribe featurize --config configs/featurize-recognizer-further.yaml --input build/strings/manifest.jsonl \
		--output build/further
	$(TRAIN_TOGETHER) $(DEEPER) --init runs/of-all --input build/further --set seed=13 --set epochs=8 \
		--output runs/eighth
	$(BIN)/python examples/word_strings.py --close --corpus build/corpus.jsonl --recognizer runs/eighth \
		--output build/close
	$(BIN)/beamscribe featurize --config configs/featurize-recognizer-further.yaml --input build/close/manifest.jsonl \
		--output build/close-shards
	$(BIN)/beamscribe featurize --config configs/featurize-recognizer-cut.yaml --input build/first.jsonl --output build/cut
	$(TRAIN_TOGETHER) $(DEEPER) --init runs/eighth --input build/further build/close-shards build/cut --set seed=14 \
		--set epochs=2 --output runs/ninth
	$(BIN)/python examples/average_recognizers.py --shares 0.35,0.65 --output runs/of-both runs/eighth runs/ninth
	$(TRAIN_TOGETHER) $(DEEPER) --init runs/of-both --input build/further build/cut --set seed=15 --set epochs=3 \
		--output runs/tenth
	$(BIN)/python examples/average_recognizers.py --shares 0.5,0.5 --output runs/averaged-last runs/of-both runs/tenth
	$(BIN)/python examples/word_strings.py --draw 1 --corpus build/corpus.jsonl --recognizer runs/averaged-last \
		--output build/strings-anew
	$(BIN)/beamscribe featurize --config configs/featurize-recognizer-anew.yaml --input build/strings-anew/manifest.jsonl \
		--output build/anew
	$(TRAIN_TOGETHER) $(DEEPER) --init runs/averaged-last --input build/anew build/cut --set seed=16 --set epochs=3 \
		--output runs/eleventh
	$(BIN)/python examples/average_recognizers.py --shares 0.5,0.5 --output runs/of-last runs/averaged-last runs/eleventh
	$(TRAIN_TOGETHER) $(DEEPER) --set learning_rate=5.0e-4 --init runs/of-last --input build/cut build/close-shards \
		--set seed=17 --set epochs=1 --output runs/twelfth
	$(BIN)/python examples/average_recognizers.py --shares 0.6,0.2,0.2 --output runs/of-three-last \
		runs/averaged-last runs/eleventh runs/twelfth
	$(BIN)/beamscribe lm --set distinct=true --input build/further --dev build/further --attach runs/of-three-last \
		--output runs/with-words
	$(BIN)/beamscribe tune --set beam_size=150 --set balance=corpus --set 'lm_weights=[1.25,1.5]' \
		--set 'word_scores=[0.0,0.5]' --set 'letter_scores=[0.0,1.5]' --set 'prior_weights=[0.3,0.4]' \
		--set 'vocal_tracts=[0.9,1.0,1.1]' --set 'tempi=[0.85,0.92,1.0]' --recognizer runs/with-words \
		--input build/further --output runs/recognizer

clean:
	rm -rf build .venv *.egg-info
