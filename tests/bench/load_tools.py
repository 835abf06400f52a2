# SPDX-License-Identifier: Apache-2.0
"""The load tools of applications: how each is called, and what its output says.

Each returns the figures of one measurement: `rate` (per second), `count` (of the same unit, for the CPU that
each took), and the percentiles of latency that the tool tells, in µs.
"""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from backends import program, wait_until_it_rests
from machine import Failure, Network, TookTooLong

TIMEOUT = 10.0          # seconds that a tool may take beyond its time
KEYSTROKES_SECONDS = 3  # at least: one in 50 ms makes few


class Target(NamedTuple):
    """What one measurement is of."""
    port: int         # of the contender
    server_port: int  # of the server itself
    seconds: int      # most of the tools take whole ones only
    folder: Path      # for what the tool writes
    load: Path        # bench_load


Figures = dict[str, float]
Tool = Callable[[Target], Figures]


def output(to: Target, name: str, *words: str) -> str:
    return Network().output([program(name) or name, *words], to.seconds + TIMEOUT)


def found(pattern: str, text: str) -> float:
    match = re.search(pattern, text)
    if not match:
        raise Failure(f"its output has no {pattern}: {text.strip()[-200:]}")
    return float(match[1])


def none_failed(failed: float, what: str) -> None:
    if failed:
        raise Failure(f"{failed:.0f} {what} failed")


def redis(command: str, requests_per_second: int, *words: str) -> Tool:
    """It takes a number of requests, not a time: the same for all contenders."""
    def run(to: Target) -> Figures:
        value = words[words.index("-d"):][:2] if "-d" in words else ()
        output(to, "redis-benchmark", "-p", str(to.server_port), "-t", "set", "-n", "1", "-q", *value)
        count = requests_per_second * to.seconds
        text = output(to, "redis-benchmark", "-p", str(to.port), "-t", command, "-n", str(count), "--csv",
                      *words)
        row = next(csv.DictReader(io.StringIO(text[text.index('"test"'):])))
        return {"rate": float(row["rps"]), "count": count, "p99_us": 1000 * float(row["p99_latency_ms"])}
    return run


def pgbench(*words: str) -> Tool:
    def run(to: Target) -> Figures:
        log = to.folder / "pgbench"
        text = output(to, "pgbench", "-h", "127.0.0.1", "-p", str(to.port), "-U", "postgres", "-T",
                      str(to.seconds), "-l", f"--log-prefix={log}", *words, "postgres")
        times = []
        for each in to.folder.glob(f"{log.name}.*"):
            times += [int(line.split()[2]) for line in each.read_text().splitlines()]
            each.unlink()
        times.sort()
        none_failed(found(r"failed transactions: (\d+)", text), "transactions")
        return {"rate": found(r"tps = ([\d.]+)", text),
                "count": found(r"actually processed: (\d+)", text),
                "p99_us": times[int(0.99 * (len(times) - 1))]}
    return run


def ab(*words: str) -> Tool:
    def run(to: Target) -> Figures:
        percentiles = to.folder / "ab.csv"
        text = output(to, "ab", "-q", "-t", str(to.seconds), "-n", str(1_000_000 * to.seconds), "-e",
                      str(percentiles), *words, f"http://127.0.0.1:{to.port}/small")
        none_failed(found(r"Failed requests: +(\d+)", text), "requests")
        p99 = dict(csv.reader(percentiles.open()))["99"]
        return {"rate": found(r"Requests per second: +([\d.]+)", text),
                "count": found(r"Complete requests: +(\d+)", text), "p99_us": 1000 * float(p99)}
    return run


WRK_SCRIPT = """\
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("figures %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
"""


def wrk(connections: int, page: str) -> Tool:
    def run(to: Target) -> Figures:
        script = to.folder / "wrk.lua"
        script.write_text(WRK_SCRIPT)
        text = output(to, "wrk", "-t", str(min(connections, 2)), "-c", str(connections), "-d",
                      f"{to.seconds}s", "-s", str(script), f"http://127.0.0.1:{to.port}/{page}")
        figures = re.search(r"figures (\d+) (\d+) (\d+) (\d+)", text)
        if not figures:
            raise Failure(f"no figures from wrk: {text.strip()[-200:]}")
        count, duration, p99, errors = map(float, figures.groups())
        none_failed(errors, "requests")
        return {"rate": count / duration * 1e6, "count": count, "p99_us": p99}
    return run


