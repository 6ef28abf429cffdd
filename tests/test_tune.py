from __future__ import annotations

import json

import pytest

from asr_model.calibration import Calibration
from asr_model.decoding import Greedy
from asr_model.language_model import LanguageModelSettings, train_language_model
from asr_model.recognizer import change_recognizer, load_recognizer, read_metadata
from pipelines.__main__ import main

FRONT_END = "features={sample_rate: 8000, n_fft: 256, win_length: 200, hop_length: 80, n_mels: 20, f_max: 4000.0}"
FEW = ["--set", "lm_weights=[0.5, 1.0]", "--set", "word_scores=[0.0, 1.0]"]


@pytest.fixture(scope="module")
def shards(archive, tmp_path_factory):
    output = tmp_path_factory.mktemp("shards") / "out"
    command = ["featurize", "--input", str(archive / "references.jsonl"), "--output", str(output)]
    assert main([*command, "--set", FRONT_END, "--set", "split.dev=0.6", "--direct_num_workers=1"]) == 0
    return output


@pytest.fixture(scope="module")
def with_words(recognizer_folder, tmp_path_factory):
    data = (recognizer_folder / "recognizer.safetensors").read_bytes()
    model = train_language_model(["a b", "a", "b a", "b c"], LanguageModelSettings(order=2))
    path = tmp_path_factory.mktemp("with-words") / "words.safetensors"
    path.write_bytes(change_recognizer(data, "file", Greedy(), model, {"epoch": 3}))
    return path


def tune(shards, recognizer, output, *more):
    return main(["tune", "--input", str(shards), "--recognizer", str(recognizer), "--output", str(output), *FEW, *more])


def test_the_table_is_shown_and_the_best_decoder_is_in_the_recognizer(shards, with_words, tmp_path, capsys):
    assert tune(shards, with_words, tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert said.count("word_score") >= 2
    assert "dev WER" in said.splitlines()[-1]
    success = json.loads((tmp_path / "out" / "_SUCCESS").read_text())
    assert success["wer"] <= success["greedy_wer"]
    data = (tmp_path / "out" / "recognizer.safetensors").read_bytes()
    before, after = load_recognizer(with_words.read_bytes(), "a"), load_recognizer(data, "b")
    assert after.settings.decoder.model_dump(mode="json") == success["decoder"]
    assert after.settings.calibration != before.settings.calibration == Calibration()
    assert sum(after.settings.token_priors) == pytest.approx(1, abs=1e-3)
    untuned = {"decoder": Greedy(), "calibration": Calibration(), "token_priors": None}
    assert after.settings.model_copy(update=untuned) == before.settings
    assert after.language_model == before.language_model
    provenance = read_metadata(data, "b")["provenance"]
    assert provenance["epoch"] == 3
    assert provenance["tuning"]["recognizer"] == before.digest


def test_a_recognizer_without_a_language_model_is_refused(shards, recognizer_folder, tmp_path, capsys):
    assert tune(shards, recognizer_folder, tmp_path / "out") == 2
    assert "carries a language model" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_vocal_tracts_are_tuned_for_and_stay_in_the_recognizer(shards, with_words, tmp_path):
    assert tune(shards, with_words, tmp_path / "one") == 0
    assert tune(shards, tmp_path / "one", tmp_path / "three", "--set", "vocal_tracts=[0.9, 1.0, 1.1]") == 0
    assert tune(shards, tmp_path / "three", tmp_path / "again") == 0
    one, three, again = (
        load_recognizer((tmp_path / name / "recognizer.safetensors").read_bytes(), name).settings
        for name in ("one", "three", "again")
    )
    assert one.vocal_tracts == (1.0,)
    assert three.vocal_tracts == again.vocal_tracts == (0.9, 1.0, 1.1)
    assert three.token_priors == again.token_priors != one.token_priors


def test_all_tempi_are_tried_and_the_best_stays_in_the_recognizer(shards, with_words, tmp_path, capsys):
    found = {}
    for name, tempi in {"half": "[0.5]", "own": "null", "both": "[0.5, 1.0]"}.items():
        assert tune(shards, with_words, tmp_path / name, "--set", f"tempi={tempi}") == 0
        found[name] = json.loads((tmp_path / name / "_SUCCESS").read_text())
        data = (tmp_path / name / "recognizer.safetensors").read_bytes()
        assert load_recognizer(data, name).settings.tempo == found[name]["tempo"]
    assert capsys.readouterr().out.count("at tempo 0.5") == 2
    assert (found["half"]["tempo"], found["own"]["tempo"]) == (0.5, 1.0)
    better = min(found["half"], found["own"], key=lambda one: one["wer"])
    assert {**found["both"], "settings": None} == {**better, "settings": None}


def test_shards_of_other_features_or_without_a_dev_split_are_refused(archive, with_words, tmp_path, capsys):
    command = ["featurize", "--input", str(archive / "references.jsonl"), "--direct_num_workers=1"]
    others = ["--set", FRONT_END, "--set", "features.n_mels=10", "--set", "split.dev=1"]
    assert main([*command, "--output", str(tmp_path / "others"), *others]) == 0
    assert tune(tmp_path / "others", with_words, tmp_path / "out") == 2
    assert "differ from those of the recognizer" in capsys.readouterr().err
    none = ["--set", FRONT_END, "--set", "split.dev=0"]
    assert main([*command, "--output", str(tmp_path / "none"), *none]) == 0
    assert tune(tmp_path / "none", with_words, tmp_path / "out") == 2
    assert "no utterances in the dev split" in capsys.readouterr().err


def test_groups_are_balanced_by_a_column_that_is_there(shards, with_words, tmp_path, capsys):
    assert tune(shards, with_words, tmp_path / "none", "--set", "balance=queue") == 2
    assert "balance: " in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    assert tune(shards, with_words, tmp_path / "out", "--set", "balance=speaker") == 0
    assert "groups" in capsys.readouterr().out
    success = json.loads((tmp_path / "out" / "_SUCCESS").read_text())
    rates = success["wer_by_group"]
    assert len(rates) > 1
    assert success["wer"] == pytest.approx(sum(rates.values()) / len(rates))
