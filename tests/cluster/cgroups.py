# SPDX-License-Identifier: Apache-2.0
"""Control groups of a run: a tree in every hierarchy of this machine, a branch for each simulated machine."""

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


def hierarchies() -> Iterator[tuple[str, Path]]:
    """Controllers, and where this process is in their hierarchy. Version 2 beside others has no name."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, place = line.split(":", 2)
        mount = ROOT / (controllers.removeprefix("name=") or "unified")
        yield controllers, mount / place.lstrip("/")


def refusal() -> str:
    """Why machines cannot have control groups here; empty: they can."""
    missing = [str(path) for _, path in hierarchies() if not path.is_dir()]
    if missing or not any("memory" in controllers for controllers, _ in hierarchies()):
        return "the control groups are not of version 1 with version 2 beside it, below /sys/fs/cgroup"
    return ""


class ControlGroups:
    """Names ours in every hierarchy."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._groups = [(controllers, path / name) for controllers, path in hierarchies()]

    def make(self) -> "ControlGroups":
        for controllers, group in self._groups:
            group.mkdir(parents=True, exist_ok=True)
            if "cpuset" in controllers:  # empty in a new group, which then takes no process
                for each in reversed([group, *group.relative_to(ROOT / controllers).parents][:-1]):
                    self._inherit_cpus(ROOT / controllers / each)
        return self

    @staticmethod
    def _inherit_cpus(group: Path) -> None:
        for setting in ("cpuset.cpus", "cpuset.mems"):
            (group / setting).write_text((group.parent / setting).read_text())
        (group / "cgroup.clone_children").write_text("1")

    def enter(self) -> None:
        """Takes the calling process in."""
        for _, group in self._groups:
            (group / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self) -> None:
        """With everything below, after the processes have ended."""
        for _, group in self._groups:
            for directory, _, _ in os.walk(group, topdown=False):
                os.rmdir(directory)
