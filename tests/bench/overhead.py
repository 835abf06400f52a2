# SPDX-License-Identifier: Apache-2.0
"""What it costs to be watched: ambbpf with an access log, its page open and Prometheus scraping it,
against ambbpf without any of them."""

import random
import subprocess
import sys
import tempfile
import threading
import urllib.request
from pathlib import Path
from statistics import median
from typing import Any

import works
from contenders import Programs, wait_until_it_forwards
from machine import Network, end
from report import spread, table

BARE, WATCHED = "bare", "watched"
SERVER = "127.0.0.1:9000"
FRONTS = {BARE: "127.0.0.1:9001", WATCHED: "127.0.0.1:9002"}
PAGE = "127.0.0.1:9003"
WORKS = [work for work in works.WORKS if work.name in ("latency-1", "http-50", "connect", "bulk-1-down")]
SECONDS = 5.0    # of a measurement: as often as Prometheus asks
WARM_UP = 0.2
TIMEOUT = 20.0   # beyond those
ASKED_EACH_SECOND = ["/status", "/events"]  # by the page
ASKED_ONCE = ["/history", "/metrics"]       # in five seconds: by the page, and by Prometheus

CONFIG = """\
admin = "{folder}/admin.sock"
threads = {threads}
{more}
[service.web]
listen = "{listen}"
endpoints = ["{server}"]
"""
WATCHED_CONFIG = """\
admin_listen = "{page}"
access_log = "{folder}/access.log"
"""


class Watcher:
    """The page and Prometheus, as often as they ask."""

    def __enter__(self) -> "Watcher":
        self.stopping = threading.Event()
        self.answers = 0
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.thread.join()

    def _watch(self) -> None:
        self._ask(ASKED_ONCE)
        while True:
            self._ask(ASKED_EACH_SECOND)
            if self.stopping.wait(1.0):
                return

    def _ask(self, paths: list[str]) -> None:
        for path in paths:
            with urllib.request.urlopen(f"http://{PAGE}{path}", timeout=TIMEOUT) as answer:
                answer.read()
            self.answers += 1


def start(name: str, programs: Programs, folder: Path, network: Network) -> "subprocess.Popen[bytes]":
    more = WATCHED_CONFIG.format(page=PAGE, folder=folder) if name == WATCHED else ""
    config = folder / "ambbpf.toml"
    config.write_text(CONFIG.format(folder=folder, threads=programs.threads, more=more,
                                    listen=FRONTS[name], server=SERVER))
    with open(folder / "log", "wb") as log:
        process = network.start([str(programs.ambbpf), "run", "--config", str(config)],
                                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    wait_until_it_forwards(process, programs.load, network, FRONTS[name])
    return process


def figures(name: str, work: works.Work, programs: Programs, network: Network) -> dict[str, float]:
    command = [str(programs.load), *work.command, "--to", FRONTS[name], "--seconds", str(SECONDS),
               "--warm-up", str(WARM_UP)]
    if work.group == "bulk":
        command += ["--server", SERVER]
    if name == BARE:
        return network.measure(command, SECONDS + TIMEOUT)
    with Watcher() as watcher:
        found = network.measure(command, SECONDS + TIMEOUT)
    return {**found, "answers": watcher.answers}


def measure(programs: Programs, rounds: int, seed: int) -> list[dict[str, Any]]:
    order = random.Random(seed)
    network = Network()
    network.set_up()
    processes: list[subprocess.Popen[bytes]] = []
    samples = []
    with tempfile.TemporaryDirectory(prefix="ambbpf-bench-overhead-") as top:
        try:
            processes.append(network.start([str(programs.load), "serve", "--listen", SERVER]))
            for name in FRONTS:
                folder = Path(top) / name
                folder.mkdir()
                processes.append(start(name, programs, folder, network))
            for round_number in range(rounds):
                for work in WORKS:
                    print(f"round {round_number + 1}/{rounds}: {work.name}", file=sys.stderr, flush=True)
                    names = list(FRONTS)
                    order.shuffle(names)
                    samples += [{"round": round_number, "work": work.name, "contender": name,
                                 "figures": figures(name, work, programs, network)} for name in names]
        finally:
            for process in processes:
                end(process)
    return samples


def document(samples: list[dict[str, Any]]) -> str:
    rows = []
    for work in WORKS:
        for metric in work.metrics:
            values = {name: [sample["figures"][metric.key] * metric.scale for sample in samples
                             if (sample["work"], sample["contender"]) == (work.name, name)]
                      for name in FRONTS}
            bare, watched = (median(values[name]) for name in (BARE, WATCHED))
            ratio = watched / bare if metric.more_is_better else bare / watched
            rows.append([f"{metric.title}, {metric.unit}",
                         *(f"{median(values[name]):.4g}{spread(values[name])}" for name in FRONTS),
                         f"{ratio:.2f}"])
    return ("## With an access log, the page open and scraped, against without\n\n"
            + table(["", BARE, WATCHED, "ratio, more is better"], rows))
