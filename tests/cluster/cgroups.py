# SPDX-License-Identifier: Apache-2.0
"""Control groups of a run: one in every hierarchy of this machine, and below it one for each simulated machine."""

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


def hierarchies() -> Iterator[tuple[str, Path, Path]]:
    """Controllers, where their hierarchy is mounted, and where this process is in it.

    Version 2 beside others has no controllers.
    """
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, place = line.split(":", 2)
        mount = ROOT / (controllers.removeprefix("name=") or "unified")
        yield controllers, mount, mount / place.lstrip("/")


def refusal() -> str:
    """Why machines cannot have control groups here; empty: they can."""
    found = list(hierarchies())
    if all(place.is_dir() for _, _, place in found) and any("memory" in c for c, _, _ in found):
        return ""
    return "the control groups are not of version 1 with version 2 beside it, below /sys/fs/cgroup"


def name_of(pid: int | str) -> str:
    """Of the group of the run that this process is."""
    return f"ambbpf-cluster-{pid}"


def remove_leftovers() -> None:
    """Of runs that were killed: the kernel ends their processes, and leaves their groups."""
    for _, mount, _ in hierarchies():
        for group in list(mount.rglob(name_of("*"))):
            if not Path("/proc", group.name.removeprefix(name_of(""))).exists():
                remove_tree(group)


def remove_tree(group: Path) -> None:
    """The processes in it have ended, or are about to."""
    deadline = time.monotonic() + 10
    for directory, _, _ in os.walk(group, topdown=False):
        while True:
            try:
                os.rmdir(directory)
                break
            except OSError as error:
                if error.errno != errno.EBUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


class ControlGroups:
    """Below the calling process's own, so that its limits hold."""

    def __init__(self, name: str) -> None:
        self._groups = [(controllers, place / name) for controllers, _, place in hierarchies()]
        # Docker takes a name from the top.
        self._dockers = [mount / name for _, mount, _ in hierarchies()]

    def make(self) -> "ControlGroups":
        for controllers, group in self._groups:
            group.mkdir(exist_ok=True)
            if "cpuset" in controllers:  # empty in a new group, which then takes no process
                for setting in ("cpuset.cpus", "cpuset.mems"):
                    (group / setting).write_text((group.parent / setting).read_text())
                (group / "cgroup.clone_children").write_text("1")
        return self

    def enter(self) -> None:
        """Takes the calling process in."""
        for _, group in self._groups:
            (group / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self) -> None:
        """With everything below, after the processes have ended."""
        for group in {*self._dockers, *(group for _, group in self._groups)}:
            remove_tree(group)
