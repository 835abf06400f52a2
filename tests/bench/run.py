# SPDX-License-Identifier: Apache-2.0
"""One run: every round visits every contender with every kind of work before the next round begins."""

import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import contenders
import works
from contenders import Contender, Place, Programs
from machine import (Failure, IdleCgroup, Network, Networks, end, join, kernel_memory, run_time,
                     start_spinners, user_memory)

SERVER_PORT = 9000
FRESH_PORT = 9100  # of proxies that are started for one measurement
WARM_UP = 0.2      # seconds
SETTLE = 1.5       # seconds for idle connections to come to rest
TOLERATED_NOISE = 0.15  # of the machine's CPU, taken by others around a measurement of CPU
SPINNERS_COMPARED = 3  # times, with and without
TIMEOUT = 20.0    # seconds that a measurement may take beyond its time


class Run:
    def __init__(self, programs: Programs, names: list[str], seconds: float, idle_connections: int,
                 idle_cgroup: IdleCgroup, seed: int) -> None:
        self.programs = programs
        self.names = names
        self.seconds = seconds
        self.idle_connections = idle_connections
        self.idle_cgroup = idle_cgroup
        self.random = random.Random(seed)
        self.counters = str(programs.work / "spinners")
        self.samples: list[dict[str, Any]] = []
        self.idle_cost: dict[str, float] = {}
        self.spinners_effect: dict[str, tuple[float, float]] = {}  # figures without and with them
        self.best_idle_rate = 1.0  # spins per second

    # Topologies

    def loopback(self, rounds: int, memory_rounds: int, groups: list[str]) -> None:
        network = Network()
        network.set_up()
        place = Place(network, network, "127.0.0.1", f"127.0.0.1:{SERVER_PORT}")
        self._topology("loopback", place, network, rounds,
                       [w for w in works.ALL_WORKS if w.group in groups], memory_rounds)

    def veth(self, rounds: int, groups: list[str]) -> None:
        """client - proxy - server, each in its own namespace; none is routed by the middle one."""
        wanted = [work for work in works.WORKS if work.group in groups]
        if not wanted:
            return
        networks = Networks()
        client, proxy, server = (networks.new() for _ in range(3))
        join("c", client, "10.77.1.1", proxy, "10.77.1.2")
        join("s", server, "10.77.2.1", proxy, "10.77.2.2")
        client.run("ip", "route", "add", "default", "via", "10.77.1.2")
        server.run("ip", "route", "add", "default", "via", "10.77.2.2")
        proxy.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        place = Place(proxy, client, "10.77.1.2", f"10.77.2.1:{SERVER_PORT}")
        self._topology("veth", place, server, rounds, wanted, 0)
        networks.end()

    def _topology(self, topology: str, place: Place, server_network: Network, rounds: int,
                  wanted: list[works.Work], memory_rounds: int) -> None:
        server = server_network.start(
            [str(self.programs.load), "serve", "--listen", place.server])
        running = self._start_all(topology, place)
        self._note_idle_cost(running)
        spinners = self._start_spinners(place)
        for round_number in range(rounds):
            for work in wanted:
                if work is works.MEMORY_WORK and round_number >= memory_rounds:
                    continue
                print(f"{topology} round {round_number + 1}/{rounds}: {work.name}", file=sys.stderr,
                      flush=True)
                order = list(self.names)
                self.random.shuffle(order)
                for name in order:
                    self._sample(topology, round_number, work, name, running, place)
        for contender in running.values():
            if isinstance(contender, Contender):
                contender.stop()
        end(spinners)
        end(server)

    def _start_all(self, topology: str, place: Place) -> dict[str, Contender | Failure]:
        running: dict[str, Contender | Failure] = {}
        for offset, name in enumerate(self.names, start=1):
            try:
                running[name] = Contender(name, self.programs, place, SERVER_PORT + offset)
            except Failure as failure:
                running[name] = failure
                print(f"{topology}: {failure}", file=sys.stderr)
        return running

    def _note_idle_cost(self, running: dict[str, Contender | Failure]) -> None:
        """All proxies run all the time; it must cost nothing to leave the others idle."""
        processes = {name: c.process.pid for name, c in running.items()
                     if isinstance(c, Contender) and c.process}
        before = {name: run_time(pid) for name, pid in processes.items()}
        time.sleep(1)
        for name, pid in processes.items():
            self.idle_cost[name] = run_time(pid) - before[name]

    def _start_spinners(self, place: Place) -> subprocess.Popen[bytes]:
        """And notes what they do to a measurement without a proxy."""
        spinners = start_spinners(self.programs.load, self.counters, self.idle_cgroup)
        found: dict[int, list[dict[str, float]]] = {signal.SIGSTOP: [], signal.SIGCONT: []}
        for _ in range(SPINNERS_COMPARED):
            for state, figures in found.items():
                spinners.send_signal(state)
                time.sleep(WARM_UP)
                figures.append(self._without_proxy(place))
        for what in found[signal.SIGCONT][0]:
            without, with_them = (median(each[what] for each in figures)
                                  for figures in found.values())
            self.spinners_effect[f"{what}, {place.server}"] = (without, with_them)
        return spinners

    def _without_proxy(self, place: Place) -> dict[str, float]:
        none = Contender(contenders.NONE, self.programs, place, 0)
        return {
            "round trip of 1 B, µs": self._measure(["pingpong"], none, place)["p50_us"],
            "keep-alive requests/s":
                self._measure(["http", "--connections", "50"], none, place)["requests_per_second"]}

    # Samples

    def _sample(self, topology: str, round_number: int, work: works.Work, name: str,
                running: dict[str, Contender | Failure], place: Place) -> None:
        sample: dict[str, Any] = {"topology": topology, "round": round_number, "work": work.name,
                                  "contender": name}
        try:
            contender = running[name]
            if isinstance(contender, Failure):
                raise contender
            if contender.process and contender.process.poll() is not None:
                raise Failure(f"{name} has ended with {contender.process.returncode}")
            if work.group == "memory":
                figures = self._memory(name, place)
            elif work.group == "cpu":
                figures = self._cpu(work, contender, place)
            else:
                figures = self._measure(work.command, contender, place)
            sample["figures"] = figures
        except Failure as failure:
            sample["error"] = str(failure)
            print(f"  {name}: {failure}", file=sys.stderr, flush=True)
        self.samples.append(sample)

    def _measure(self, command: list[str], contender: Contender, place: Place) -> dict[str, float]:
        line = [str(self.programs.load), *command, "--to", contender.address, "--seconds",
                str(self.seconds), "--warm-up", str(WARM_UP)]
        if command[0] == "bulk":
            line += ["--server", place.server]
        return place.client_network.measure(line, self.seconds + TIMEOUT)

    def _cpu(self, work: works.Work, contender: Contender, place: Place) -> dict[str, float]:
        before = self._idle_rate()
        figures = self._measure([*work.command, "--spinners", self.counters], contender, place)
        after = self._idle_rate()
        idle = figures["idle_spins_per_second"] = (before + after) / 2
        self.best_idle_rate = max(self.best_idle_rate, before, after)
        taken_by_others = 1 - min(before, after) / self.best_idle_rate
        if taken_by_others > TOLERATED_NOISE:
            raise Failure(f"others on this machine took {taken_by_others:.0%} of its CPU")
        cores = (os.cpu_count() or 1) * (1 - figures["spins_per_second"] / idle)
        if "bytes_per_second" in figures:
            moved, wanted = figures["bytes_per_second"], works.RATE_BITS / 8
            figures["cpu_s_per_gb"] = cores / (moved / 1e9)
        else:
            moved, wanted = figures["requests_per_second"], works.RATE_REQUESTS
            figures["cpu_ms_per_1000"] = cores / moved * 1e6
        if moved < 0.97 * wanted:
            raise Failure(f"only {moved / wanted:.0%} of the fixed rate went through")
        return figures

    def _idle_rate(self) -> float:
        figures = Network().measure([str(self.programs.load), "soak", "--spinners", self.counters,
                                     "--seconds", str(self.seconds / 2)], TIMEOUT)
        return figures["spins_per_second"]

    def _memory(self, name: str, place: Place) -> dict[str, float]:
        """Of a proxy just started: one that has had as many connections before keeps their memory."""
        contender = Contender(name, self.programs, place, FRESH_PORT)
        pid = contender.process.pid if contender.process else None
        kernel_before = kernel_memory()
        user_before = user_memory(pid) if pid else 0
        clients = place.client_network.start(
            [str(self.programs.load), "idle", "--to", contender.address, "--connections",
             str(self.idle_connections)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self._wait_for_line(clients)
            time.sleep(SETTLE)
            user_after = user_memory(pid) if pid else 0
            kernel_after = kernel_memory()
        finally:
            end(clients)
            contender.stop()
        count = self.idle_connections
        figures = {
            "slab_bytes": (kernel_after["Slab"] - kernel_before["Slab"]) / count,
            "unavailable_bytes":
                (kernel_before["MemAvailable"] - kernel_after["MemAvailable"]) / count,
        }
        if pid:
            figures["user_bytes"] = (user_after - user_before) / count
        return figures

    @staticmethod
    def _wait_for_line(process: subprocess.Popen[bytes]) -> None:
        assert process.stdout
        ready, _, _ = select.select([process.stdout], [], [], 3 * TIMEOUT)
        line = process.stdout.readline() if ready else b"too slow"
        if b"connections" not in line:
            raise Failure(line.decode().strip() or "the client has ended")


def programs_in(build: Path, work: Path, threads: int) -> Programs:
    return Programs(build / "ambbpf", build / "bench_load", work, threads)


def usable(names: list[str]) -> list[str]:
    """In the usual order; none always, for the rest is set against it."""
    return [name for name in contenders.ALL if name in names or name == contenders.NONE]
