"""A worker process of the local runner: Beam's own, but one that never outlives its driver."""

from __future__ import annotations

import atexit
import gc
import json
import logging
import os
import sys
import threading

__all__ = ["end_bundles_at_once", "end_with_driver", "main"]

SAMPLING_MILLISECONDS = 10
"""Beam's own are 200."""


def end_bundles_at_once() -> None:
    """Let Beam look more often at what a bundle is doing in this process.

    The thread that looks sleeps in between, longer and longer, and the end of every bundle waits until it wakes up.
    """
    from apache_beam.runners.worker.statesampler import StateSampler

    StateSampler.__init__.__defaults__ = (SAMPLING_MILLISECONDS,)


def end_with_driver() -> None:
    """End this process as soon as its standard input closes, as it does however the driver ends, SIGKILL included."""
    lifeline = os.dup(0)
    # What a DoFn starts (ffmpeg, say) must neither read the lifeline nor keep it.
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)

    def watch() -> None:
        os.read(lifeline, 1)
        os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def main() -> None:
    """Run Beam's worker until the driver has no more work.

    On standard input comes one line, a JSON object of the environment variables that Beam's worker goes by.
    """
    orders = sys.stdin.readline()
    end_with_driver()
    os.environ.update(json.loads(orders))
    gc.disable()  # importing makes a million objects and no garbage; looking for it takes a quarter of the time
    from apache_beam.runners import common
    from apache_beam.runners.worker import sdk_worker, sdk_worker_main

    gc.freeze()
    gc.enable()
    end_bundles_at_once()

    # An error goes back to the driver as the answer to the work; printed here too, it would fill the terminal.
    for module in (common, sdk_worker, sdk_worker_main):
        module._LOGGER.setLevel(logging.CRITICAL)
    sdk_worker.print = lambda *_, **__: None
    logging.basicConfig(format="worker %(process)d: %(levelname)s: %(message)s")
    sdk_worker_main.main([])
    # An interpreter full of modules takes a second or more to take itself apart, and nothing is left to be done.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
