# SPDX-License-Identifier: Apache-2.0
"""What etcd says of one key, as it happens (API v2)."""

import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from machine import wait_for


@dataclass(frozen=True)
class Change:
    at: float    # time.monotonic(), when we heard of it
    value: str   # empty: the key is gone
    action: str  # etcd's: set, create, update, delete, expire, ...


class KeyWatch(threading.Thread):
    """Follows the key at the first of the members that answers, for as long as the process lives."""

    def __init__(self, members: list[str], key: str) -> None:
        super().__init__(daemon=True)
        self._members = members
        self._key = key
        self.changes: list[Change] = []
        self.start()

    def run(self) -> None:
        while True:
            for member in self._members:
                try:
                    self._follow(f"http://{member}:2379/v2/keys{self._key}")
                except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
                    time.sleep(0.05)

    def _follow(self, url: str) -> None:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                index = int(answer.headers["X-Etcd-Index"])
                self._note("get", json.load(answer)["node"])
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            index = int(error.headers["X-Etcd-Index"])
            self._note("get", {})
        # One event at a time: a stream that begins in the past gives that event and no more (etcd 3.4). And the
        # directory's: who watches a key alone is not told when it expires.
        directory = f"{url.rpartition('/')[0]}?recursive=true&wait=true"
        while True:
            try:
                with urllib.request.urlopen(f"{directory}&waitIndex={index + 1}", timeout=20) as answer:
                    event = json.load(answer)
            except TimeoutError:
                continue
            index = event["node"]["modifiedIndex"]
            if event["node"]["key"] == self._key:
                self._note(event["action"], event["node"])

    def _note(self, action: str, node: dict[str, Any]) -> None:
        value = node.get("value", "")
        if (self.changes[-1].value if self.changes else None) != value:
            self.changes.append(Change(time.monotonic(), value, action))

    def value(self) -> str:
        return self.changes[-1].value if self.changes else ""

    def wait_for_host(self, host: str, seconds: float) -> Change:
        """The change that brought the key to that host."""
        wait_for(f"{self._key} says {host} and not '{self.value()}'", seconds,
                 lambda: f'"{host}"' in self.value())
        return self.changes[-1]

    def wait_until_gone(self, since: float, seconds: float) -> Change:
        def gone() -> list[Change]:
            return [change for change in self.changes if change.at >= since and not change.value]

        wait_for(f"{self._key} goes", seconds, lambda: bool(gone()))
        return gone()[0]