def h2load(to: Target) -> Figures:
    text = output(to, "h2load", "--h1", "-c", "10", "-m", "10", "-D", str(to.seconds),
                  f"http://127.0.0.1:{to.port}/20k")
    none_failed(found(r"(\d+) failed", text), "requests")
    count = found(r"(\d+) succeeded", text)
    return {"rate": count / to.seconds, "count": count}


def iperf3(*words: str) -> Tool:
    def run(to: Target) -> Figures:
        # Its server listens anew after each client, and resets those who have come in between.
        wait_until_it_rests(to.server_port)
        command = ["iperf3", "-c", "127.0.0.1", "-p", str(to.port), "-t", str(to.seconds), "-J", *words]
        try:
            answer = Network().measure(command, to.seconds + TIMEOUT / 2)
        except TookTooLong as failure:
            raise Failure(f"stalled: {failure}") from None
        if "error" in answer:  # it succeeds nevertheless
            raise Failure(answer["error"])
        end = answer["end"]
        sums = [end[name] for name in ("sum_received", "sum_received_bidir_reverse") if name in end]
        return {"rate": sum(s["bits_per_second"] for s in sums) / 8, "count": sum(s["bytes"] for s in sums)}
    return run


def keystrokes(to: Target) -> Figures:
    seconds = max(to.seconds, KEYSTROKES_SECONDS)
    figures = Network().measure(
        [str(to.load), "pingpong", "--to", f"127.0.0.1:{to.port}", "--every", "0.05", "--seconds",
         str(seconds), "--warm-up", "0.1"], seconds + TIMEOUT)
    return {"p50_us": figures["p50_us"], "p99_us": figures["p99_us"], "count": figures["round_trips"]}


class Row(NamedTuple):
    name: str
    title: str
    server: str   # of backends.py
    program: str  # that must be there; empty: bench_load
    tool: Tool
    key: str = "rate"  # of the figure that counts
    unit: str = "1000/s"
    scale: float = 1e-3
    more_is_better: bool = True

    def per(self) -> tuple[str, float]:
        """The unit of work that its CPU is told for, and how many of its count that is."""
        return ("GB", 1e9) if self.unit == "MB/s" else ("1000", 1e3)


def _bulk(name: str, title: str, *words: str) -> Row:
    return Row(f"iperf3-{name}", f"iperf3 {title}", "iperf3", "iperf3", iperf3(*words), "rate", "MB/s", 1e-6)


# Of redis-benchmark, the requests of a second through a proxy on two cores.
ROWS = [
    Row("redis-get-4", "redis-benchmark GET, 4 connections", "redis", "redis-benchmark",
        redis("get", 40_000, "-c", "4")),
    Row("redis-get-20", "redis-benchmark GET, 20", "redis", "redis-benchmark",
        redis("get", 50_000, "-c", "20")),
    Row("redis-set-pipeline", "redis-benchmark SET, 50, pipeline 16", "redis", "redis-benchmark",
        redis("set", 700_000, "-c", "50", "-P", "16")),
    Row("redis-get-64k", "redis-benchmark GET of 64 KiB, 20", "redis", "redis-benchmark",
        redis("get", 15_000, "-c", "20", "-d", "65536")),
    Row("pgbench", "pgbench, TPC-B-like, 4", "postgres", "pgbench", pgbench("-c", "4", "-j", "2")),
    Row("pgbench-select", "pgbench -S, 4", "postgres", "pgbench", pgbench("-c", "4", "-j", "2", "-S", "-n")),
    Row("ab", "ab, 20", "web", "ab", ab("-c", "20")),
    Row("ab-keepalive", "ab -k, 20", "web", "ab", ab("-c", "20", "-k")),
    Row("wrk-2", "wrk, 2", "web", "wrk", wrk(2, "small")),
    Row("wrk-20", "wrk, 20, 20 KB", "web", "wrk", wrk(20, "20k")),
    Row("wrk-100", "wrk, 100", "web", "wrk", wrk(100, "small")),
    Row("h2load", "h2load over HTTP/1.1, 10 × 10, 20 KB", "web", "h2load", h2load),
    _bulk("up", "up"),
    _bulk("down", "down", "-R"),
    _bulk("8", "up, 8 streams", "-P", "8"),
    _bulk("both", "both ways", "--bidir"),
    Row("keystrokes", "keystrokes, one in 50 ms, median", "echo", "", keystrokes, "p50_us", "µs", 1, False),
]
