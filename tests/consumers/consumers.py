# SPDX-License-Identifier: Apache-2.0
"""The consumers: what each is to do, and what must come of it."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ambassador import ELSEWHERE, ENDPOINTS, PORTS
from places import HERE, Place
from servers import BIG, PAGES
from waiting import Failure

TIMES = 10  # connections of a client that makes one for each request


class Way:
    """Which way connections have to go."""
    DIRECT = "direct"
    PROXY = "by proxy"


class Consumer(NamedTuple):
    name: str
    service: str
    needs: str  # a program of its package
    use: Callable[[Place], int | None]  # how many connections it made, None: it does not tell
    way: str = Way.DIRECT
    places: tuple[str, ...] = ("host", "container")
    is_large: bool = False  # what it needs


def output(place: Place, *words: str | Path, seconds: float = 30) -> str:
    command = place.command([str(word) for word in words])
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Failure(f"{words[0]} takes longer than {seconds:.0f} s") from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Failure(f"{words[0]} exits with {done.returncode}: {said[-1] if said else ''}")
    return done.stdout


def expect(is_right: bool, what: str, printed: str) -> None:
    if not is_right:
        raise Failure(f"{what}; it printed {printed[-300:]!r}")


def expect_pages(printed: str) -> int:
    lines = printed.splitlines()
    expect(len(lines) == TIMES and set(lines) <= set(PAGES), f"not {TIMES} pages", printed)
    return TIMES


def curl(place: Place, *options: str, before: tuple[str, ...] = (), host: str = "") -> int:
    url = f"http://{host or place.ambassador}:{PORTS['web']}/"
    return expect_pages(output(place, *before, "curl", "-sSf", "--max-time", "10", "-H", "Connection: close",
                               *options, *([url] * TIMES)))


def curl_in_unit(place: Place) -> int:
    """Of the endpoints' addresses the unit is kept away: what it asks the ambassador for has to come by the proxy."""
    url = f"http://{ELSEWHERE}:{ENDPOINTS['web'][0]}/"
    printed = output(place, "sh", "-c", f"curl -s --max-time 1 {url} || echo kept away")
    expect(printed == "kept away\n", "it reaches an endpoint by itself", printed)
    return curl(place)


def curl_fast_open(place: Place) -> int:
    return curl(place, "--tcp-fastopen")


def curl_by_many_paths(place: Place) -> int:
    return curl(place, before=("mptcpize", "run"))


def curl_loopback_6(place: Place) -> int:
    return curl(place, host="[::1]")


