# SPDX-License-Identifier: Apache-2.0
"""The table of requests that failed, and the rule that it is read by."""

from statistics import median
from typing import Any

from failures import CASES, CONTENDERS, KINDS, PROXY, RATE, SECONDS, ZERO_HOP, Case
from report import number, table


def failed(sample: dict[str, Any]) -> float:
    return sum(sample[kind] for kind in KINDS)


def of(samples: list[dict[str, Any]], place: str, case: Case, contender: str) -> list[dict[str, Any]]:
    return [s for s in samples
            if (s["place"], s["case"], s["contender"]) == (place, case.name, contender)]


def document(samples: list[dict[str, Any]]) -> str:
    rounds = len({sample["round"] for sample in samples})
    rows = []
    for case in CASES:
        for place in case.places:
            for name in CONTENDERS:
                rows.append([f"({case.name}) {case.title}", place, name,
                             *row(of(samples, place, case, name))])
    header = ["case", "endpoints", "contender", "failed, median (by round)", *KINDS,
              "connect p99, ms", "slowest", "answer p99, ms", "slowest", "sent on"]
    return (f"## Requests that fail: {RATE}/s for {SECONDS:.0f} s, {rounds} round(s)\n\n"
            + table(header, rows) + "\n" + "".join(verdict(samples, case) for case in CASES))


def row(samples: list[dict[str, Any]]) -> list[str]:
    counts = [failed(sample) for sample in samples]
    kinds = [sum(sample[kind] for sample in samples) for kind in KINDS]
    times = [median(s[f"{what}_{which}_ms"] for s in samples)
             for what in ("connect", "answer") for which in ("p99", "slowest")]
    sent_on = [s["direct"] for s in samples if s["direct"] is not None]
    by_round = f" ({min(counts):g}–{max(counts):g})" if len(counts) > 1 else ""
    return [f"{median(counts):g}" + by_round, *(f"{k:g}" if k else "" for k in kinds),
            *(number(t) for t in times), f"{median(sent_on):.0%}" if sent_on else ""]


def verdict(samples: list[dict[str, Any]], case: Case) -> str:
    """The rule is on (a), (c) and (d): zero hop fails no more than the proxy."""
    lines = []
    for place in case.places:
        total = {name: sum(map(failed, of(samples, place, case, name))) for name in CONTENDERS}
        ruled = "" if case.name == "b" else (
            ": kept" if total[ZERO_HOP] <= total[PROXY] else ": NOT kept")
        lines.append(f"- ({case.name}), {place}, all rounds: "
                     + ", ".join(f"{name} {count:g}" for name, count in total.items()) + ruled + "\n")
    return "".join(lines)
