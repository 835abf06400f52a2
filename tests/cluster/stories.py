# SPDX-License-Identifier: Apache-2.0
"""What is done to the cluster, and what must come of it. In this order; each leaves a working cluster behind."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cluster import Cluster
from load import HeldConnection, Load
from machine import DOCKER_BRIDGE, Failure, wait_for
from report import Report

TTL = 5.0        # seconds, of the key
VANISHED = 40.0  # seconds within which open connections to a machine that has vanished are ended: 35, and some more
                 # for two busy cores


@dataclass(frozen=True)
class Units:
    name: str
    files: str  # below units/
    provider: tuple[str, ...]
    consumer: tuple[str, ...]
    one_by_one: bool  # as the tutorial starts them
    ambassador: tuple[str, ...]  # as it is called within its container


TUTORIAL = Units("the tutorial's units", "tutorial/*",
                 ("apache.service", "etcd-amb-apache.service", "apache-docker-reg.service"),
                 ("etcd-amb-apache2.service", "apache-dyn-amb.service", "haproxy.service"), True,
                 ("docker", "exec", "apache-dyn-amb.service", "ambbpf"))
OURS = Units("our units", "recommended/*", ("apache.service", "apache-register.service"),
             ("apache-ambassador.service", "haproxy.service"), False,
             ("docker", "exec", "apache-ambassador.service", "ambbpf"))


def require(what: str, holds: bool) -> None:
    if not holds:
        raise Failure(what)


def require_active(cluster: Cluster, machine: str, units: tuple[str, ...]) -> None:
    for unit in units:
        wait_for(f"{machine}: {unit} is active", 60, lambda: cluster[machine].state(unit) == "active")


def require_none_failed(load: Load) -> None:
    require(f"requests failed: {load.failed()[:5]}", not load.failed())


# Starting and stopping: the provider's units on A, the consumer's on B


def start(units: Units) -> Callable[[Cluster, Report], None]:
    """On machines that have nothing yet, neither images nor units."""
    def story(cluster: Cluster, report: Report) -> None:
        for name, chosen in (("A", units.provider), ("B", units.consumer)):
            cluster[name].install_units(units.files)
            for group in ((each,) for each in chosen) if units.one_by_one else (chosen,):
                report.say(f"{name}: systemctl start {' '.join(group)}")
                cluster[name].start(*group)
        cluster.provider = "A"
        cluster.wait_for_page("the page through HAProxy")
        report.say("the page is served through HAProxy on B's public address")
        for name, chosen in (("A", units.provider), ("B", units.consumer)):
            report.show(f"{name}: systemctl list-units", cluster[name].run(
                "systemctl", "list-units", "--all", "--no-legend", "--plain", *chosen))
            require_active(cluster, name, chosen)
        show_status(cluster, report, units.ambassador)

    return story


def stop(units: Units) -> Callable[[Cluster, Report], None]:
    def story(cluster: Cluster, report: Report) -> None:
        for name, chosen in ((cluster.provider, units.provider), ("B", units.consumer)):
            cluster[name].stop(*chosen)
            cluster[name].remove_units()
        report.note(f"{units.name} are stopped", "all are inactive, none has failed")

    return story


def show_status(cluster: Cluster, report: Report, ambbpf: tuple[str, ...], *options: str) -> None:
    """The kernel must be at work."""
    cluster.talk_on_one_connection()
    called = " ".join((*ambbpf, "status", *options))
    report.show(f"B: {called}", cluster["B"].run(*ambbpf, "status", *options))
    status = cluster.status(*ambbpf, "status", *options)
    require(f"the engine is {status['engine']}: {status['engine_reason']}", status["engine"] == "sockmap")
    moved = status["connections"]["to_client"]["kernel_bytes"]
    require("the kernel has moved nothing", moved > 0)
    report.note(called, f"engine sockmap, {moved} bytes to clients by the kernel")


def status_from_the_host(cluster: Cluster, report: Report) -> None:
    show_status(cluster, report, ("ambbpf",))


def zero_hop(cluster: Cluster, report: Report) -> None:
    """HAProxy in its container dials B, and is connected to Apache on the provider's machine."""
    def sent_on() -> int:
        (service,) = cluster.status("ambbpf", "status")["services"]
        return sum(endpoint["direct_total"] for endpoint in service["endpoints"])

    before = sent_on()
    with cluster.load(rate=50) as load:
        wait_for("HAProxy's connections go straight to Apache", 20, lambda: sent_on() >= before + 20)
        peers = cluster["B"].run("sh", "-c", "nsenter --net --target $(docker inspect --format '{{.State.Pid}}' "
                                 "haproxy.service) ss --tcp --all --numeric --no-header")
    provider, ambassador = f"{cluster[cluster.provider].private}:", f"{cluster['B'].private}:80 "
    require(f"HAProxy has no connection to {provider}\n{peers}", provider in peers)
    report.row("HAProxy's connections in its container", load,
               f"{sent_on() - before} straight to Apache, by the counters; of those that `ss` shows there, "
               f"{peers.count(provider)} to Apache on {cluster.provider}, {peers.count(ambassador)} to the ambassador")
    require_none_failed(load)


