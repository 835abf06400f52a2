# SPDX-License-Identifier: Apache-2.0
"""Has every consumer do its work in every place, and prints a table: run.py WORK AMBBPF WORD [--all]

In PID, mount and cgroup namespaces of its own, and in the network namespace of an ambassador that runs
(tools/test-consumers).
"""

import os
import shutil
import sys
import time
from pathlib import Path

from ambassador import PORTS, Ambassador, Counts
from consumers import TIMES, Consumer, Way, all_of_them, build_clients
from places import Container, Host, Place, Unit, lay_out_control_groups
from servers import Servers
from waiting import Failure, run, wait_for

ROW = "%-34s %-24s %11s %8s %9s  %s"
LEAST_DIRECT = 0.9  # of the connections: an endpoint may come into doubt, and is passed over then


def judge(consumer: Consumer, seen: Counts) -> str:
    """What is wrong with the way that its connections went; empty: nothing."""
    if consumer.way == Way.PROXY:
        return "meant to go by the proxy" if seen.direct else ""
    if seen.direct < LEAST_DIRECT * (seen.direct + seen.by_proxy):
        return "meant to go direct"
    return ""


def warm_up(ambassador: Ambassador, service: str, place: Place) -> None:
    """Consumers are sent only to an endpoint that has answered of late, to their network namespace."""
    dial = f": </dev/tcp/{place.ambassador}/{PORTS[service]}"
    from_there = (Host() if isinstance(place, Unit) else place).command(
        ["bash", "-c", f"set -e; for _ in {{1..{TIMES}}}; do {dial}; done"])

    def all_direct() -> bool:
        before = ambassador.counts(service)
        run(*from_there)
        wait_for("status shows all connections", lambda: sum(ambassador.counts(service) - before) >= TIMES)
        return ambassador.counts(service) - before == Counts(TIMES, 0)
    wait_for(f"consumers of {service} go direct", all_direct)


def use(consumer: Consumer, place: Place, ambassador: Ambassador) -> str:
    """Prints its row. Returns what is wrong."""
    began = time.monotonic()
    seen, wrong = Counts(0, 0), ""
    try:
        warm_up(ambassador, consumer.service, place)
        before = ambassador.counts(consumer.service)
        made = consumer.use(place)

        def all_seen() -> bool:
            nonlocal seen
            last, seen = seen, ambassador.counts(consumer.service) - before
            return sum(seen) >= (made or 1) and seen == last
        wait_for(f"status shows all {made or ''} connections", all_seen)
        if made and sum(seen) != made:
            raise Failure(f"{made} connections were made")
        wrong = judge(consumer, seen)
    except Failure as failure:
        wrong = str(failure)
    verdict = f"FAILED: {wrong}" if wrong else f"right, {consumer.way}, {time.monotonic() - began:.1f} s"
    print(ROW % (consumer.name, place.name, sum(seen), *seen, verdict), flush=True)
    return wrong


def skip(what: str, where: str, why: str) -> str:
    print(ROW % (what, where, "", "", "", f"skipped: {why}"), flush=True)
    return why if os.environ.get("CI") == "true" else ""


def make_place(name: str, work: Path) -> Place | str:
    """Or why it cannot be had."""
    if name == Host.name:
        return Host()
    if name == Container.name:
        return Container(work) if shutil.which("dockerd") else "there is no dockerd"
    if not Path("/sys/fs/cgroup/systemd").is_dir():
        return "the control groups are not of version 1 with version 2 beside it"
    return Unit(work)


def use_all(chosen: list[tuple[Consumer, str]], ambassador: Ambassador, work: Path) -> list[str]:
    """Returns what is wrong with each."""
    places: dict[str, Place | str] = {}
    wrong = []
    for consumer, name in chosen:
        place = places[name] = places.get(name) or make_place(name, work)
        if isinstance(place, str):
            wrong.append(skip(consumer.name, name, place))
        elif not shutil.which(consumer.needs):
            wrong.append(skip(consumer.name, name, f"there is no {consumer.needs}"))
        else:
            wrong.append(use(consumer, place, ambassador))
    return wrong


def main() -> int:
    work, ambbpf, word = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    run("mount", "-t", "tmpfs", "run", "/run")
    if Path("/sys/fs/cgroup/unified").is_dir():
        lay_out_control_groups()
    run("mount", "--bind", "/dev/null", "/dev/console")  # where systemd would write its log
    Servers(work)
    everything = "--all" in sys.argv
    if everything:
        build_clients(work)
    print(ROW % ("consumer", "where", "connections", "direct", "by proxy", "result"), flush=True)
    chosen = [(consumer, name) for consumer in all_of_them(work) for name in consumer.places
              if (everything or not consumer.is_large) and word in f"{consumer.name} {name}"]
    wrong = use_all(chosen, Ambassador(ambbpf, work), work)
    return 1 if any(wrong) else 0


if __name__ == "__main__":
    sys.exit(main())
