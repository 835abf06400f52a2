# SPDX-License-Identifier: Apache-2.0
"""How many requests fail while endpoints stop, vanish, move and come back.

All contenders serve the same endpoints at the same time, each with its own client: what happens is the
same for all of them.
"""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from contenders import connects, wait_until_it_forwards
from discovery import ETCD_PORT, Etcd
from machine import Failure, Network, Networks, end, join

RATE = 100       # requests a second through each contender
SECONDS = 10.0   # of each case
PATIENCE = 3.0   # seconds that a client waits for one request
FIRST_PORT = 9001
SERVER_PORT = 9000
ENDPOINTS = 3
RELOAD = 0.3     # seconds that nginx takes until its new workers are those that accept
LATE = 10.0      # seconds that a client may take longer than it should

ZERO_HOP, WATCHED, PROXY, HAPROXY, NGINX = "zero hop", "zero hop, watched", "ambbpf", "HAProxy", "nginx"
CONTENDERS = [ZERO_HOP, WATCHED, PROXY, HAPROXY, NGINX]
WAYS = {ZERO_HOP: ["--direct"], WATCHED: ["--direct", "--direct-watch"]}
KINDS = ["refused", "reset", "cut_short", "timed_out", "unreachable", "wrong"]
LOOPBACK, VETH = "loopback", "veth"

HAPROXY_CONFIG = """\
global
  stats socket {folder}/runtime level admin
defaults
  mode tcp
  balance roundrobin
  timeout connect 1s
  timeout client 1m
  timeout server 1m
  retries 3
  option redispatch
frontend front
  bind {listen}
  default_backend back
backend back
{servers}
"""

NGINX_CONFIG = """\
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
user root;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 1000; }}
stream {{
  access_log off;
  proxy_connect_timeout 1s;
  upstream back {{
{servers}
  }}
  server {{ listen {listen} reuseport; proxy_pass back; }}
}}
"""


class Case(NamedTuple):
    name: str
    title: str
    endpoints: int  # in the table at its start
    events: list[tuple[float, str, int]]  # second, what happens (a method of Trial), to which endpoint
    places: tuple[str, ...] = (LOOPBACK, VETH)


CASES = [
    Case("a", "one of two stops", 2, [(2, "stop", 0)]),
    # Nothing is between a loopback address and its consumer that could be cut.
    Case("b", "one of two is cut off", 2, [(2, "cut_off", 0)], (VETH,)),
    Case("c", "the only one moves, three times", 1, [(2, "move", 1), (4.5, "move", 0), (7, "move", 1)]),
    # Long enough in between for it to be in use again.
    Case("d", "one of three is killed and comes back, three times", 3,
         [(1.5, "stop", 0), (2, "start", 0), (4.5, "stop", 0), (5, "start", 0), (7.5, "stop", 0),
          (8, "start", 0)]),
]


class Endpoint:
    """A server on this host, or on another one."""

    def __init__(self, network: Network, address: str, consumer: str, load: Path) -> None:
        self.network = network
        self.address = address
        self.consumer = consumer
        self.load = load
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = self.network.start(
            [str(self.load), "serve", "--listen", f"{self.address}:{SERVER_PORT}"])

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    def cut_off(self, change: str = "add") -> None:
        """Nothing that it answers arrives any more, until it is changed back by "del"."""
        self.network.run("ip", "route", change, "blackhole", self.consumer)


