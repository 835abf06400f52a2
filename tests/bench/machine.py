# SPDX-License-Identifier: Apache-2.0
"""Processes and network namespaces of a run.

All of it lives below one `unshare --net --pid --kill-child` (see tools/bench): when the run ends, however
it ends, the kernel kills every process and takes the namespaces away.
"""

import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any


class Failure(Exception):
    """A measurement that could not be made, and why."""


class TookTooLong(Failure):
    """Its client did not end in time."""


class Network:
    """A network namespace: this process's own, or that of another process."""

    def __init__(self, holder: int | None = None) -> None:
        self._enter = ["nsenter", f"--net=/proc/{holder}/ns/net"] if holder else []
        self.holder = holder

    def start(self, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._enter + command, **options)

    def run(self, *command: str) -> None:
        subprocess.run(self._enter + list(command), check=True, stdout=subprocess.DEVNULL)

    def measure(self, command: list[str], timeout: float) -> dict[str, Any]:
        """Runs a client that prints JSON, as the load generator's do, and returns its figures."""
        done = self._finished(command, timeout)
        try:
            answer: dict[str, Any] = json.loads(done.stdout)
        except ValueError:
            raise Failure(f"exit code {done.returncode}: {done.stderr.strip()[-200:]}") from None
        if done.returncode != 0:
            raise Failure(answer["error"])
        return answer

    def output(self, command: list[str], timeout: float) -> str:
        """Runs a program that must succeed, and returns what it prints."""
        done = self._finished(command, timeout)
        if done.returncode != 0:
            raise Failure(f"{Path(command[0]).name}, exit code {done.returncode}: "
                          f"{(done.stderr or done.stdout).strip()[-200:]}")
        return done.stdout

    def _finished(self, command: list[str], timeout: float) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(self._enter + command, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
                                  text=True, check=False)
        except subprocess.TimeoutExpired:
            raise TookTooLong(f"took longer than {timeout:.0f} s") from None

    def set_up(self) -> None:
        self.run("ip", "link", "set", "lo", "up")
        # What connects from here must not run out of ports, nor wait for old ones.
        self.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=10000 65000",
                 "net.ipv4.tcp_tw_reuse=1", "net.core.somaxconn=4096",
                 "net.ipv4.tcp_max_syn_backlog=4096")


class Networks:
    """Namespaces made for a run."""

    def __init__(self) -> None:
        self._holders: list[subprocess.Popen[bytes]] = []

    def new(self) -> Network:
        holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"],
                                  stdout=subprocess.PIPE)
        self._holders.append(holder)
        assert holder.stdout
        holder.stdout.readline()  # it is in its namespace
        network = Network(holder.pid)
        network.set_up()
        return network

    def end(self) -> None:
        for holder in self._holders:
            end(holder)


