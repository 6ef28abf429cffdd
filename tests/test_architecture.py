"""The rules of the design that a machine can check."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from asr_model.config import load_settings, parse_yaml
from asr_model.examples import FeaturizeSettings
from asr_model.language_model import LanguageModelSettings
from asr_model.scoring import EvaluateSettings
from asr_model.significance import CompareSettings
from asr_model.train import TrainSettings
from asr_model.transcription import TranscribeSettings
from asr_model.tuning import TuneSettings

ROOT = Path(__file__).parents[1]
PACKAGES = ("asr_model", "pipelines")
MODULES = [path for package in PACKAGES for path in sorted((ROOT / package).glob("*.py")) if path.stem != "__init__"]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
SETTINGS = {
    "featurize": FeaturizeSettings,
    "train": TrainSettings,
    "lm": LanguageModelSettings,
    "tune": TuneSettings,
    "transcribe": TranscribeSettings,
    "evaluate": EvaluateSettings,
    "compare": CompareSettings,
}
FORBIDDEN_NAMES = {"utils", "util", "base", "common", "manager", "helpers", "misc"}
ORDER = [
    {"config", "edits", "level", "memory", "pieces", "presets", "spectrum", "statistics", "streams"},
    {"containers", "flac", "sound_files", "intervals"},
    {"audio", "census", "mel", "text", "layers", "records", "segmentation", "shards"},
    {"alternatives", "captions", "groups", "nist", "normalization"},
    {"alignment", "calibration", "ngrams", "language_model", "prefix_beam"},
    {"channels", "sounds", "telephone"},
    {"augment", "conditioning", "features", "decoding", "scoring", "spec_augment", "tempo", "vocal_tract"},
    {"confusions", "significance", "tally"},
    {"marks"},
    {"summary"},
    {"network", "trimming"},
    {"residual_cnn"},
    {"cnn_bilstm", "conformer", "consistency", "listen_attend_spell"},
    {"networks"},
    {"batches", "matching", "examples", "checkpoints"},
    {"recognizer", "external"},
    {"transcription", "tuning", "processes"},
    {"run_state", "fine_tuning", "validation"},
    {"optimization", "journal"},
    {"train"},
]
"""Imports of asr_model go to an earlier row, or to the same one."""
VERB_MODULES = {"compare", "featurize", "train", "lm", "tune", "transcribe", "evaluate", "training"}


def imported(path):
    """Return the names of all modules a file imports anywhere, type checking aside."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    only_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    names = set()
    for node in ast.walk(tree):
        if node in only_types:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def name_of(path):
    return f"{path.parent.name}/{path.name}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_has_its_test(path):
    name = path.stem.strip("_")
    assert (ROOT / "tests" / f"test_{name}.py").exists()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_are_short_and_named_by_a_noun_of_their_own(path):
    assert path.stem not in FORBIDDEN_NAMES
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


@pytest.mark.parametrize("path", [path for path in MODULES if path.parent.name == "asr_model"], ids=name_of)
def test_speech_knows_nothing_of_beam_and_its_imports_go_one_way(path):
    names = imported(path)
    assert not any(name.split(".")[0] in ("apache_beam", "pipelines") for name in names)
    row = {module: number for number, modules in enumerate(ORDER) for module in modules}
    for name in names:
        if name.startswith("asr_model.") and (target := name.split(".")[1]) != path.stem:
            assert row[target] <= row[path.stem], f"{path.stem} imports {target}"


@pytest.mark.parametrize("path", [path for path in MODULES if path.stem in VERB_MODULES], ids=name_of)
def test_pipelines_do_not_import_one_another(path):
    others = VERB_MODULES - {path.stem, "training" if path.stem == "train" else ""}
    assert not {f"pipelines.{other}" for other in others} & imported(path)


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_loads_neither_torch_nor_beam(package):
    code = f"import sys, {package}; print(sorted({{'torch', 'apache_beam'}} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert shown.strip() == "[]"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_config_is_one_of_a_verb_and_loads(path):
    verb = path.stem.split("-")[0]
    load_settings(SETTINGS[verb], parse_yaml(path.read_text(encoding="utf-8"), path.name), path.name)


@pytest.mark.parametrize("verb", SETTINGS)
def test_the_default_config_says_what_the_code_says(verb):
    path = ROOT / "configs" / f"{verb}.yaml"
    data = parse_yaml(path.read_text(encoding="utf-8"), path.name)
    model = SETTINGS[verb]
    assert load_settings(model, data, path.name) == model()
    assert set(model.model_fields) == set(data)  # the file shows every setting there is


def test_no_recording_lies_in_the_repository():
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=False, cwd=ROOT)
    if listed.returncode:
        files = [str(p) for p in ROOT.rglob("*") if not {".venv", "build", "runs"} & set(p.relative_to(ROOT).parts)]
    else:
        files = listed.stdout.splitlines()
    suffixes = {".wav", ".flac", ".mp3", ".ogg", ".opus", ".raw", ".sph", ".gsm", ".m4a"}
    assert not [file for file in files if Path(file).suffix.lower() in suffixes]
