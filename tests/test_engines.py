"""The same pipelines on other engines than ours: Beam's portable job server, and Dataflow's graph."""

from __future__ import annotations

import pytest
from apache_beam.runners.portability import local_job_service
from conftest import contents

from pipelines.__main__ import main

COARSE = [
    "--set",
    "features={n_mels: 20, sample_rate: 8000, n_fft: 256, win_length: 200, hop_length: 80, f_max: 4000.0}",
]
RESULTS = ("*/part-*", "*.jsonl", "_SUCCESS", "corpus.*", "per_file.*", "summary.json")


@pytest.fixture(scope="module")
def job_server(tmp_path_factory):
    """Yield the address of Beam's own job server, in this process."""
    service = local_job_service.LocalJobServicer(str(tmp_path_factory.mktemp("staging")))
    port = service.start_grpc_server(0)
    yield f"localhost:{port}"
    service.stop(0) if hasattr(service, "stop") else service._server.stop(0)


def command(verb, archive, recognizer_folder, transcripts, output):
    references = str(archive / "references.jsonl")
    return {
        "featurize": ["featurize", "--input", references, "--output", str(output), *COARSE],
        "transcribe": [
            *("transcribe", "--input", references, "--output", str(output)),
            *("--recognizer", str(recognizer_folder), "--set", "unit_minutes=0.1"),
        ],
        "evaluate": ["evaluate", "--input", str(transcripts), "--reference", references, "--output", str(output)],
    }[verb]


@pytest.fixture(scope="module")
def transcripts(archive, recognizer_folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("transcripts") / "out"
    assert main(command("transcribe", archive, recognizer_folder, None, output)) == 0
    return output


@pytest.mark.parametrize("verb", ["featurize", "transcribe", "evaluate"])
def test_the_portable_job_server_gives_the_same_bytes(
    verb, archive, recognizer_folder, transcripts, tmp_path, job_server
):
    local, portable = tmp_path / "local", tmp_path / "portable"
    arguments = command(verb, archive, recognizer_folder, transcripts, local)
    assert main(arguments) == 0
    arguments[arguments.index(str(local))] = str(portable)
    engine = ["--runner=PortableRunner", f"--job_endpoint={job_server}", "--environment_type=LOOPBACK"]
    assert main([*arguments, *engine]) == 0
    assert contents(portable, *RESULTS) == contents(local, *RESULTS)


@pytest.mark.parametrize("verb", ["featurize", "transcribe", "evaluate"])
def test_the_graph_is_built_for_dataflow_without_network_or_account(
    verb, archive, recognizer_folder, transcripts, tmp_path, capsys
):
    pytest.importorskip("apache_beam.runners.dataflow.internal.apiclient", reason="needs the extra [gcp]")
    arguments = command(verb, archive, recognizer_folder, transcripts, tmp_path / "out")
    engine = [
        "--runner=DataflowRunner",
        "--dry_run=True",
        "--no_auth",
        "--project=some-project",
        "--region=europe-west1",
    ]
    assert main([*arguments, *engine, "--temp_location=gs://bucket/tmp"]) == 0
    assert "graph built, nothing run" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
