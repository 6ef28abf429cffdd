from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch

from asr_model.processes import Processes, joined_processes

TOGETHER = """
from pathlib import Path
import torch
from asr_model.processes import joined_processes

def check(processes):
    assert processes.count == 2
    number = processes.number
    assert processes.sum(torch.tensor([1.0, number])).tolist() == [2.0, 1.0]
    assert processes.any(number == 1) and not processes.any(False)
    assert processes.gather({"from": number}) == [{"from": 0}, {"from": 1}]
    layer = torch.nn.Linear(2, 1, bias=False)
    shared = processes.share_gradients(layer)
    with processes.keeping_gradients(shared):
        shared(torch.tensor([[1.0, 0.0]])).sum().backward()
    shared(torch.tensor([[0.0, 1.0 + number]])).sum().backward()
    assert layer.weight.grad.tolist() == [[1.0, 1.5]], layer.weight.grad

def group_threads():
    names = [file.read_text() for file in Path("/proc/self/task").glob("*/comm")]
    return [name for name in names if "gloo" in name]

torch.set_num_threads(1)
with joined_processes() as processes:
    check(processes)
    assert group_threads()
assert not group_threads()
"""


def test_one_process_is_all_there_is():
    with joined_processes() as processes:
        assert (processes.number, processes.count, processes.is_first) == (0, 1, True)
        assert processes.sum(torch.tensor(3.0)) == 3
        assert processes.gather("a") == ["a"]
        assert processes.any(True)
        assert not processes.any(False)
    layer = torch.nn.Linear(1, 1)
    assert Processes(0, 1, torch.device("cpu")).share_gradients(layer) is layer


def test_two_processes_add_and_gather_and_share_gradients(tmp_path):
    (tmp_path / "together.py").write_text(TOGETHER)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(tmp_path / "together.py")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