def curl_big(place: Place) -> int:
    printed = output(place, "sh", "-c", f"curl -sSf http://{place.ambassador}:{PORTS['web']}/big | md5sum")
    expected = subprocess.run(["md5sum"], input=bytes(range(256)) * (BIG // 256), capture_output=True).stdout
    expect(printed == expected.decode(), "another page", printed)
    return 1


def wrk(place: Place, *options: str) -> None:
    printed = output(place, "wrk", "-t1", "-c20", "-d1s", *options, f"http://{place.ambassador}:{PORTS['web']}/")
    expect("Socket errors" not in printed and "Non-2xx" not in printed and "requests in" in printed,
           "requests failed", printed)


def wrk_new_connections(place: Place) -> None:
    wrk(place, "-H", "Connection: close")


def postgres_options(place: Place) -> list[str]:
    return ["-h", place.ambassador, "-p", str(PORTS["postgres"]), "-U", "postgres"]


def psql(place: Place) -> int:
    printed = output(place, "psql", *postgres_options(place), "-Atc", "select 6 * 7")
    expect(printed == "42\n", "another answer", printed)
    return 1


def psql_cancel(place: Place) -> int:
    """A second connection, to the address that the first one has dialled, asks to end a statement."""
    script = ("timeout --foreground --signal=INT 0.5 "
              f"psql {' '.join(postgres_options(place))} -Atc 'select pg_sleep(20)' 2>&1; true")
    printed = output(place, "sh", "-c", script, seconds=10)
    expect("canceling statement due to user request" in printed, "not cancelled", printed)
    return 2


def pgbench(place: Place) -> None:
    output(place, "pgbench", *postgres_options(place), "-i", "-q", "postgres")
    for more in ([], ["--connect"]):
        printed = output(place, "pgbench", *postgres_options(place), "-c", "4", "-t", "25", *more, "postgres")
        expect("processed: 100/100" in printed and "failed transactions: 0 " in printed, "not all done", printed)


def redis_cli(place: Place) -> int:
    options = ("redis-cli", "-h", place.ambassador, "-p", str(PORTS["redis"]))
    output(place, *options, "set", "answer", "42")
    printed = output(place, *options, "get", "answer")
    expect(printed == "42\n", "another answer", printed)
    return 2


def redis_benchmark(place: Place) -> None:
    printed = output(place, "redis-benchmark", "-h", place.ambassador, "-p", str(PORTS["redis"]), "-n", "5000",
                     "-c", "20", "-t", "set,get", "-q")
    expect(printed.count("requests per second") == 2 and "rror" not in printed, "not all done", printed)


def haproxy(place: Place) -> None:
    """Its clients are curl's; its server is the ambassador, whom it checks as well."""
    configuration = (f"defaults\n mode http\n timeout connect 5s\n timeout client 5s\n timeout server 5s\n"
                     f" retries 0\n option httpclose\nlisten web\n bind 127.0.0.1:9000\n"
                     f" server ambassador {place.ambassador}:{PORTS['web']} check inter 100ms\n")
    script = ("printf '%s' \"$1\" >/tmp/haproxy.cfg && haproxy -D -p /tmp/haproxy.pid -f /tmp/haproxy.cfg && "
              f"curl -sSf --retry 5 --retry-connrefused {' '.join(['http://127.0.0.1:9000/'] * TIMES)}; "
              "code=$?; kill $(cat /tmp/haproxy.pid); exit $code")
    expect_pages(output(place, "sh", "-c", script, "-", configuration))


def http_client(*command: str | Path) -> Callable[[Place], int]:
    return lambda place: expect_pages(output(place, *command, place.ambassador, str(PORTS["web"]), str(TIMES)))


def build_clients(work: Path) -> None:
    """Of the languages that are there."""
    if shutil.which("go"):
        subprocess.run(["go", "build", "-o", work / "client-go", HERE / "client.go"], check=True,
                       env={"PATH": "/usr/bin:/bin", "HOME": str(work), "CGO_ENABLED": "0"})
    if shutil.which("javac"):
        subprocess.run(["javac", "-d", work, HERE / "Client.java"], check=True)


def all_of_them(work: Path) -> list[Consumer]:
    return [
        Consumer("curl", "web", "curl", curl),
        Consumer("curl --tcp-fastopen", "web", "curl", curl_fast_open),
        Consumer("curl, 32 MiB", "web", "curl", curl_big),
        Consumer("curl to [::1], endpoints of IPv4", "web", "curl", curl_loopback_6, Way.DIRECT, ("host",)),
        Consumer("mptcpize run curl", "web", "mptcpize", curl_by_many_paths, Way.PROXY),
        Consumer("curl", "web", "curl", curl_in_unit, Way.PROXY, ("unit, IPAddressDeny=any",)),
        Consumer("wrk, keep-alive", "web", "wrk", wrk),
        Consumer("wrk, new connections", "web", "wrk", wrk_new_connections),
        Consumer("HAProxy", "web", "haproxy", haproxy),
        Consumer("psql", "postgres", "psql", psql),
        Consumer("psql, a statement cancelled", "postgres", "psql", psql_cancel),
        Consumer("pgbench", "postgres", "pgbench", pgbench),
        Consumer("redis-cli", "redis", "redis-cli", redis_cli),
        Consumer("redis-benchmark", "redis", "redis-benchmark", redis_benchmark),
        Consumer("Node", "web", "node", http_client("node", HERE / "client.js")),
        Consumer("Go", "web", "go", http_client(work / "client-go"), is_large=True),
        Consumer("Java", "web", "javac", http_client("java", "-cp", work, "Client"), is_large=True),
    ]
