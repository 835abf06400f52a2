# SPDX-License-Identifier: Apache-2.0
"""From samples to tables: medians and spread, and ambbpf against the best of its peers."""

from statistics import median
from typing import Any, NamedTuple

import works
from contenders import ALL, DIRECT, ENGINES, NONE, PEERS


class Comparison(NamedTuple):
    title: str
    work: str
    key: str
    more_is_better: bool
    over_direct: bool = False      # only what a proxy adds counts
    limit: float | None = None     # of the ratio to the best peer; a floor where more is better
    bound: tuple[str, ...] = ()    # the engines that must each keep it; empty: any one of them


SOCKMAP, SPLICE = "ambbpf-sockmap", "ambbpf-splice"

COMPARISONS = [
    Comparison("latency added to a round trip of 1 B", "latency-1", "p50_us", False, True, 0.70,
               (SOCKMAP,)),
    Comparison("latency added to a round trip of 16 KiB", "latency-16384", "p50_us", False, True),
    Comparison("keep-alive requests/s, 50 connections", "http-50", "requests_per_second", True,
               False, 1.10, (SOCKMAP,)),
    Comparison("keep-alive requests/s, 500 connections", "http-500", "requests_per_second", True),
    Comparison("new connections/s", "connect", "connections_per_second", True, False, 1.0),
    *[Comparison(f"bulk throughput, {streams} stream{'s' if streams > 1 else ''} {direction}",
                 f"bulk-{streams}-{direction}", "bytes_per_second", True, False, 2.0,
                 (SOCKMAP, SPLICE))
      for streams in (1, 8) for direction in ("up", "down")],
    Comparison("the proxy's CPU per GB at 1 Gb/s", "cpu-bulk", "cpu_s_per_gb", False, True, 0.75,
               (SOCKMAP,)),
    Comparison(f"the proxy's CPU per request at {works.RATE_REQUESTS}/s", "cpu-http",
               "cpu_ms_per_1000", False, True),
    Comparison("user-space memory per idle connection", "memory", "user_bytes", False, False, 0.25,
               (SOCKMAP,)),
]


class Results:
    def __init__(self, samples: list[dict[str, Any]]) -> None:
        self.samples = samples

    def topologies(self) -> list[str]:
        return list(dict.fromkeys(sample["topology"] for sample in self.samples))

    def contenders(self) -> list[str]:
        return [name for name in ALL if any(s["contender"] == name for s in self.samples)]

    def rounds(self, topology: str) -> list[int]:
        return sorted({s["round"] for s in self.samples if s["topology"] == topology})

    def values(self, topology: str, work: str, key: str, contender: str,
               only_round: int | None = None) -> list[float]:
        return [s["figures"][key] for s in self.samples
                if (s["topology"], s["work"], s["contender"]) == (topology, work, contender)
                and only_round in (None, s["round"]) and key in s.get("figures", {})]

    def failures(self) -> list[dict[str, Any]]:
        return [sample for sample in self.samples if "error" in sample]

    def compared(self, topology: str, comparison: Comparison, contender: str,
                 only_round: int | None = None) -> float | None:
        """The figure that counts, without what it takes without a proxy where that is asked."""
        own = self.values(topology, comparison.work, comparison.key, contender, only_round)
        if not own:
            return None
        if not comparison.over_direct:
            return median(own)
        none = self.values(topology, comparison.work, comparison.key, NONE, only_round)
        return median(own) - median(none) if none else None

    def best_peer(self, topology: str, comparison: Comparison,
                  only_round: int | None = None) -> tuple[str, float] | None:
        found = [(name, value) for name in PEERS
                 if (value := self.compared(topology, comparison, name, only_round)) is not None]
        if not found:
            return None
        best = max if comparison.more_is_better else min
        return best(found, key=lambda pair: pair[1])

    def ratio(self, topology: str, comparison: Comparison, engine: str,
              only_round: int | None = None) -> float | None:
        """Of the medians; None where noise has made what is to be divided by 0 or less."""
        own = self.compared(topology, comparison, engine, only_round)
        peer = self.best_peer(topology, comparison, only_round)
        if own is None or peer is None or peer[1] <= 0:
            return None
        return own / peer[1]

    def direct_ratio(self, topology: str, work: str, key: str,
                     only_round: int | None = None) -> float | None:
        """Of --direct to no proxy, turned so that more is better."""
        own, none = (self.values(topology, work, key, name, only_round) for name in (DIRECT, NONE))
        if not own or not none or not median(own) or not median(none):
            return None
        return median(own) / median(none)

    def ratio_spread(self, topology: str, comparison: Comparison, engine: str) -> list[float]:
        """The same within each round."""
        each = (self.ratio(topology, comparison, engine, r) for r in self.rounds(topology))
        return [ratio for ratio in each if ratio is not None]


def number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def spread(values: list[float]) -> str:
    return f" ({number(min(values))}–{number(max(values))})" if len(values) > 1 else ""


def table(header: list[str], rows: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths))
             for row in [header, ["-" * width for width in widths], *rows]]
    return "".join(f"| {line} |\n" for line in lines)


