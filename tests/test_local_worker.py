import subprocess
import sys

import pytest

SLEEPER = """
import subprocess, sys, time
from pipelines.local_worker import end_with_driver
end_with_driver()
print(repr(sys.stdin.read()), flush=True)
time.sleep(60)
"""


def test_ends_when_its_standard_input_closes():
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    # What runs in the worker finds an empty standard input, not the lifeline.
    assert process.stdout.readline() == "''\n"
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.5)
    process.communicate(timeout=5)
    assert process.returncode == 1
