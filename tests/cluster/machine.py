# SPDX-License-Identifier: Apache-2.0
"""A simulated machine: namespaces of its own with systemd as PID 1, Docker and a member of etcd.

All addresses exist only in the run's network namespaces, which have no way out.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from cgroups import ControlGroups

HERE = Path(__file__).resolve().parent
PROGRAMS = "/usr/sbin:/usr/bin:/sbin:/bin"
DOCKER_BRIDGE = "172.17.42.1"  # of every machine, as on CoreOS in 2014
REGISTRY = "10.132.233.100:5000"
NAMES = ("A", "B", "C")


class Failure(Exception):
    """What should have happened and did not."""


def wait_for(what: str, seconds: float, happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.05)


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Switch:
    """What the cables lead to: a bridge in this process's network namespace, where clients live as well."""

    ADDRESSES = (REGISTRY.partition(":")[0], "10.132.234.100")
    HARDWARE = "02:00:00:00:00:64"  # fixed: when it changes, so do all neighbours' tables

    def __init__(self) -> None:
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "switch", "type", "bridge", "forward_delay", "0")
        run("ip", "link", "set", "switch", "address", self.HARDWARE)
        for address in self.ADDRESSES:
            run("ip", "address", "add", f"{address}/24", "dev", "switch")
        run("ip", "link", "set", "switch", "up")


class Machine:
    def __init__(self, name: str, work: Path, groups: str, given: Path) -> None:
        number = 106 + NAMES.index(name)
        self.name = name
        self.private = f"10.132.233.{number}"
        self.public = f"10.132.234.{number}"
        self.hardware = f"02:00:00:00:00:{number:02x}"
        self.port = f"port-{name}"  # of the switch
        self.work = work / name
        self.log = self.work / "console.log"
        self._given = given
        self._groups = ControlGroups(f"{groups}/{name}")
        self._network: subprocess.Popen[bytes] | None = None
        self._init: subprocess.Popen[bytes] | None = None
        self._pid = 0  # of its systemd
        for disk in ("docker", "etcd"):
            (self.work / "disk" / disk).mkdir(parents=True)
        (self.work / "root").mkdir()

    def boot(self, others: list["Machine"]) -> None:
        """Returns when systemd has taken over; what it starts may take longer."""
        self._plug_in(others)
        assert self._network
        pid_file = self.work / "pid"
        pid_file.unlink(missing_ok=True)
        environment = {
            "PATH": PROGRAMS, "NAME": self.name, "PRIVATE": self.private, "PUBLIC": self.public,
            "DISK": str(self.work / "disk"), "ROOT": str(self.work / "root"),
            "GIVEN": str(self._given), "PID_FILE": str(pid_file),
            "DOCKER_BRIDGE": DOCKER_BRIDGE, "REGISTRY": REGISTRY,
            "ETCD_CLUSTER": ",".join(f"{m.name}=http://{m.private}:2380" for m in [self, *others]),
            "AMBBPF_ETCD": ",".join(f"http://{m.private}:2379" for m in [self, *others])}
        with self.log.open("ab") as console:
            self._init = subprocess.Popen(
                ["nsenter", f"--net=/proc/{self._network.pid}/ns/net", "unshare", "--mount",
                 "--propagation", "private", "--uts", "--ipc", "--cgroup", "--pid", "--fork",
                 "--kill-child", str(HERE / "machine-init")],
                env=environment, stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                start_new_session=True, preexec_fn=self._groups.make().enter)
        wait_for(f"{self.name} starts systemd", 20,
                 lambda: pid_file.exists() and bool(pid_file.read_text()))
        self._pid = int(pid_file.read_text())

    def _plug_in(self, others: list["Machine"]) -> None:
        self._network = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"],
                                         stdout=subprocess.PIPE)
        assert self._network.stdout
        self._network.stdout.readline()  # it is in its namespace
        run("ip", "link", "add", self.port, "type", "veth", "peer", "name", "eth1", "netns",
            str(self._network.pid))
        run("ip", "link", "set", self.port, "master", "switch", "up")
        inside = ["nsenter", f"--net=/proc/{self._network.pid}/ns/net", "ip"]
        run(*inside, "link", "set", "lo", "up")
        run(*inside, "address", "add", "169.254.169.254/32", "dev", "lo")  # the metadata service
        run(*inside, "link", "set", "eth1", "address", self.hardware)
        for address in (self.private, self.public):
            run(*inside, "address", "add", f"{address}/24", "dev", "eth1")
        run(*inside, "link", "set", "eth1", "up")
        # Neighbours that are known for ever: packets to a machine that has vanished go nowhere, as behind a
        # router, where ARP would tell after 3 s that nobody is there.
        for other in others:
            for address in (other.private, other.public):
                run(*inside, "neighbour", "replace", address, "lladdr", other.hardware, "dev", "eth1",
                    "nud", "permanent")
        for address in (self.private, self.public):
            run("ip", "neighbour", "replace", address, "lladdr", self.hardware, "dev", "switch",
                "nud", "permanent")

    def crash(self) -> None:
        """The cable first, so that no FIN or RST gets out; then everything at once."""
        assert self._init and self._network
        run("ip", "link", "delete", self.port)
        os.kill(self._pid, 9)  # the kernel kills the rest of the PID namespace
        self._init.wait()
        self._network.kill()
        self._network.wait()
        self._pid = 0
        self._groups.remove()

    def run(self, *command: str, seconds: float = 60) -> str:
        """What the command prints; fails where it does."""
        done = self.attempt(*command, seconds=seconds)
        if done.returncode != 0:
            raise Failure(f"{self.name}: {' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def attempt(self, *command: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """A command in all of the machine's namespaces."""
        if not self._pid:
            raise Failure(f"{self.name}: {' '.join(command)}: the machine is down")
        try:
            return subprocess.run(
                ["nsenter", "--target", str(self._pid), "--mount", "--uts", "--ipc", "--net", "--pid",
                 "--cgroup", "--root", "--wd", "--", "env", "-i", f"PATH=/usr/local/bin:{PROGRAMS}",
                 "HOME=/root", "LANG=C.UTF-8", *command],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name}: {' '.join(command)}: took longer than {seconds:.0f} s") from None

    def runs(self) -> bool:
        return self._pid > 0

    def is_up(self) -> bool:
        return (self.attempt("docker", "info").returncode == 0
                and self.attempt("systemctl", "is-active", "etcd").returncode == 0)

    def install_units(self, names: str) -> None:
        """As an administrator copies them; `names` is a pattern below units/."""
        self.run("sh", "-c", f"cp /usr/local/units/{names} /run/systemd/system/ && systemctl daemon-reload")

    def remove_units(self) -> None:
        self.run("sh", "-c", "rm /run/systemd/system/*.service && systemctl daemon-reload")

    def start(self, *units: str) -> None:
        self.run("systemctl", "start", *units, seconds=300)

    def stop(self, *units: str) -> None:
        """They must come to rest, not fail."""
        self.run("systemctl", "stop", *units)
        for unit in units:
            if (state := self.state(unit)) != "inactive":
                raise Failure(f"{self.name}: {unit} is {state} after it was stopped")

    def state(self, unit: str) -> str:
        return self.attempt("systemctl", "is-active", unit).stdout.strip()

    def forget_disk(self) -> None:
        shutil.rmtree(self.work / "disk")
