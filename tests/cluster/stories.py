# SPDX-License-Identifier: Apache-2.0
"""What is done to the cluster, and what must come of it. In this order; each leaves a working cluster behind."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cluster import Cluster
from load import HeldConnection, Load
from machine import Failure, wait_for
from report import Report

TUTORIAL_PROVIDER = ("apache.service", "etcd-amb-apache.service", "apache-docker-reg.service")
TUTORIAL_CONSUMER = ("etcd-amb-apache2.service", "apache-dyn-amb.service", "haproxy.service")
PROVIDER = ("apache.service", "apache-register.service")
CONSUMER = ("apache-ambassador.service", "haproxy.service")
TTL = 5.0       # seconds, of the key
VANISHED = 40.0  # seconds within which open connections to a machine that has vanished are ended


def require(what: str, holds: bool) -> None:
    if not holds:
        raise Failure(what)


def require_active(cluster: Cluster, machine: str, units: tuple[str, ...]) -> None:
    for unit in units:
        wait_for(f"{machine}: {unit} is active", 60, lambda: cluster[machine].state(unit) == "active")


# Failover: machine A, which has the provider's units, vanishes; C gets them.


def fail_over(cluster: Cluster, report: Report, name: str, units: tuple[str, ...]) -> None:
    with cluster.load(rate=50) as load:
        time.sleep(2)
        idle, talking = cluster.hold("an idle one"), cluster.hold("one that has something to say")
        time.sleep(0.5)
        crash = time.monotonic()
        cluster["A"].crash()
        talking.send(b"GET / HTTP/1.0\r\n\r\n")
        report.say("machine A has vanished")
        gone = cluster.key.wait_until_gone(crash, TTL + 15)
        report.say(f"its key is gone ({gone.action}); starting {', '.join(units)} on C")
        begun = time.monotonic()
        cluster["C"].start(*units)
        back = cluster.key.wait_for_host(cluster["C"].private, 60)
        wait_for("a good answer after the new key", 30, lambda: load.good_since(back.at))
        time.sleep(3)
        good = load.first_good_after(back.at)
        assert good
        ended = wait_for_end(crash, (idle, talking))
    unavoidable = (crash, back.at)
    failed = load.failed_outside(unavoidable)
    report.row(f"{name}: A vanishes, C takes over", load,
               f"crash to expiry {gone.at - crash:.1f} s, units' start to key {back.at - begun:.1f} s, "
               f"key to good answer {(good - back.at) * 1000:.0f} ms, "
               f"failed while an endpoint existed {len(failed)}")
    report.note(f"{name}: open connections to A", ended)
    require(f"requests failed while there was an endpoint: {failed[:5]}", not failed)
    require_active(cluster, "C", units)


def wait_for_end(crash: float, held: tuple[HeldConnection, ...]) -> str:
    return "not waited for"
    wait_for("open connections to the machine that has vanished are ended", VANISHED,
             lambda: all(each.ended for each in held))
    return ", ".join(f"{each.what}: {each.how} after {each.ended - crash:.1f} s" for each in held)


# The two sets of units


def tutorial(cluster: Cluster, report: Report) -> None:
    """The tutorial's six units, in its order, one by one, on machines that have nothing yet."""
    for machine, units in (("A", TUTORIAL_PROVIDER), ("B", TUTORIAL_CONSUMER)):
        cluster[machine].install_units("tutorial/*")
        for unit in units:
            report.say(f"{machine}: systemctl start {unit}")
            cluster[machine].start(unit)
    cluster["C"].install_units("tutorial/*")
    cluster.wait_for_page("the page through HAProxy")
    report.say("the page is served through HAProxy on B's public address")
    show_units(cluster, report, {"A": TUTORIAL_PROVIDER, "B": TUTORIAL_CONSUMER})
    show_status(cluster, report, ["docker", "exec", "apache-dyn-amb.service", "/usr/bin/ambbpf"])
    fail_over(cluster, report, "the tutorial's units", TUTORIAL_PROVIDER)
    for unit in reversed(TUTORIAL_PROVIDER):
        with cluster.load(rate=20) as load:
            restart_of(cluster, report, "C", unit, TUTORIAL_PROVIDER)
        report.row(f"the tutorial's units: {unit} is killed on C", load, "all three come back")
    for machine, units in (("C", TUTORIAL_PROVIDER), ("B", TUTORIAL_CONSUMER)):
        cluster[machine].stop(*units)
        cluster[machine].remove_units()
    report.say("stopped: every unit is inactive, none has failed")


def restart_of(cluster: Cluster, report: Report, machine: str, unit: str, units: tuple[str, ...]) -> None:
    """The unit's container dies; it and those that are bound to it must come back by themselves."""
    time.sleep(1)
    killed = time.monotonic()
    cluster[machine].run("docker", "kill", unit)
    time.sleep(2)
    require_active(cluster, machine, units)
    cluster.key.wait_for_host(cluster[machine].private, 60)
    cluster.wait_for_page(f"the page, after {unit} was killed")
    report.say(f"{machine}: {unit} was killed, all is back after {time.monotonic() - killed:.1f} s")


