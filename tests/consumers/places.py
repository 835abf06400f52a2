# SPDX-License-Identifier: Apache-2.0
"""Where consumers run: this host's network namespace, a container, a unit of systemd."""

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Protocol

from waiting import run, wait_for

HERE = Path(__file__).resolve().parent


class Place(Protocol):
    name: str
    ambassador: str  # its address as consumers there dial it

    def command(self, words: list[str]) -> list[str]:
        """What runs the words there."""


class Host:
    name = "host"
    ambassador = "127.0.0.1"

    def command(self, words: list[str]) -> list[str]:
        return words


class Container:
    """Of a Docker Engine of its own, with the host's programs. Dials the host's address on Docker's bridge."""

    name = "container"
    ambassador = "172.17.0.1"

    def __init__(self, work: Path) -> None:
        self._own = Path(tempfile.mkdtemp(prefix="docker-", dir="/run"))
        self._docker = ["docker", "--host", f"unix://{self._own}/socket"]
        (self._own / "daemon.json").write_text(f'{{"deprecated-key-path": "{self._own}/key.json"}}')
        with (work / "dockerd.log").open("wb") as log:
            subprocess.Popen(
                ["dockerd", f"--host=unix://{self._own}/socket", f"--config-file={self._own}/daemon.json",
                 f"--data-root={self._own}/data", f"--exec-root={self._own}/exec", f"--pidfile={self._own}/pid",
                 "--group=root", "--exec-opt=native.cgroupdriver=cgroupfs"],
                stdout=log, stderr=log)
        wait_for("dockerd starts", lambda: subprocess.run([*self._docker, "version"],
                                                          capture_output=True).returncode == 0)
        self._add_image()
        run(*self._docker, "run", "--detach", "--name", "consumer", "--volume", "/usr:/usr:ro", "--volume",
            "/etc:/etc:ro", "--volume", f"{work}:{work}:ro", "--volume", f"{HERE}:{HERE}:ro", "--tmpfs", "/tmp",
            "nothing", "sleep", "infinity")

    def _add_image(self) -> None:
        root = self._own / "root"
        root.mkdir()
        for name in ("bin", "sbin", "lib", "lib64"):
            (root / name).symlink_to(f"usr/{name}")
        run("tar", "--create", "--file", self._own / "root.tar", "--directory", root, ".")
        run(*self._docker, "import", self._own / "root.tar", "nothing")

    def command(self, words: list[str]) -> list[str]:
        return [*self._docker, "exec", "consumer", *words]


class Unit:
    """Of a manager of units of its own, which lets it send to loopback only."""

    name = "unit, IPAddressDeny=any"
    ambassador = "127.0.0.1"

    def __init__(self, work: Path) -> None:
        os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="systemd-", dir="/run")
        Path("/run/systemd/system").mkdir(parents=True, exist_ok=True)  # else it says that systemd was not booted
        with (work / "systemd.log").open("wb") as log:
            subprocess.Popen(["/lib/systemd/systemd", "--user", "--unit=basic.target"], stdout=log, stderr=log,
                             env={**os.environ, "HOME": os.environ["XDG_RUNTIME_DIR"]})
        wait_for("systemd starts", lambda: subprocess.run(["systemctl", "--user", "is-system-running"],
                                                          capture_output=True).returncode == 0)

    def command(self, words: list[str]) -> list[str]:
        return ["systemd-run", "--user", "--quiet", "--wait", "--pipe", "-p", "IPAddressDeny=any", "-p",
                "IPAddressAllow=localhost", "-p", "RuntimeMaxSec=20", *words]


def lay_out_control_groups() -> None:
    """Only what is below this run's own groups, as the cgroup namespace shows it."""
    run("mount", "-t", "tmpfs", "groups", "/sys/fs/cgroup")
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, _ = line.split(":", 2)
        mount = Path("/sys/fs/cgroup", controllers.removeprefix("name=") or "unified")
        mount.mkdir()
        options = "none," * controllers.startswith("name=") + controllers
        run("mount", "-t", *(["cgroup", "-o", options] if controllers else ["cgroup2"]), "groups", mount)
