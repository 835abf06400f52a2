# SPDX-License-Identifier: Apache-2.0
"""The ambassador before the servers, and what it says of connections."""

import json
import subprocess
from pathlib import Path
from typing import NamedTuple

from waiting import Failure, wait_for

ELSEWHERE = "192.0.2.2"  # where the servers are
PORTS = {"web": 8000, "postgres": 5432, "redis": 6379}  # its own, by service
ENDPOINTS = {"web": (8001, 8002), "postgres": (5432,), "redis": (6379,)}


class Counts(NamedTuple):
    """Connections of a service since the ambassador's start."""
    direct: int
    by_proxy: int

    def __sub__(self, before: "Counts") -> "Counts":
        return Counts(self.direct - before.direct, self.by_proxy - before.by_proxy)


class Ambassador:
    def __init__(self, program: Path, work: Path) -> None:
        self._program = program
        self._work = work
        self._admin = work / "admin.sock"

    def start(self, inside: list[str]) -> subprocess.Popen[bytes]:
        """`inside`: the words before a command that is to run in its network namespace."""
        file = self._work / "ambbpf.toml"
        file.write_text(f'admin = "{self._admin}"\n[defaults]\ndirect = true\n' + "".join(
            f'[service.{name}]\nlisten = ":{PORTS[name]}"\nendpoints = '
            f'{[f"{ELSEWHERE}:{port}" for port in ports]}\n' for name, ports in ENDPOINTS.items()))
        with (self._work / "ambbpf.log").open("wb") as log:
            started = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *inside, self._program, "run",
                                        "--config", file], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for("ambbpf starts", lambda: self._admin.exists() or started.poll() is not None)
        if started.poll() is not None:
            raise Failure("ambbpf does not start: " + (self._work / "ambbpf.log").read_text())
        return started

    def counts(self, service: str) -> Counts:
        # It exits with 1 while it knows of a trouble.
        printed = subprocess.run([self._program, "status", "--json", "--admin", self._admin],
                                 capture_output=True, text=True)
        if not printed.stdout:
            raise Failure(f"ambbpf status: {printed.stderr.strip()}")
        services = json.loads(printed.stdout)["processes"][0]["services"]
        found = next(each for each in services if each["name"] == service)
        if found["direct"] != "on":
            raise Failure(f"zero hop is {found['direct']}: {found['direct_reason']}")
        return Counts(sum(each["direct_total"] for each in found["endpoints"]), found["connections_total"])
