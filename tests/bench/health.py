# SPDX-License-Identifier: Apache-2.0
"""How many requests fail while one of two endpoints behaves badly: ambbpf beside HAProxy, like settings.

Both have the same endpoints at the same time, each with clients of its own. The endpoint is good for a
while, bad for as long as is measured, and the client counts what it would complain of.
"""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from machine import Failure, Network, Networks, end, join
from report import table

RATE = 200       # requests a second through each contender
GOOD = 1.0       # seconds, then it gets bad
BAD = 10.0       # seconds
PATIENCE = 3.0   # seconds that a client waits for an answer
START = 20.0     # seconds that a contender may take to serve
SERVER_PORT = 9000
AMBBPF, HAPROXY = "ambbpf", "HAProxy"
CONTENDERS = [AMBBPF, HAPROXY]
PORTS = {AMBBPF: 9001, HAPROXY: 9002}
BLACKHOLES = "blackholes"
CASES = {"resets": "accepts and resets", BLACKHOLES: "is cut off",
         "answers-500": "answers 500", "flaps": "is up and down, 200 ms each"}
KINDS = ["refused", "reset", "timed out", "status", "cut short"]

HAPROXY_CONFIG = """\
defaults
  mode tcp
  balance roundrobin
  timeout connect 1s
  timeout check 1s
  timeout client 1m
  timeout server 1m
  retries 3
  option redispatch
  option httpchk GET /
  http-check expect status 200
  default-server check inter 1s fall 3 rise 2 observe layer4 error-limit 3 on-error mark-down
frontend front
  bind {listen}
  default_backend back
backend back
{servers}
"""

AMBBPF_CONFIG = """\
admin = "{folder}/admin.sock"
[service.web]
listen = "{listen}"
endpoints = [{servers}]
connect_timeout = "1s"
retries = 3
eject_resets = 3
check = "http"
check_path = "/"
check_interval = "1s"
check_timeout = "1s"
check_rise = 2
check_fall = 3
check_status = "200"
"""


class Host(NamedTuple):
    network: Network
    address: str
    consumer: str


