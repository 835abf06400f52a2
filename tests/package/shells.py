#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Types command lines with a tab in bash, zsh and fish, and sees what they become.

Usage: shells.py REFERENCE, the directory that `ambbpf reference --into` has filled.
"""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

EXPECTED = {"ambbpf sta\t": "status", "ambbpf check --he\t": "check --help",
            "ambbpf run --con\t": "run --config", "ambbpf proxy --engine soc\t": "proxy --engine sockmap",
            "ambbpf proxy --ignore-health --hol\t": "proxy --ignore-health --hold",
            "ambbpf forward --policy rou\t": "forward --policy round_robin",
            "ambbpf check /etc/host.con\t": "check /etc/host.conf"}


class Failure(Exception):
    pass


class Terminal:
    """An interactive shell where `ambbpf` only says what it is given."""

    def __init__(self, *command: str) -> None:
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.environ |= {"TERM": "dumb", "PS1": "$ "}
            os.execvp(command[0], command)
        self._seen = ""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._fd)

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def wait_for(self, text: str, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while text not in self._seen:
            left = deadline - time.monotonic()
            if left < 0 or not select.select([self._fd], [], [], left)[0]:
                raise Failure(f"'{text}' does not come; what came: {self._seen!r}")
            self._seen += os.read(self._fd, 65536).decode(errors="replace")
        self._seen = ""


def try_typing(shell: list[str], prepare: str) -> None:
    with Terminal(*shell) as terminal:
        terminal.type(prepare + "; ambbpf() { echo \"got<$*>\"; }; echo rea''dy\n")
        terminal.wait_for("ready")
        for typed, expected in EXPECTED.items():
            terminal.type(typed + "\n")
            # zsh writes the sign that it accepts behind an option.
            terminal.wait_for(f"got<{expected}")


def try_fish(reference: Path) -> None:
    for typed, expected in EXPECTED.items():
        line = typed.rstrip("\t")
        offered = subprocess.run(
            ["fish", "--no-config", "--private", "-c", f"source {reference}/fish/ambbpf.fish; complete -C '{line}'"],
            check=True, capture_output=True, text=True).stdout
        word = expected.split()[-1]
        if word not in [each.partition("\t")[0] for each in offered.splitlines()]:
            raise Failure(f"fish does not complete '{line}' to '{word}'; it offers: {offered}")


def main() -> None:
    reference = Path(sys.argv[1]).resolve()
    try_typing(["bash", "--norc", "--noprofile", "-i"], f"source {reference}/bash/ambbpf")
    try_typing(["zsh", "-f", "-i"],
               f"fpath=({reference}/zsh $fpath); autoload -U compinit; compinit -u -D")
    try_fish(reference)
    print(f"{len(EXPECTED)} command lines are completed by bash, zsh and fish")


if __name__ == "__main__":
    main()