def recommended(cluster: Cluster, report: Report) -> None:
    """The four units that we recommend, all of a machine's at once."""
    for machine, units in (("A", PROVIDER), ("B", CONSUMER)):
        cluster[machine].install_units("recommended/*")
        report.say(f"{machine}: systemctl start {' '.join(units)}")
        cluster[machine].start(*units)
    cluster["C"].install_units("recommended/*")
    cluster.wait_for_page("the page through HAProxy")
    report.say("the page is served through HAProxy on B's public address")
    show_units(cluster, report, {"A": PROVIDER, "B": CONSUMER})
    show_status(cluster, report, ["docker", "exec", "apache-ambassador.service", "/usr/bin/ambbpf"])
    show_status(cluster, report, ["ambbpf"])
    fail_over(cluster, report, "our units", PROVIDER)


def move(cluster: Cluster, report: Report) -> None:
    """From C, where it is by now, back to A."""
    cluster["A"].install_units("recommended/*")
    with cluster.load(rate=200) as load:
        time.sleep(2)
        cluster["A"].start(*PROVIDER)
        moved = cluster.key.wait_for_host(cluster["A"].private, 60)
        report.say("A has the key; stopping on C")
        cluster["C"].stop(*reversed(PROVIDER))
        time.sleep(3)
    report.row("a graceful move from C to A", load,
               f"{len([r for r in load.requests if r.begun > moved.at])} of them after the move")
    require(f"requests failed: {load.failed()[:5]}", not load.failed())
    require(f"the key says {cluster.key.value()}", f'"{cluster["A"].private}"' in cluster.key.value())


# Troubles, with our units; the provider is on A.


def ambassador_killed(cluster: Cluster, report: Report) -> None:
    with trouble(cluster, report, "the ambassador gets SIGKILL"):
        cluster["B"].run("docker", "kill", "--signal", "KILL", "apache-ambassador.service")
        time.sleep(1)


def docker_restarted(cluster: Cluster, report: Report) -> None:
    with trouble(cluster, report, "dockerd is restarted on B, its containers with it"):
        cluster["B"].run("systemctl", "restart", "docker", seconds=120)


def member_lost(machine: str, whose: str) -> Callable[[Cluster, Report], None]:
    def story(cluster: Cluster, report: Report) -> None:
        with trouble(cluster, report, f"the etcd member of {whose} is lost for 12 s") as load:
            cluster[machine].run("systemctl", "stop", "etcd")
            time.sleep(12)  # well beyond the key's TTL
            cluster[machine].run("systemctl", "start", "etcd")
        require(f"requests failed: {load.failed()[:5]}", not load.failed())

    return story


def all_etcd_lost(cluster: Cluster, report: Report) -> None:
    with trouble(cluster, report, "all of etcd is lost for 30 s") as load:
        for name in "ABC":
            cluster[name].run("systemctl", "stop", "etcd")
        report.say("no etcd any more")
        time.sleep(30)
        for name in "ABC":
            cluster[name].run("systemctl", "start", "--no-block", "etcd")
        for name in "ABC":
            wait_for("etcd is back", 60, cluster[name].is_up)
        report.say("etcd is back")
        time.sleep(TTL + 5)  # whatever was due to expire does
    require(f"requests failed: {load.failed()[:5]}", not load.failed())
    cluster.key.wait_for_host(cluster["A"].private, 30)


@contextmanager
def trouble(cluster: Cluster, report: Report, what: str) -> Iterator[Load]:
    """Clients ask for the page before, during and after it. In the end all must be well by itself."""
    cluster.wait_for_page("the page, before the trouble")
    with cluster.load(rate=50) as load:
        time.sleep(2)
        yield load
        require_active(cluster, "A", PROVIDER)
        require_active(cluster, "B", CONSUMER)
        over = time.monotonic()
        wait_for("a good answer after the trouble", 60, lambda: load.good_since(over))
        time.sleep(2)
    report.row(what, load, "")


# What is shown


def show_units(cluster: Cluster, report: Report, where: dict[str, tuple[str, ...]]) -> None:
    for machine, units in where.items():
        listed = cluster[machine].run("systemctl", "list-units", "--all", "--no-legend", "--plain", *units)
        report.say(f"{machine}: systemctl list-units")
        print(listed, end="", flush=True)
        require_active(cluster, machine, units)


def show_status(cluster: Cluster, report: Report, ambbpf: list[str]) -> None:
    """The kernel must be at work in the least privileged container."""
    cluster.talk_on_one_connection()
    report.say(f"B: {' '.join(ambbpf)} status")
    print(cluster["B"].run(*ambbpf, "status"), end="", flush=True)
    status = cluster.status(ambbpf)
    require(f"the engine is {status['engine']}: {status['engine_reason']}", status["engine"] == "sockmap")
    moved = status["connections"]["to_client"]["kernel_bytes"]
    require("the kernel has moved nothing", moved > 0)
    report.note(f"{' '.join(ambbpf)} status", f"engine sockmap, {moved} bytes to clients by the kernel")


ALL: dict[str, Callable[[Cluster, Report], None]] = {
    "tutorial": tutorial,
    "recommended": recommended,
    "move": move,
    "ambassador-killed": ambassador_killed,
    "docker-restarted": docker_restarted,
    "etcd-of-consumer": member_lost("B", "the consumer's machine"),
    "etcd-of-provider": member_lost("A", "the provider's machine"),
    "etcd-all": all_etcd_lost,
}