def figures_table(results: Results, topology: str) -> str:
    names = results.contenders()
    rows = []
    for work in works.ALL_WORKS:
        for metric in work.metrics:
            cells = []
            for name in names:
                values = [v * metric.scale
                          for v in results.values(topology, work.name, metric.key, name)]
                cells.append(number(median(values)) + spread(values) if values else "–")
            if any(cell != "–" for cell in cells):
                rows.append([f"{metric.title}, {metric.unit}", *cells])
    return table(["median (min–max)", *names], rows)


def keeps(comparison: Comparison, ratio: float, limit: float) -> bool:
    return ratio >= limit if comparison.more_is_better else ratio <= limit


def verdict(results: Results, topology: str, comparison: Comparison) -> str:
    if comparison.limit is None:
        return ""
    ratios = {name: ratio for name in comparison.bound or ENGINES
              if (ratio := results.ratio(topology, comparison, name)) is not None}
    if not ratios:
        return "not measured"
    kept = [keeps(comparison, ratio, comparison.limit) for ratio in ratios.values()]
    if not comparison.bound:
        return "met" if any(kept) else "not met"
    if all(kept) and len(kept) == len(comparison.bound):
        return "met"
    if len(comparison.bound) == 1:
        return "not met"
    return ", ".join(f"{short(name)}: "
                     + ("not measured" if name not in ratios else
                        "met" if keeps(comparison, ratios[name], comparison.limit) else "not met")
                     for name in comparison.bound)


def short(name: str) -> str:
    return name.removeprefix("ambbpf-")


def target(comparison: Comparison) -> str:
    if comparison.limit is None:
        return ""
    sign = "≥" if comparison.more_is_better else "≤"
    whom = " and ".join(short(name) for name in comparison.bound) or "the best"
    return f"{sign} {comparison.limit:.2f} ({whom})"


def ratios_table(results: Results, topology: str) -> str:
    rows = []
    for comparison in COMPARISONS:
        peer = results.best_peer(topology, comparison)
        if peer is None:
            continue
        cells = []
        for engine in ENGINES:
            ratio = results.ratio(topology, comparison, engine)
            cells.append("–" if ratio is None else
                         number(ratio) + spread(results.ratio_spread(topology, comparison, engine)))
        rows.append([comparison.title, peer[0], *cells, target(comparison),
                     verdict(results, topology, comparison)])
    return table(["ratio of medians (by round)", "best peer", *(short(name) for name in ENGINES),
                  "target", ""], rows)


def direct_table(results: Results, topology: str) -> str:
    """--direct against no proxy at all, and against the best peer."""
    rows = []
    for comparison in COMPARISONS:
        if comparison.work.startswith(("cpu", "memory")):
            continue
        key = (topology, comparison.work, comparison.key)
        each = [results.direct_ratio(*key, r) for r in results.rounds(topology)]
        ratios = [1 / r if not comparison.more_is_better else r for r in each if r]
        if not ratios:
            continue
        peers = [value for name in PEERS if (value := results.values(*key, name))]
        own = median(results.values(*key, DIRECT))
        best = (max if comparison.more_is_better else min)(median(p) for p in peers) if peers else 0
        to_peer = (own / best if comparison.more_is_better else best / own) if best else 0
        limit = 0.95 if comparison.work == "connect" else 0.97
        title = comparison.title.replace("latency added to", "speed of")
        rows.append([title, number(median(ratios)) + spread(ratios), f"≥ {limit}",
                     "met" if median(ratios) >= limit else "not met",
                     number(to_peer) if to_peer else "–"])
    return table(["--direct, more is better", "to no proxy (by round)", "target", "",
                  "to the best peer"], rows) if rows else ""


def machine_noise(results: Results) -> str:
    idle = [s["figures"]["idle_spins_per_second"] for s in results.samples
            if "idle_spins_per_second" in s.get("figures", {})]
    if len(idle) < 2:
        return ""
    return (f"Around the measurements of CPU that count, the idle machine did between "
            f"{min(idle) / max(idle):.0%} and 100% of its best: the rest was spent by others.\n")


def document(results: Results, machine: dict[str, Any]) -> str:
    lines = ["# ambbpf against HAProxy and nginx\n\n"]
    lines += [f"- {name}: {value}\n" for name, value in machine.items()]
    for topology in results.topologies():
        lines.append(f"\n## {topology}\n\n" + figures_table(results, topology))
        if any(results.best_peer(topology, comparison) for comparison in COMPARISONS):
            lines.append("\n" + ratios_table(results, topology))
        if direct := direct_table(results, topology):
            lines.append("\n" + direct)
    lines.append("\n" + machine_noise(results))
    failures = results.failures()
    lines.append(f"\n{len(results.samples)} measurements, {len(failures)} failed.\n")
    lines += [f"- {f['topology']}, round {f['round'] + 1}, {f['work']}, {f['contender']}: {f['error']}\n"
              for f in failures]
    return "".join(lines)
