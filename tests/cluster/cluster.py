# SPDX-License-Identifier: Apache-2.0
"""The three machines, and what an administrator does on them."""

import http.client
import json
import shutil
import time
from pathlib import Path
from typing import Any

from images import start_registry
from key_watch import KeyWatch
from load import HeldConnection, Load
from machine import NAMES, REGISTRY, Machine, Switch, wait_for

ROOT = Path(__file__).resolve().parent.parent.parent
KEY = "/services/apache-A/apache.service"


class Cluster:
    def __init__(self, work: Path, groups: str, ambbpf: Path) -> None:
        Switch()
        self._registry = start_registry(work, REGISTRY)
        given = work / "given"
        shutil.rmtree(given, ignore_errors=True)
        (given / "bin").mkdir(parents=True)
        shutil.copy(ambbpf, given / "bin" / "ambbpf")
        shutil.copytree(ROOT / "units", given / "units")
        machines = work / "machines"
        shutil.rmtree(machines, ignore_errors=True)  # a run that was killed has left its disks
        self.provider = ""  # the name of the machine that has the provider's units
        self._machines = {name: Machine(name, machines, groups, given) for name in NAMES}
        # Not from A, which is going to vanish without a word.
        self.key = KeyWatch([self["B"].private, self["C"].private], KEY)

    def __getitem__(self, name: str) -> Machine:
        return self._machines[name]

    def boot(self, *names: str) -> None:
        """Returns when Docker and etcd are up there."""
        for name in names:
            self[name].boot([m for m in self._machines.values() if m.name != name])
        for name in names:
            wait_for(f"machine {name} comes up", 120, self[name].is_up)

    def shut_down(self) -> None:
        for machine in self._machines.values():
            if machine.runs():
                machine.crash()
            machine.forget_disk()
        self._registry.terminate()

    # What is there for clients

    def load(self, rate: float) -> Load:
        """Through HAProxy."""
        return Load(self["B"].public, 80, rate)

    def wait_for_page(self, what: str) -> None:
        began = time.monotonic()
        with self.load(rate=10) as load:
            wait_for(what, 60, lambda: load.good_since(began))

    def hold(self, what: str) -> HeldConnection:
        """To the ambassador on B, without HAProxy between."""
        return HeldConnection(what, self["B"].private, 80)

    def talk_on_one_connection(self) -> None:
        """As many requests as Apache allows, with the ambassador on B: long enough to move to the kernel."""
        connection = http.client.HTTPConnection(self["B"].private, 80, timeout=20)
        for _ in range(100):
            connection.request("GET", "/")
            connection.getresponse().read()
        connection.close()

    # What is said of it

    def status(self, *command: str) -> dict[str, Any]:
        """Of the one process that `ambbpf status`, which is run on B, tells of."""
        report = json.loads(self["B"].attempt(*command, "--json").stdout)
        (process,) = report["processes"]
        assert isinstance(process, dict)
        return process

    def save_logs(self, directory: Path) -> str:
        """Every machine's whole journal; returns the end of what our units say."""
        directory.mkdir(exist_ok=True)
        told = ""
        for machine in self._machines.values():
            if not machine.runs():
                continue
            journal = directory / f"machine-{machine.name}.journal"
            journal.write_text(machine.attempt("journalctl", "--no-pager", "--output=short-precise").stdout)
            ours = ["--unit=apache*", "--unit=etcd-amb*", "--unit=haproxy*", "--unit=ambbpf*"]
            said = machine.attempt("journalctl", "--no-pager", "--output=short-precise", "--lines=40", *ours)
            told += f"--- the end of {journal}, our units only\n{said.stdout}"
        return told
