# SPDX-License-Identifier: Apache-2.0
"""Commands that must succeed, and conditions that must come true."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path


class Failure(Exception):
    """What should have happened and did not."""


def wait_for(what: str, happened: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.02)


def run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
