from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.__main__ import VERBS, _parser, main


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "pipelines", *arguments], capture_output=True, text=True, check=False)


def test_help_is_quick_it_loads_neither_torch_nor_beam():
    code = (
        "import sys\nfrom pipelines.__main__ import main\n"
        "try:\n    main(['transcribe', '--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "print(sorted({'torch', 'apache_beam', 'pyarrow'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "[]"
    assert "--recognizer" in shown


@pytest.mark.parametrize("verb", VERBS)
def test_the_example_in_the_help_is_a_right_command(verb):
    program, *arguments = shlex.split(VERBS[verb].example)
    assert program == "beamscribe"
    parsed, rest = _parser().parse_known_args(arguments)
    assert parsed.verb == verb
    assert all(option.startswith("--direct_") for option in rest)


def test_python_m_pipelines_is_the_same_command():
    shown = run("--help")
    assert shown.returncode == 0
    assert all(verb in shown.stdout for verb in VERBS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "features.n_mel=40"], "features.n_mel: unknown setting; did you mean n_mels?"),
        (["--set", "features.n_mels=many"], 'features.n_mels: found "many"'),
        (["--set", "unit_minutes=-1"], "unit_minutes: found -1"),
        (["--set", "unit_minutes"], "wanted section.key=value"),
        (["--config", "none.yaml"], "none.yaml"),
        (["--direct_num_worker=2"], "did you mean --direct_num_workers"),
        (["--runner=DirektRunner"], "did you mean DirectRunner"),
        (["--direct_running_mode=multi_threading"], "multi_threading"),
    ],
)
def test_wrong_settings_and_options_are_named_before_any_work(archive, tmp_path, capsys, arguments, message):
    source = str(archive / "references.jsonl")
    assert main(["featurize", "--input", source, "--output", str(tmp_path / "out"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [[], ["transcribe"], ["transcibe", "--help"], ["evaluate", "--input", "x"]])
def test_a_command_that_is_not_whole_is_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize("verb", VERBS)
def test_an_input_that_is_not_there_is_wrong_usage(verb, tmp_path, capsys):
    more = [part for a in VERBS[verb].arguments if a.more.get("required") for part in (a.flag, str(tmp_path / "none"))]
    none = str(tmp_path / "none")
    source = [none, none] if VERBS[verb].bare_input else ["--input", none]
    assert main([verb, *source, "--output", str(tmp_path / "out"), *more]) == 2
    assert str(tmp_path / "none") in capsys.readouterr().err


def test_settings_come_from_the_file_and_are_overridden(archive, tmp_path):
    (tmp_path / "mine.yaml").write_text("features: {n_mels: 10}\nunit_minutes: 30.0\n")
    command = ["featurize", "--config", str(tmp_path / "mine.yaml"), "--input", str(archive / "references.jsonl")]
    assert main([*command, "--output", str(tmp_path / "out"), "--set", "features.n_mels=12"]) == 0
    settings = json.loads((tmp_path / "out" / "_SUCCESS").read_text())["settings"]
    assert (settings["features"]["n_mels"], settings["unit_minutes"]) == (12, 30.0)


def test_one_line_at_the_end_says_what_was_done(archive, tmp_path, capsys):
    command = ["featurize", "--input", str(archive / "references.jsonl"), "--output", str(tmp_path / "out")]
    assert main(command) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"featurize: 12 of 12 recordings, 12 examples, .* h of audio, 0 failures, .*, [\d.]+ s", line)


def test_the_readme_names_no_setting_or_option_that_does_not_exist():
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    commands = re.findall(r"^(?:\.venv/bin/)?beamscribe (\w+ .*)$", readme, flags=re.MULTILINE)
    assert {command.split()[0] for command in commands} == set(VERBS)
    for command in commands:
        _parser().parse_known_args(shlex.split(command, comments=True))