# Failover: the provider's machine vanishes, another one gets its units


def crash(units: Units) -> Callable[[Cluster, Report], None]:
    def story(cluster: Cluster, report: Report) -> None:
        require("the provider is on A", cluster.provider == "A")
        cluster["C"].install_units(units.files)
        with cluster.load(rate=50) as load:
            time.sleep(2)
            held = (cluster.hold("an idle one"), cluster.hold("one that has something to say"))
            time.sleep(0.5)
            vanished = time.monotonic()
            cluster["A"].crash()
            held[1].send(b"GET / HTTP/1.0\r\n\r\n")
            report.say("machine A has vanished")
            gone = cluster.key.wait_until_gone(vanished, TTL + 15)
            report.say(f"its key is gone ({gone.action}); C: systemctl start {' '.join(units.provider)}")
            begun = time.monotonic()
            cluster["C"].start(*units.provider)
            back = cluster.key.wait_for_host(cluster["C"].private, 60)
            wait_for("a good answer after the new key", 30, lambda: load.good_since(back.at))
            time.sleep(3)
        cluster.provider = "C"
        good = load.first_good_after(back.at)
        assert good
        failed = load.failed_outside((vanished, back.at))
        report.row(f"{units.name}: A vanishes, C takes over", load,
                   f"crash to expiry {gone.at - vanished:.1f} s, units' start to key {back.at - begun:.1f} s, "
                   f"key to good answer {(good - back.at) * 1000:.0f} ms, "
                   f"failed before the crash or after the new key {len(failed)}")
        require(f"requests failed while there was an endpoint: {failed[:5]}", not failed)
        # No promise of speed: who is held is served by the key's coming, and not when he looks again.
        require(f"the first good answer came {good - back.at:.1f} s after the new key", good - back.at < 1)
        require_active(cluster, "C", units.provider)
        report.note(f"{units.name}: open connections to A", how_they_end(held, vanished))
        cluster.boot("A")
        report.say("machine A has booted again")

    return story


def how_they_end(held: tuple[HeldConnection, ...], vanished: float) -> str:
    wait_for("open connections to the machine that has vanished are ended", VANISHED,
             lambda: all(each.ended for each in held))
    ends = ", ".join(f"{each.what}: {each.how} after {each.ended - vanished:.1f} s" for each in held)
    require(f"they are ended too late: {ends}", all(each.ended - vanished <= VANISHED for each in held))
    return ends


def move(cluster: Cluster, report: Report) -> None:
    """Graceful: it starts on the other machine first."""
    here, there = cluster.provider, "A" if cluster.provider == "C" else "C"
    cluster[there].install_units(OURS.files)
    with cluster.load(rate=200) as load:
        time.sleep(2)
        cluster[there].start(*OURS.provider)
        moved = cluster.key.wait_for_host(cluster[there].private, 60)
        report.say(f"{there} has the key; {here}: systemctl stop {' '.join(OURS.provider)}")
        cluster[here].stop(*OURS.provider)
        time.sleep(3)
    cluster.provider = there
    after = [request for request in load.requests if request.begun > moved.at]
    report.row(f"a graceful move from {here} to {there}", load, f"{len(after)} of them after the move")
    require_none_failed(load)
    require(f"the key says {cluster.key.value()}", f'"{cluster[there].private}"' in cluster.key.value())


# Troubles


@contextmanager
def trouble(cluster: Cluster, report: Report, what: str, units: Units) -> Iterator[Load]:
    """Clients ask for the page before, during and after it. In the end all must be well by itself."""
    with cluster.load(rate=50) as load:
        time.sleep(2)
        yield load
        require_active(cluster, cluster.provider, units.provider)
        require_active(cluster, "B", units.consumer)
        over = time.monotonic()
        wait_for("a good answer after the trouble", 60, lambda: load.good_since(over))
        cluster.key.wait_for_host(cluster[cluster.provider].private, 30)
        time.sleep(2)
    report.row(what, load, "")


def containers_die(units: Units) -> Callable[[Cluster, Report], None]:
    """Each of them in turn, with SIGKILL; those that are bound to it have to come back as well."""
    def story(cluster: Cluster, report: Report) -> None:
        for name, chosen in ((cluster.provider, units.provider), ("B", units.consumer)):
            for unit in reversed(chosen):
                cluster.hold("what stops in an orderly way waits for it")
                with trouble(cluster, report, f"{units.name}: {unit}'s container dies", units):
                    cluster[name].run("docker", "kill", unit)
                    time.sleep(3)

    return story


