#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boots the cluster, tells the stories: run.py WORK CGROUP AMBBPF STORY[,STORY...] [--keep]

Run in PID, mount and network namespaces of its own (tools/cluster): its network is the switch.
"""

import signal
import sys
import time
import traceback
from pathlib import Path

import stories
from cluster import Cluster
from machine import NAMES, Failure
from report import Report


def tell(cluster: Cluster, report: Report, chosen: list[str]) -> None:
    began = time.monotonic()
    cluster.boot(*NAMES)
    report.say(f"three machines are up after {time.monotonic() - began:.1f} s")
    for name in chosen:
        report.say(f"== {name}")
        stories.ALL[name](cluster, report)


def play(cluster: Cluster) -> None:
    print("\nEverything is still up. Commands: A|B|C COMMAND..., such as: B ambbpf status\n"
          "An empty line ends it.", flush=True)
    for line in iter(sys.stdin.readline, ""):
        name, _, command = line.strip().partition(" ")
        if not name:
            return
        if name not in NAMES or not command:
            print("A, B or C, and a command for its shell")
            continue
        try:
            done = cluster[name].attempt("sh", "-c", command)
            print(done.stdout + done.stderr, end="", flush=True)
        except Failure as failure:
            print(failure)


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    work, groups, ambbpf, chosen = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4]
    report = Report()
    cluster = Cluster(work, groups, ambbpf)
    try:
        tell(cluster, report, chosen.split(","))
        print("\n" + report.table(), flush=True)
        if "--keep" in sys.argv:
            play(cluster)
        return 0
    except Exception as failure:
        if not isinstance(failure, Failure):
            traceback.print_exc()
        print(f"\nFAILED: {failure}\n\n{report.table()}\n{cluster.save_logs(work / 'logs')}", flush=True)
        return 1
    finally:
        cluster.shut_down()


if __name__ == "__main__":
    sys.exit(main())