class Contender:
    """A proxy of the endpoints, whose table can change."""

    def __init__(self, name: str, ambbpf: Path, load: Path, service: str, port: int,
                 addresses: list[str], folder: Path) -> None:
        self.name = name
        self.folder = folder / name.replace(" ", "-")
        self.folder.mkdir()
        self.ambbpf = ambbpf
        self.service = service
        self.port = port
        self.listen = f"127.0.0.1:{port}"
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(self._command(addresses), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        try:
            wait_until_it_forwards(self.process, load, Network(), self.listen)
        except Failure as failure:
            end(self.process)
            log_text = (self.folder / "log").read_text().strip()
            raise Failure(f"{name}: {failure}; {log_text[-400:]}") from None

    def move(self, address: str) -> None:
        """The only endpoint is elsewhere now. (ambbpf hears it from etcd.)"""
        if self.name == HAPROXY:
            with socket.socket(socket.AF_UNIX) as runtime:
                runtime.connect(str(self.folder / "runtime"))
                runtime.sendall(f"set server back/e0 addr {address} port {SERVER_PORT}\n".encode())
                answer = runtime.recv(4096).decode()
                if "changed" not in answer:
                    raise Failure(f"{self.name}: {answer.strip()}")
        elif self.name == NGINX:
            self._write_config([address])
            self.process.send_signal(signal.SIGHUP)
            time.sleep(RELOAD)

    def sent_on(self) -> float | None:
        if self.name not in WAYS:
            return None
        sent, left = connects(self.ambbpf, self.folder / "admin.sock")
        return sent / (sent + left)

    def _command(self, addresses: list[str]) -> list[str]:
        config = str(self._write_config(addresses))
        if self.name == HAPROXY:
            return ["haproxy", "-db", "-f", config]
        if self.name == NGINX:
            return ["nginx", "-c", config, "-p", str(self.folder), "-e", "stderr"]
        return [str(self.ambbpf), "proxy", self.service, str(self.port), "--listen", "127.0.0.1",
                "--etcd", f"http://127.0.0.1:{ETCD_PORT}", "--admin", str(self.folder / "admin.sock"),
                *WAYS.get(self.name, [])]

    def _write_config(self, addresses: list[str]) -> Path:
        path = self.folder / "config"
        text, server = ((HAPROXY_CONFIG, "  server e{} {}:{} check inter 1s fall 2 rise 2")
                        if self.name == HAPROXY else
                        (NGINX_CONFIG, "    server {1}:{2} max_fails=1 fail_timeout=10s;"))
        servers = "\n".join(server.format(i, address, SERVER_PORT)
                            for i, address in enumerate(addresses))
        path.write_text(text.format(folder=self.folder, listen=self.listen, servers=servers))
        return path


class Trial:
    """One case in one place, all contenders at once."""

    def __init__(self, case: Case, service: str, endpoints: list[Endpoint], etcd: Etcd,
                 ambbpf: Path) -> None:
        self.case = case
        self.service = service
        self.endpoints = endpoints
        self.etcd = etcd
        self.ambbpf = ambbpf
        self.load = endpoints[0].load
        self.at = 0  # the only endpoint, where it moves
        self.contenders: list[Contender] = []

    def run(self, order: list[str]) -> list[dict[str, Any]]:
        for endpoint in self.endpoints:
            endpoint.start()
        for i in range(self.case.endpoints):
            self._put(i, self.endpoints[i].address)
        with tempfile.TemporaryDirectory(prefix="ambbpf-bench-failures-") as folder:
            try:
                addresses = [e.address for e in self.endpoints[:self.case.endpoints]]
                for name in order:
                    port = FIRST_PORT + CONTENDERS.index(name)
                    self.contenders.append(Contender(name, self.ambbpf, self.load, self.service, port,
                                                     addresses, Path(folder)))
                return self._measure()
            finally:
                self._clean_up()

    def _measure(self) -> list[dict[str, Any]]:
        clients = []
        for contender in self.contenders:
            clients.append(subprocess.Popen(
                [str(self.load), "steady", "--to", contender.listen, "--rate", str(RATE),
                 "--seconds", str(SECONDS), "--patience", str(PATIENCE)],
                stdout=subprocess.PIPE))
            time.sleep(1 / RATE / len(self.contenders))  # each in its own part of the interval
        begin = time.monotonic()
        for second, what, which in self.case.events:
            time.sleep(max(0.0, begin + second - time.monotonic()))
            getattr(self, what)(which)
        samples = []
        for contender, client in zip(self.contenders, clients):
            figures = json.loads(client.communicate(timeout=SECONDS + PATIENCE + LATE)[0])
            samples.append({"contender": contender.name, "direct": contender.sent_on(), **figures})
        return samples

    # What happens

    def stop(self, which: int) -> None:
        self.endpoints[which].stop()

    def start(self, which: int) -> None:
        self.endpoints[which].start()

    def cut_off(self, which: int) -> None:
        self.endpoints[which].cut_off()

    def move(self, to: int) -> None:
        """As a deploy does: the new one is up, all are told, and then the old one ends."""
        if not self.endpoints[to].process:
            self.endpoints[to].start()
        address = self.endpoints[to].address
        for contender in self.contenders:
            contender.move(address)
        self._put(0, address)
        self.endpoints[self.at].stop()
        self.at = to

    def _put(self, which: int, address: str) -> None:
        self.etcd.put(f"/services/{self.service}/host-{which}:web:{SERVER_PORT}",
                      json.dumps({"port": SERVER_PORT, "host": address}))

    def _clean_up(self) -> None:
        for contender in self.contenders:
            end(contender.process)
        for _, what, which in self.case.events:
            if what == "cut_off":
                self.endpoints[which].cut_off("del")
        for endpoint in self.endpoints:
            endpoint.stop()


def places(networks: Networks, load: Path) -> dict[str, list[Endpoint]]:
    """Endpoints on this host, and as many on hosts of their own."""
    here = Network()
    here.set_up()
    found: dict[str, list[Endpoint]] = {LOOPBACK: [], VETH: []}
    for i in range(1, ENDPOINTS + 1):
        found[LOOPBACK].append(Endpoint(here, f"127.0.0.{i + 1}", "127.0.0.1", load))
        there = networks.new()
        join(f"e{i}", here, f"10.78.{i}.1", there, f"10.78.{i}.2")
        found[VETH].append(Endpoint(there, f"10.78.{i}.2", f"10.78.{i}.1", load))
    return found


def measure(ambbpf: Path, load: Path, rounds: int) -> list[dict[str, Any]]:
    networks = Networks()
    samples = []
    with tempfile.TemporaryDirectory(prefix="ambbpf-bench-etcd-") as directory:
        by_place = places(networks, load)
        etcd = Etcd(directory, "v3")
        try:
            for round_number in range(rounds):
                turn = round_number % len(CONTENDERS)
                order = CONTENDERS[turn:] + CONTENDERS[:turn]
                for case in CASES:
                    for place in case.places:
                        service = f"failures-{round_number}-{case.name}-{place}"
                        trial = Trial(case, service, by_place[place], etcd, ambbpf)
                        samples += [{"place": place, "case": case.name, "round": round_number, **sample}
                                    for sample in trial.run(order)]
        finally:
            end(etcd.process)
            networks.end()
    return samples
