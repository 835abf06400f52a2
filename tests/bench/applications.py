# SPDX-License-Identifier: Apache-2.0
"""What applications' own load tools get through each contender, in front of the servers they are made for."""

import random
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from typing import Any

import contenders
from backends import PACKAGES, SERVERS, Backend, Server, program, wait_until_it_listens
from contenders import Contender, Place, Programs
from load_tools import ROWS, Row, Target
from machine import Failure, Network, run_time

DEFAULT = [contenders.NONE, contenders.DIRECT, *contenders.ENGINES, contenders.AUTO, "haproxy", "nginx"]
FIRST_PORT = 9101


class Application(Contender):
    """A contender in front of a server that is not the load generator's."""

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def wait_until_ready(self, process: subprocess.Popen[bytes], programs: Programs,
                         place: Place) -> None:
        wait_until_it_listens(process, self.port)


def lacking(row: Row) -> str:
    """What the row needs and this machine has not, in one line."""
    server = next(server for server in SERVERS if server.name == row.server)
    needed = dict.fromkeys(name for name in [row.program, *server.programs] if name)
    missing = [name for name in needed if not program(name)]
    packages = " ".join(dict.fromkeys(PACKAGES[name] for name in missing))
    return f"{row.title}: left out, no {', '.join(missing)} here (Debian: {packages})" if missing else ""


class Applications:
    def __init__(self, programs: Programs, names: list[str], rows: list[str], seconds: int,
                 seed: int) -> None:
        self.programs = programs
        self.names = names
        self.seconds = seconds
        self.random = random.Random(seed)
        self.samples: list[dict[str, Any]] = []
        chosen = [row for row in ROWS if row.name in rows]
        self.left_out = [line for row in chosen if (line := lacking(row))]
        self.rows = [row for row in chosen if not lacking(row)]

    def measure(self, rounds: int) -> None:
        network = Network()
        network.set_up()
        with ExitStack() as stack:
            backends = self._start_servers(stack)
            for line in self.left_out:
                print(line, file=sys.stderr)
            for round_number in range(rounds):
                for server, backend in backends:
                    place = Place(network, network, "127.0.0.1", f"127.0.0.1:{server.port}")
                    print(f"round {round_number + 1}/{rounds}: {server.name}", file=sys.stderr, flush=True)
                    self._visit(round_number, server, backend, place)

    def _start_servers(self, stack: ExitStack) -> list[tuple[Server, Backend]]:
        running = []
        for server in SERVERS:
            if not any(row.server == server.name for row in self.rows):
                continue
            try:
                backend = Backend(server, self.programs.work, self.programs.threads, self.programs.load)
            except Failure as failure:
                self.left_out.append(f"rows of {server.name}: left out, it does not start: {failure}")
                continue
            stack.callback(backend.stop)
            running.append((server, backend))
        return running

    def _visit(self, round_number: int, server: Server, backend: Backend, place: Place) -> None:
        """All contenders are up meanwhile, and only in front of this server: idle, they take no CPU."""
        with ExitStack() as stack:
            running = self._start_all(place, stack)
            for row in self.rows:
                if row.server != server.name:
                    continue
                for name in self.random.sample(self.names, len(self.names)):
                    sample = self._sample(row, running[name], server)
                    self.samples.append({"topology": "loopback", "round": round_number, "work": row.name,
                                         "contender": name, **sample})
                    if "error" not in sample:
                        continue
                    print(f"  {row.name}, {name}: {sample['error']}", file=sys.stderr, flush=True)
                    # A client may have left its server waiting, and to contenders a restart is a failure.
                    stack.close()
                    backend.restart()
                    running = self._start_all(place, stack)

    def _start_all(self, place: Place, stack: ExitStack) -> dict[str, Application | Failure]:
        running: dict[str, Application | Failure] = {}
        for port, name in enumerate(self.names, FIRST_PORT):
            try:
                contender = running[name] = Application(name, self.programs, place, port)
                stack.callback(contender.stop)
            except Failure as failure:
                running[name] = failure
        return running

    def _sample(self, row: Row, contender: Application | Failure, server: Server) -> dict[str, Any]:
        if isinstance(contender, Failure):
            return {"error": str(contender)}
        try:
            return {"figures": self._figures(row, contender, server)}
        except Failure as failure:
            return {"error": str(failure)}

    def _figures(self, row: Row, contender: Application, server: Server) -> dict[str, float]:
        process = contender.process
        if process and process.poll() is not None:
            raise Failure(f"it has ended with {process.returncode}")
        if contender.name == contenders.DIRECT:
            self._wake(contender)
            sent, left = self._connects(contender)
        before = run_time(process.pid) if process else 0.0
        figures = row.tool(Target(contender.port, server.port, self.seconds, self.programs.work,
                                  self.programs.load))
        if not figures["count"]:
            raise Failure("stalled: nothing was done")
        if process:
            figures["cpu_s"] = run_time(process.pid) - before
        if contender.name == contenders.DIRECT:
            now_sent, now_left = self._connects(contender)
            figures["sent_on"] = (now_sent - sent) / (now_sent - sent + now_left - left)
        return figures

    def _connects(self, direct: Application) -> tuple[int, int]:
        return contenders.connects(self.programs.ambbpf, direct.folder / "admin.sock")

    def _wake(self, direct: Application) -> None:
        """After 10 s without a connect the next one goes by the proxy, and the server is asked."""
        deadline = time.monotonic() + contenders.TIMEOUT
        before, _ = self._connects(direct)
        while self._connects(direct)[0] == before:
            if time.monotonic() > deadline:
                raise Failure("no connect is sent straight to the server")
            with suppress(OSError):  # iperf3 may be about to listen anew
                socket.create_connection(("127.0.0.1", direct.port), contenders.TIMEOUT).close()
