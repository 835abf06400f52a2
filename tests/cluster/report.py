# SPDX-License-Identifier: Apache-2.0
"""What a run has seen: told as it happens, and a table at the end."""

import time

from load import Load

COLUMNS = ("what happened", "requests", "failed", "longest silence", "and")


class Report:
    def __init__(self) -> None:
        self._began = time.monotonic()
        self._rows: list[tuple[str, ...]] = []

    def say(self, text: str) -> None:
        print(f"[{time.monotonic() - self._began:6.1f} s] {text}", flush=True)

    def show(self, command: str, printed: str) -> None:
        self.say(command)
        print(printed, end="", flush=True)

    def row(self, what: str, load: Load, more: str) -> None:
        """`longest silence`: seconds between two good answers, of whoever asked."""
        failed = load.failed()
        self._rows.append((what, str(len(load.requests)), str(len(failed)),
                           f"{load.longest_silence():.2f} s",
                           "; ".join(each for each in (more, load.troubles()) if each)))
        self.say(f"{what}: " + ", ".join(self._rows[-1][1:]))

    def note(self, what: str, more: str) -> None:
        self._rows.append((what, "", "", "", more))
        self.say(f"{what}: {more}")

    def table(self) -> str:
        rows = [COLUMNS, *self._rows]
        widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS) - 1)] + [0]
        return "".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + "\n"
                       for row in rows)