class Endpoint:
    def __init__(self, host: Host) -> None:
        self.host = host
        self.process = host.network.start(
            [sys.executable, str(Path(__file__).with_name("bad_backend.py")), host.address, str(SERVER_PORT)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout
        self.process.stdout.readline()
        self.is_cut_off = False

    def behave(self, manner: str) -> None:
        if manner == BLACKHOLES:
            self.is_cut_off = True
            self.host.network.run("ip", "route", "add", "blackhole", self.host.consumer)
            return
        assert self.process.stdin
        self.process.stdin.write(f"{manner}\n".encode())
        self.process.stdin.flush()

    def stop(self) -> None:
        if self.is_cut_off:
            self.host.network.run("ip", "route", "del", "blackhole", self.host.consumer)
        end(self.process)


def start(name: str, ambbpf: Path, addresses: list[str], folder: Path) -> "subprocess.Popen[bytes]":
    listen = f"127.0.0.1:{PORTS[name]}"
    places = [f"{address}:{SERVER_PORT}" for address in addresses]
    if name == HAPROXY:
        servers = "\n".join(f"  server e{i} {place}" for i, place in enumerate(places))
        text, command = HAPROXY_CONFIG, ["haproxy", "-db", "-f"]
    else:
        servers = ", ".join(f'"{place}"' for place in places)
        text, command = AMBBPF_CONFIG, [str(ambbpf), "run", "--config"]
    config = folder / f"{name}.config"
    config.write_text(text.format(listen=listen, servers=servers, folder=folder))
    with open(folder / f"{name}.log", "wb") as log:
        process = subprocess.Popen([*command, str(config)], stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=log)
    deadline = time.monotonic() + START
    while outcome := asyncio.run(ask(PORTS[name])):
        if process.poll() is not None or time.monotonic() > deadline:
            end(process)
            raise Failure(f"{name} does not serve ({outcome}): {(folder / f'{name}.log').read_text().strip()[-400:]}")
        time.sleep(0.05)
    return process


async def ask(port: int) -> str:
    """Empty: it was answered."""
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.closing(writer):
                writer.write(b"GET / HTTP/1.0\r\n\r\n")
                answer = await reader.read()
    except ConnectionRefusedError:
        return "refused"
    except ConnectionError:
        return "reset"
    except TimeoutError:
        return "timed out"
    if not answer.endswith(b"ok"):
        return "cut short"
    return "" if b" 200 " in answer.split(b"\r\n", 1)[0] else "status"


async def load_all(bad: Endpoint, manner: str) -> dict[str, list[str]]:
    asked: dict[str, list[asyncio.Task[str]]] = {name: [] for name in CONTENDERS}
    begin = time.monotonic()
    is_bad = False
    for i in range(int(RATE * (GOOD + BAD))):
        await asyncio.sleep(max(0.0, begin + i / RATE - time.monotonic()))
        if not is_bad and i >= RATE * GOOD:
            is_bad = True
            bad.behave(manner)
        for name in CONTENDERS if i % 2 else CONTENDERS[::-1]:
            asked[name].append(asyncio.create_task(ask(PORTS[name])))
    return {name: list(await asyncio.gather(*tasks)) for name, tasks in asked.items()}


def measure_case(manner: str, ambbpf: Path, hosts: list[Host]) -> list[dict[str, Any]]:
    endpoints: list[Endpoint] = []
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for host in hosts:
            endpoints.append(Endpoint(host))
        with tempfile.TemporaryDirectory(prefix="ambbpf-bench-health-") as folder:
            for name in CONTENDERS:
                processes.append(start(name, ambbpf, [host.address for host in hosts], Path(folder)))
            outcomes = asyncio.run(load_all(endpoints[0], manner))
    finally:
        for process in processes:
            end(process)
        for endpoint in endpoints:
            endpoint.stop()
    return [{"case": manner, "contender": name, "requests": len(each),
             **{kind: each.count(kind) for kind in KINDS}} for name, each in outcomes.items()]


def measure(ambbpf: Path, rounds: int) -> list[dict[str, Any]]:
    networks = Networks()
    here = Network()
    here.set_up()
    hosts = []
    try:
        for i in (1, 2):
            there = networks.new()
            join(f"h{i}", here, f"10.79.{i}.1", there, f"10.79.{i}.2")
            hosts.append(Host(there, f"10.79.{i}.2", f"10.79.{i}.1"))
        return [{"round": round_number, **sample} for round_number in range(rounds) for manner in CASES
                for sample in measure_case(manner, ambbpf, hosts)]
    finally:
        networks.end()


def failed(sample: dict[str, Any]) -> int:
    return sum(sample[kind] for kind in KINDS)


def document(samples: list[dict[str, Any]]) -> str:
    rows, verdicts = [], []
    for manner, title in CASES.items():
        counts = {name: [failed(s) for s in samples if (s["case"], s["contender"]) == (manner, name)]
                  for name in CONTENDERS}
        for name in CONTENDERS:
            mine = [s for s in samples if (s["case"], s["contender"]) == (manner, name)]
            kinds = [sum(s[kind] for s in mine) for kind in KINDS]
            each = counts[name]
            rows.append([f"one of two {title}", name, f"{median(each):g} ({min(each)}–{max(each)})",
                         *(str(count) if count else "" for count in kinds)])
        kept = sum(counts[AMBBPF]) <= sum(counts[HAPROXY])
        verdicts.append(f"- one of two {title}, all rounds: {AMBBPF} {sum(counts[AMBBPF])}, {HAPROXY} "
                        f"{sum(counts[HAPROXY])}: {'not more' if kept else 'MORE'}\n")
    header = ["endpoint", "contender", "failed, median (by round)", *KINDS]
    return (f"## Requests that fail, {RATE}/s for {BAD:.0f} s after {GOOD:.0f} s in which all is well\n\n"
            + table(header, rows) + "\n" + "".join(verdicts))