def join(link: str, one: Network, one_address: str, other: Network, other_address: str) -> None:
    """By a pair of veth; `other` is not this process's own."""
    one.run("ip", "link", "add", f"{link}0", "type", "veth", "peer", "name", f"{link}1", "netns",
            str(other.holder))
    for network, name, address in ((one, f"{link}0", one_address),
                                   (other, f"{link}1", other_address)):
        network.run("ip", "address", "add", f"{address}/24", "dev", name)
        network.run("ip", "link", "set", name, "up")


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process that we started."""
    process.terminate()
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    children = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/status")
                if f"\nPPid:\t{pid}\n" in _text_of_running(path)]
    return [pid] + [each for child in children for each in family(child)]


def _text_of_running(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return ""


def user_memory(pid: int) -> int:
    """Bytes of user-space memory of a process and its children (proportional set size)."""
    total = 0
    for each in family(pid):
        rollup = Path(f"/proc/{each}/smaps_rollup").read_text()
        total += sum(int(kib) for kib in re.findall(r"^Pss: +(\d+) kB", rollup, re.M)) * 1024
    return total


def run_time(pid: int) -> float:
    """Seconds that a process and its children have run, as the scheduler counts them, exactly."""
    return sum(int(stat.read_text().split()[0])
               for each in family(pid)
               for stat in Path(f"/proc/{each}/task").glob("*/schedstat")) / 1e9


def kernel_memory() -> dict[str, int]:
    """Bytes of the whole machine; others move these figures too."""
    kib = dict(re.findall(r"^(\w+): +(\d+) kB", Path("/proc/meminfo").read_text(), re.M))
    return {name: int(kib[name]) * 1024 for name in ("MemAvailable", "Slab")}


class IdleCgroup:
    """A cgroup that gets only what nobody else wants, the kernel's threads included.

    SCHED_IDLE alone counts within a session only, where the scheduler groups processes by session.
    """

    def __init__(self, path: str | None = None) -> None:
        """Makes one, or takes the one at `path`; empty where the machine allows none."""
        self.path = self._make() if path is None else path

    @staticmethod
    def _make() -> str:
        for parent in (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")):
            path = parent / f"ambbpf-bench-{os.getpid()}"
            try:
                path.mkdir()
            except OSError:
                continue
            try:
                (path / "cpu.idle").write_text("1")
                return str(path)
            except OSError:
                path.rmdir()
        return ""

    def take(self, process: subprocess.Popen[bytes]) -> None:
        if self.path:
            Path(self.path, "cgroup.procs").write_text(str(process.pid))

    def remove(self) -> None:
        """After the processes in it have ended."""
        if self.path:
            Path(self.path).rmdir()


class WakefulIdle:
    """While it is entered, the kernel's own idle loop polls, where the machine can be told so.

    A spinner does the same to a processor, but is a task: after a short turn of the kernel's worker, which is
    alone in its group, the scheduler (EEVDF) may give the spinner a whole slice of some 3 ms before the next one.
    """

    HALTPOLL = Path("/sys/module/haltpoll/parameters")  # of guests: Documentation/virt/guest-halt-polling.rst
    WANTED = {"guest_halt_poll_ns": "50000000", "guest_halt_poll_grow_start": "50000000",
              "guest_halt_poll_allow_shrink": "N"}
    LATENCY = Path("/dev/cpu_dma_latency")  # Documentation/power/pm_qos_interface.rst; while it is open

    def __init__(self) -> None:
        self.how = ""  # empty: it cannot be had
        self._before: dict[Path, str] = {}
        self._latency: IO[bytes] | None = None

    def __enter__(self) -> "WakefulIdle":
        try:
            driver = Path("/sys/devices/system/cpu/cpuidle/current_driver").read_text().strip()
            if driver == "haltpoll":
                for name, value in self.WANTED.items():
                    parameter = self.HALTPOLL / name
                    self._before[parameter] = parameter.read_text()
                    parameter.write_text(value)
                self.how = "poll, as the guest's haltpoll is set"
            elif driver != "none":
                self._latency = self.LATENCY.open("wb", buffering=0)
                self._latency.write((0).to_bytes(4, sys.byteorder))
                self.how = "do not sleep, for a latency of 0 is asked for"
        except OSError:
            self.__exit__()
        return self

    def __exit__(self, *_: object) -> None:
        self.how = ""
        for parameter, value in self._before.items():
            parameter.write_text(value)
        if self._latency:
            self._latency.close()


def start_spinners(load: Path, counters: str, cgroup: IdleCgroup) -> subprocess.Popen[bytes]:
    """No processor sleeps from here on: waking one up would be most of a round trip."""
    spinners = subprocess.Popen([str(load), "spin", "--spinners", counters], stdout=subprocess.PIPE)
    assert spinners.stdout
    spinners.stdout.readline()  # before that, the lowest class might never get to it
    cgroup.take(spinners)
    return spinners


def describe(root: Path, ambbpf: Path) -> dict[str, Any]:
    def first_line(*command: str) -> str:
        done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False)
        return done.stdout.partition("\n")[0].strip()

    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    return {
        "cpu": model[1] if model else platform.machine(),
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "ambbpf": first_line(str(ambbpf), "--version"),
        "commit": first_line("git", "describe", "--always", "--dirty"),
        "haproxy": first_line("haproxy", "-v"),
        "nginx": first_line("nginx", "-v"),
        "date": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
    }