def docker_restarted(cluster: Cluster, report: Report) -> None:
    with trouble(cluster, report, "dockerd is restarted on B, its containers with it", OURS):
        cluster["B"].run("systemctl", "restart", "docker", seconds=120)
        time.sleep(3)


def member_lost(cluster: Cluster, report: Report) -> None:
    for machine, whose in (("B", "the consumer's"), (cluster.provider, "the provider's")):
        with trouble(cluster, report, f"the etcd member of {whose} machine is lost for 12 s", OURS) as load:
            cluster[machine].run("systemctl", "stop", "etcd")
            time.sleep(12)  # well beyond the key's TTL
            cluster[machine].run("systemctl", "start", "etcd")
        require_none_failed(load)


def all_etcd_lost(cluster: Cluster, report: Report) -> None:
    with trouble(cluster, report, "all of etcd is lost for 30 s", OURS) as load:
        for name in "ABC":
            cluster[name].run("systemctl", "stop", "etcd")
        time.sleep(30)
        for name in "ABC":
            cluster[name].run("systemctl", "start", "--no-block", "etcd")
        for name in "ABC":
            wait_for("etcd is back", 60, cluster[name].is_up)
        report.say("etcd is back")
        time.sleep(TTL + 5)  # whatever was due to expire does
    require_none_failed(load)


# The images by themselves, and the ambassador without Docker


def drop_in(cluster: Cluster, report: Report) -> None:
    """The tutorial's lines with another user name and nothing else: without root's capabilities, for example."""
    provider, consumer = cluster[cluster.provider], cluster["B"]
    run = ("docker", "run", "--detach", "--rm", "--name")
    for machine in (provider, consumer):
        machine.run(*run, "etcd-amb", "ambbpf/simple-amb", f"{DOCKER_BRIDGE}:4001")
    provider.run(*run, "docker-reg", "--link", "etcd-amb:etcd", "-v",
                 "/var/run/docker.sock:/var/run/docker.sock", "ambbpf/docker-register", "apache.service", "80",
                 "drop-in")
    consumer.run(*run, "dyn-amb", "--link", "etcd-amb:etcd", "-p", f"{consumer.private}:8081:80",
                 "ambbpf/dynamic-etcd-amb", "drop-in", "80")
    began = time.monotonic()
    with Load(consumer.private, 8081, rate=20) as load:
        wait_for("the page through the images alone", 30, lambda: load.good_since(began + 1))
    provider.run("docker", "stop", "docker-reg", "etcd-amb")
    consumer.run("docker", "stop", "dyn-amb", "etcd-amb")
    report.row("the tutorial's `docker run` lines", load, "")


def plain(cluster: Cluster, report: Report) -> None:
    """The ambassador as a plain unit of B, in its sandbox, set up as the unit's head says."""
    machine, unit = cluster["B"], "ambbpf@web.service"
    machine.install_units("ambbpf@.service")
    machine.run("sh", "-c", "mkdir /etc/ambbpf && echo AMBBPF_ARGUMENTS=proxy apache-A 8080 >/etc/ambbpf/web.env")
    machine.start(unit)  # returns when it says that it is ready
    with Load(machine.private, 8080, rate=50) as load:
        time.sleep(2)
        machine.run("systemctl", "kill", "--signal", "KILL", unit)
        wait_for(f"{unit} is restarted", 20, lambda: machine.state(unit) == "active")
        over = time.monotonic()
        wait_for("a good answer after the restart", 20, lambda: load.good_since(over))
        time.sleep(1)
    report.row(f"without Docker: {unit} gets SIGKILL", load, "")
    told = machine.run("ambbpf", "status")
    require(f"ambbpf status does not tell of both:\n{told}", told.count(" proxy, pid ") == 2)
    status = cluster.status("ambbpf", "status", "--admin", "/run/ambbpf/web/ambbpf.sock")
    require(f"the engine is {status['engine']}: {status['engine_reason']}", status["engine"] == "sockmap")
    machine.stop(unit)


ALL: dict[str, Callable[[Cluster, Report], None]] = {
    "tutorial": start(TUTORIAL),
    "tutorial-crash": crash(TUTORIAL),
    "tutorial-containers-die": containers_die(TUTORIAL),
    "tutorial-stop": stop(TUTORIAL),
    "ours": start(OURS),
    "status": status_from_the_host,
    "zero-hop": zero_hop,
    "crash": crash(OURS),
    "move": move,
    "containers-die": containers_die(OURS),
    "docker-restarted": docker_restarted,
    "etcd-member-lost": member_lost,
    "etcd-lost": all_etcd_lost,
    "drop-in": drop_in,
    "plain": plain,
    "stop": stop(OURS),
}
