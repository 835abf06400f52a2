# SPDX-License-Identifier: Apache-2.0
"""What is measured: the kinds of work, and their figures."""

from typing import NamedTuple

RATE_BITS = 1_000_000_000   # of the work whose CPU is measured
RATE_REQUESTS = 5_000


class Metric(NamedTuple):
    key: str          # in the figures of a sample
    title: str
    unit: str
    more_is_better: bool
    scale: float = 1.0  # from the load generator's unit


class Work(NamedTuple):
    name: str
    group: str            # for --only
    command: list[str]    # of bench_load, without --to, --seconds and --warm-up
    metrics: list[Metric]


def _latency(size: int, title: str) -> Work:
    return Work(f"latency-{size}", "latency", ["pingpong", "--size", str(size)], [
        Metric("p50_us", f"round trip of {title}, median", "µs", False),
        Metric("p99_us", f"round trip of {title}, 99th percentile", "µs", False)])


def _http(connections: int) -> Work:
    return Work(f"http-{connections}", "http", ["http", "--connections", str(connections)], [
        Metric("requests_per_second", f"keep-alive requests, {connections} connections",
               "1000/s", True, 1e-3)])


def _bulk(streams: int, direction: str) -> Work:
    plural = "s" if streams > 1 else ""
    return Work(f"bulk-{streams}-{direction}", "bulk",
                ["bulk", "--streams", str(streams), "--direction", direction], [
        Metric("bytes_per_second", f"bulk, {streams} stream{plural} {direction}", "GB/s", True, 1e-9)])


WORKS = [
    _latency(1, "1 B"),
    _latency(16384, "16 KiB"),
    _http(50),
    _http(500),
    Work("connect", "connect", ["connect", "--concurrent", "16"], [
        Metric("connections_per_second", "new connections", "1000/s", True, 1e-3)]),
    _bulk(1, "up"),
    _bulk(1, "down"),
    _bulk(8, "up"),
    _bulk(8, "down"),
]

# These need the spinners, and are set against none: the rest is the proxy's own share.
CPU_WORKS = [
    Work("cpu-bulk", "cpu", ["bulk", "--streams", "1", "--rate", str(RATE_BITS)], [
        Metric("cpu_s_per_gb", "CPU of everything per GB at 1 Gb/s", "s", False)]),
    Work("cpu-http", "cpu", ["http", "--connections", "50", "--rate", str(RATE_REQUESTS)], [
        Metric("cpu_ms_per_1000", f"CPU of everything per 1000 requests at {RATE_REQUESTS}/s", "ms",
               False)]),
]

MEMORY_WORK = Work("memory", "memory", [], [
    Metric("user_bytes", "user-space memory per idle connection", "KiB", False, 1 / 1024),
    Metric("slab_bytes", "kernel slab per idle connection, all ends", "KiB", False, 1 / 1024),
    Metric("unavailable_bytes", "memory no longer available per idle connection, all ends", "KiB", False,
           1 / 1024)])

ALL_WORKS = [*WORKS, *CPU_WORKS, MEMORY_WORK]
GROUPS = list(dict.fromkeys(work.group for work in ALL_WORKS))
SPEED = list(dict.fromkeys(work.group for work in WORKS))
