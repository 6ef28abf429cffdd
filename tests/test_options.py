import subprocess
import sys

import pytest
from apache_beam.options.pipeline_options import DirectOptions, GoogleCloudOptions, PipelineOptions
from apache_beam.runners.portability.portable_runner import PortableRunner

from asr_model.config import SettingsError
from pipelines.local_runner import LocalRunner
from pipelines.options import beam_options, make_runner


def test_every_option_of_beam_is_known():
    options = beam_options(["--project", "p", "--direct_num_workers=3", "--experiments=a,b", "--no_auth"])
    assert options.view_as(GoogleCloudOptions).project == "p"
    assert options.view_as(GoogleCloudOptions).no_auth
    assert options.get_all_options()["experiments"] == ["a", "b"]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--direct_num_worker=2", "--direct_num_worker=2: not an option; did you mean --direct_num_workers?"),
        ("--runer=DirectRunner", "--runer=DirectRunner: not an option; did you mean --runner?"),
        ("--direct_num", "--direct_num: not an option"),  # argparse alone would take it for an abbreviation
        ("stray", "stray: not an option"),
        ("--direct_num_workers=two", "--direct_num_workers: invalid int value: 'two'"),
        ("--direct_num_workers=-1", "--direct_num_workers=-1: wanted 0"),
        ("--direct_running_mode=in_memroy", "--direct_running_mode: invalid choice: 'in_memroy'"),
        ("--direct_running_mode=multi_threading", "multi_threading: refused, because Beam corrupts large elements"),
        ("--project", "--project: expected one argument"),
        ("--runner=DirctRunner", "--runner=DirctRunner: no such runner; did you mean DirectRunner?"),
    ],
)
def test_a_wrong_option_is_named(argument, message):
    with pytest.raises(SettingsError) as caught:
        beam_options([argument])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "workers", "mode"),
    [
        ([], 4, "multi_processing"),
        (["--direct_num_workers=0"], 4, "multi_processing"),
        (["--direct_num_workers=1"], 1, "in_memory"),
        (["--direct_num_workers", "3"], 3, "multi_processing"),
        (["--direct_running_mode=in_memory"], 1, "in_memory"),
        (["--direct_num_workers=1", "--direct_running_mode=multi_processing"], 1, "multi_processing"),
    ],
)
def test_workers_and_mode_left_out(arguments, workers, mode, monkeypatch):
    monkeypatch.setattr("pipelines.options._num_processors", lambda: 4)
    direct = beam_options(arguments).view_as(DirectOptions)
    assert (direct.direct_num_workers, direct.direct_running_mode) == (workers, mode)


@pytest.mark.parametrize("arguments", [[], ["--runner=DirectRunner"], ["--runner", "direct"], ["--runner=FnApiRunner"]])
def test_the_local_runner_is_ours(arguments):
    assert isinstance(make_runner(beam_options(arguments)), LocalRunner)


def test_other_runners_are_beams():
    assert type(make_runner(beam_options(["--runner=PortableRunner"]))) is PortableRunner
    assert type(make_runner(beam_options(["--runner=FlinkRunner"]))).__name__ == "FlinkRunner"


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam.runners.dataflow.internal.apiclient", None)
    with pytest.raises(SettingsError, match=r"--runner=DataflowRunner: not installed; .*beamscribe\[gcp\]"):
        make_runner(PipelineOptions(["--runner=DataflowRunner"]))


@pytest.mark.parametrize("path", ["no.such.Runner", "apache_beam.NoSuchRunner"])
def test_a_wrong_dotted_path_is_named(path):
    with pytest.raises(SettingsError, match=f"--runner={path}"):
        make_runner(beam_options([f"--runner={path}"]))


def test_importing_loads_no_beam():
    code = "import sys, pipelines.options; sys.exit('apache_beam' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
