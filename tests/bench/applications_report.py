# SPDX-License-Identifier: Apache-2.0
"""The tables of applications' own tools: what the chosen engine gets, against the others and the peers."""

from statistics import median
from typing import Any, NamedTuple

from contenders import AUTO, DIRECT, ENGINES, NONE
from load_tools import ROWS, Row
from report import Results, number, spread, table

PEERS = ["haproxy", "nginx"]
P99 = "p99_us"


class Comparison(NamedTuple):
    """What is chosen, to the best of others; more than 1 is better, in latencies too."""
    title: str
    key: str  # of the figures; empty: the one that counts in a row
    others: list[str]
    limit: float


COMPARISONS = [
    Comparison("auto / best engine", "", ENGINES, 0.97),
    Comparison("auto / better peer", "", PEERS, 1.0),
    Comparison("p99, auto / better peer", P99, PEERS, 1.0),
]
CLEARLY, SHARE = 1.15, 0.5  # better than the peers, in this share of the rows


def measured(results: Results) -> list[Row]:
    return [row for row in ROWS if any(sample["work"] == row.name for sample in results.samples)]


def values(results: Results, row: Row, key: str, name: str, only_round: int | None = None) -> list[float]:
    return results.values("loopback", row.name, key, name, only_round)


def ratio(results: Results, row: Row, what: Comparison, only_round: int | None = None) -> float | None:
    """Of medians."""
    key = what.key or row.key
    own = values(results, row, key, AUTO, only_round)
    others = [median(found) for name in what.others if (found := values(results, row, key, name, only_round))]
    if not own or not others:
        return None
    if row.more_is_better and not what.key:
        return median(own) / max(others)
    return min(others) / median(own) if median(own) else None


def ratio_cell(results: Results, row: Row, what: Comparison) -> str:
    own = ratio(results, row, what)
    each = [ratio(results, row, what, r) for r in results.rounds("loopback")]
    return "–" if own is None else f"{own:.2f}" + spread([r for r in each if r is not None])


def cells(results: Results, row: Row, key: str, scale: float) -> list[str]:
    found = [[v * scale for v in values(results, row, key, name)] for name in results.contenders()]
    return [number(median(each)) + spread(each) if each else "–" for each in found]


def figures_table(results: Results) -> str:
    rows = [[f"{row.title}, {row.unit}", *cells(results, row, row.key, row.scale),
             *(ratio_cell(results, row, what) for what in COMPARISONS)] for row in measured(results)]
    return table(["median (min–max)", *results.contenders(), *(what.title for what in COMPARISONS)], rows)


def p99_table(results: Results) -> str:
    rows = [[row.title, *cells(results, row, P99, 1)] for row in measured(results)]
    return table(["99th percentile of latency, µs", *results.contenders()],
                 [row for row in rows if any(cell != "–" for cell in row[1:])])


def cpu_cells(results: Results, row: Row, names: list[str]) -> list[str]:
    _, count = row.per()
    found = []
    for name in names:
        both = zip(values(results, row, "cpu_s", name), values(results, row, "count", name))
        per_unit = [1000 * cpu / done * count for cpu, done in both]
        found.append(number(median(per_unit)) + spread(per_unit) if per_unit else "–")
    return found


def cpu_table(results: Results) -> str:
    names = [name for name in results.contenders() if name != NONE]
    rows = [[f"{row.title}, ms per {row.per()[0]}", *cpu_cells(results, row, names)]
            for row in measured(results)]
    return table(["CPU of the contender's processes", *names], rows)


def verdict(results: Results, what: Comparison) -> str:
    found = {row.title: own for row in measured(results) if (own := ratio(results, row, what)) is not None}
    missed = [f"{title} {own:.2f}" for title, own in found.items() if own < what.limit]
    line = f"- {what.title} ≥ {what.limit:.2f}: in {len(found) - len(missed)} of {len(found)} rows"
    return line + (f"; not in {'; '.join(missed)}\n" if missed else "\n")


def clearly_better(results: Results) -> str:
    what = COMPARISONS[1]
    found = [own for row in measured(results) if (own := ratio(results, row, what)) is not None]
    clearly = sum(own >= CLEARLY for own in found)
    met = "met" if found and clearly >= SHARE * len(found) else "not met"
    return f"- {what.title} ≥ {CLEARLY} in {SHARE:.0%} of the rows: in {clearly} of {len(found)}, {met}\n"


def sent_on(results: Results) -> str:
    shares = [sample["figures"]["sent_on"] for sample in results.samples
              if sample["contender"] == DIRECT and "figures" in sample]
    if not shares:
        return ""
    return f"- {DIRECT}: at least {min(shares):.0%} of the connects of a measurement went to the server itself\n"


def document(results: Results, machine: dict[str, Any], left_out: list[str]) -> str:
    failures = results.failures()
    return "".join([
        "# ambbpf against HAProxy and nginx, with applications' own tools\n\n",
        *(f"- {name}: {value}\n" for name, value in machine.items()),
        "\n" + figures_table(results),
        "\nRatios are of medians (by round); more than 1 is better, in latencies too.\n\n",
        *(verdict(results, what) for what in COMPARISONS), clearly_better(results), sent_on(results),
        "\n" + p99_table(results), "\n" + cpu_table(results),
        f"\n{len(results.samples)} measurements, {len(failures)} failed.\n",
        *(f"- round {f['round'] + 1}, {f['work']}, {f['contender']}: {f['error']}\n" for f in failures),
        *(f"- {line}\n" for line in left_out)])
