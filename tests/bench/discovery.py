# SPDX-License-Identifier: Apache-2.0
"""What it takes to follow many services: a real etcd, a proxy, and keys that change."""

import base64
import http.client
import json
import os
import re
import resource
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path
from typing import Any

from machine import Failure, Network, end, run_time

SERVICES = 1000
ENDPOINTS = 10   # of each service
RATE = 200       # changes a second
CHANGING = 10.0  # seconds
IDLE = 10.0
FIRST_PORT = 3000  # below those of clients (machine.Network)
ETCD_PORT = 2379
PATIENCE = 30.0  # seconds for anything to happen
FLEET = 1000     # hosts, for what they cost one cluster

LISTING = "listing of all, MB"
EVENT = "event of one change, bytes"

Figures = dict[str, float]


class Etcd:
    """Alone, on loopback, with data of its own."""

    def __init__(self, directory: str, api: str) -> None:
        self.api = api
        url = f"http://127.0.0.1:{ETCD_PORT}"
        peer = f"http://127.0.0.1:{ETCD_PORT + 1}"
        self.process = subprocess.Popen(
            ["etcd", "--data-dir", f"{directory}/data", "--enable-v2", "--log-level", "error",
             "--listen-client-urls", url, "--advertise-client-urls", url,
             "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
             "--initial-cluster", f"default={peer}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("etcd", lambda: self.healthy())
        self.connection = http.client.HTTPConnection("127.0.0.1", ETCD_PORT, timeout=10)

    @staticmethod
    def healthy() -> bool:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", ETCD_PORT, timeout=1)
            connection.request("GET", "/health")
            return b"true" in connection.getresponse().read()
        except OSError:
            return False

    def put_all(self, keys: dict[str, str]) -> None:
        if self.api == "v2":
            for key, value in keys.items():
                self.put(key, value)
            return
        entries = list(keys.items())
        for first in range(0, len(entries), 100):  # etcd takes 128 operations at once
            self._post("/v3/kv/txn", {"success": [{"request_put": encoded(*entry)}
                                                  for entry in entries[first:first + 100]]})

    def put(self, key: str, value: str) -> None:
        if self.api == "v3":
            self._post("/v3/kv/put", encoded(key, value))
        else:
            self._send("PUT", f"/v2/keys{key}", urllib.parse.urlencode({"value": value}),
                       {"Content-Type": "application/x-www-form-urlencoded"})

    def listing_size(self) -> int:
        """Bytes of all keys, as every host reads them at its start."""
        if self.api == "v2":
            self.connection.request("GET", "/v2/keys/services?recursive=true")
        else:
            self.connection.request("POST", "/v3/kv/range", json.dumps(PREFIX))
        return len(self.connection.getresponse().read())

    def event_size(self, key: str, value: str) -> int:
        """Bytes of one change, as every host's watch tells it."""
        watch = http.client.HTTPConnection("127.0.0.1", ETCD_PORT, timeout=10)
        if self.api == "v2":
            watch.request("GET", "/v2/keys/services?wait=true&recursive=true")
        else:
            watch.request("POST", "/v3/watch", json.dumps({"create_request": PREFIX}))
        stream = watch.getresponse()
        if self.api == "v3":
            stream.readline()  # "created"
        self.put(key, value)
        size = len(stream.readline())
        watch.close()
        return size

    def _post(self, path: str, body: dict[str, Any]) -> None:
        self._send("POST", path, json.dumps(body), {})

    def _send(self, method: str, path: str, body: str, headers: dict[str, str]) -> None:
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 201):
            raise Failure(f"etcd: {method} {path}: {answer.status} {text[:200]!r}")


def encoded(key: str, value: str) -> dict[str, str]:
    return {"key": base64.b64encode(key.encode()).decode(),
            "value": base64.b64encode(value.encode()).decode()}


PREFIX = {"key": base64.b64encode(b"/services/").decode(),
          "range_end": base64.b64encode(b"/services0").decode()}


class Proxy:
    """Its log tells when a change is in force."""

    def __init__(self, binary: Path, directory: str, api: str) -> None:
        self.admin = f"{directory}/admin.sock"
        self.seen: dict[str, float] = {}  # when, by the address that came
        routes = [word for i in range(SERVICES) for word in (service(i), str(FIRST_PORT + i))]
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [binary, "proxy", *routes, "--etcd", f"http://127.0.0.1:{ETCD_PORT}", "--etcd-api", api,
             "--listen", "127.0.0.1", "--admin", self.admin],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        threading.Thread(target=self._read_log, daemon=True).start()
        wait_for("the proxy", self._ready)
        self.ready_after = time.monotonic() - self.started

    def _read_log(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            now = time.monotonic()
            for address in re.findall(rb" \+([0-9.:]+)", line):
                self.seen[address.decode()] = now

    def _ready(self) -> bool:
        if self.process.poll() is not None:
            raise Failure(f"the proxy ended with exit code {self.process.returncode}")
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(self.admin)
                connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                return b" 200 " in connection.recv(4096)
            except OSError:
                return False

    def connections(self) -> int:
        """Those to etcd."""
        own = {os.readlink(fd) for fd in Path(f"/proc/{self.process.pid}/fd").iterdir()}
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(1 for row in rows if int(row[2].split(":")[1], 16) == ETCD_PORT
                   and row[3] == "01" and f"socket:[{row[9]}]" in own)

    def resident(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.M)
        assert found
        return int(found[1]) / 1024


def service(number: int) -> str:
    return f"service-{number:04}"


def wait_for(what: str, condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise Failure(f"{what} was not ready within {PATIENCE:.0f} s")
        time.sleep(0.01)


def keys() -> dict[str, str]:
    return {f"/services/{service(i)}/host-{k}:web:{8000 + k}":
            json.dumps({"port": 8000 + k, "host": f"10.{k}.{i // 250}.{i % 250 + 1}"})
            for i in range(SERVICES) for k in range(ENDPOINTS)}


def change(etcd: Etcd, proxy: Proxy) -> Figures:
    """Each change gives one endpoint an address that was never there before."""
    begun: dict[str, tuple[float, float]] = {}
    first = time.monotonic()
    for number in range(int(RATE * CHANGING)):
        time.sleep(max(0.0, first + number / RATE - time.monotonic()))
        port = 10000 + number
        before = time.monotonic()
        etcd.put(f"/services/{service(number % SERVICES)}/host-0:web:8000",
                 json.dumps({"port": port, "host": "10.99.0.1"}))
        begun[f"10.99.0.1:{port}"] = (before, time.monotonic())
    rate = len(begun) / (time.monotonic() - first)
    wait_for("a change", lambda: begun.keys() <= proxy.seen.keys())
    since_written = sorted(1000 * (proxy.seen[a] - written) for a, (_, written) in begun.items())
    since_begun = sorted(1000 * (proxy.seen[a] - before) for a, (before, _) in begun.items())
    return {"changes a second": rate,
            "in force after the write is acknowledged, p50, ms": statistics.median(since_written),
            "in force after the write is acknowledged, p99, ms": percentile(since_written, 0.99),
            "in force after the write begins, p99, ms": percentile(since_begun, 0.99)}


def percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def figures(binary: Path, api: str) -> Figures:
    with tempfile.TemporaryDirectory(prefix="ambbpf-bench-etcd-") as directory:
        etcd = Etcd(directory, "v2" if api == "v2" else "v3")
        try:
            etcd.put_all(keys())
            proxy = Proxy(binary, directory, api)
            try:
                return {"ready after, s": proxy.ready_after} | follow(etcd, proxy)
            finally:
                end(proxy.process)
        finally:
            end(etcd.process)


def follow(etcd: Etcd, proxy: Proxy) -> Figures:
    time.sleep(1.0)  # what the start took is over
    before = run_time(proxy.process.pid)
    time.sleep(IDLE)
    idle = 100 * (run_time(proxy.process.pid) - before) / IDLE
    measured = {"connections to etcd": float(proxy.connections()), "RSS, MiB": proxy.resident(),
                "CPU when idle, %": idle}
    before = run_time(proxy.process.pid)
    begin = time.monotonic()
    changed = change(etcd, proxy)
    busy = 100 * (run_time(proxy.process.pid) - before) / (time.monotonic() - begin)
    key, value = next(iter(keys().items()))
    return measured | changed | {"CPU meanwhile, %": busy, "RSS afterwards, MiB": proxy.resident(),
                                 LISTING: etcd.listing_size() / 1e6,
                                 EVENT: float(etcd.event_size(key, value))}


def measure(binary: Path) -> dict[str, Figures]:
    Network().set_up()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return {api: figures(binary, api) for api in ("v3", "v2", "auto")}


def document(results: dict[str, Figures]) -> str:
    names = list(dict.fromkeys(name for each in results.values() for name in each))
    lines = [f"## Discovery: {SERVICES} services of {ENDPOINTS} endpoints, {RATE} changes a second",
             "", "| | " + " | ".join(f"--etcd-api {api}" for api in results) + " |",
             "|---|" + "---:|" * len(results)]
    lines += [f"| {name} | " + " | ".join(f"{each[name]:.2f}" for each in results.values()) + " |"
              for name in names]
    return "\n".join(lines) + "\n\n" + fleet(results) + "\n"


def fleet(results: dict[str, Figures]) -> str:
    """By multiplication: etcd answers each host for itself."""
    lines = [f"What {FLEET} hosts that follow all of this ask of one cluster, all members together:"]
    for api, each in results.items():
        if api == "auto":
            continue
        lines.append(
            f"- {api}: {FLEET} watches (one for each service and host would be {FLEET * SERVICES});"
            f" {FLEET * each[EVENT] / 1e6:.2f} MB for a change,"
            f" {FLEET * RATE * each[EVENT] / 1e6:.0f} MB/s at {RATE} changes a second;"
            f" {FLEET * each[LISTING] / 1e3:.1f} GB when all of them start or find their watch broken")
    return "\n".join(lines)
