#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an operator may see stands in units/OPERATING.md: every metric, every line that is logged as a warning or an
error, and every reason in the access log. Usage: operating.py [DIRECTORY], the top of the sources
"""
import pathlib
import re
import sys

TEXT = r'"((?:[^"\\]|\\.)*)"'
LOGGED = re.compile(r"log::(?:warn|error)\(\s*((?:" + TEXT + r"\s*)+)")
REASON = re.compile(r'EndReason::k\w+, "([a-z_]+)"')
METRIC = re.compile(r'"((?:ambbpf|process)_[a-z_]+)"')


def of(pattern, files):
    return {(path.name, match.group(1)) for path in files for match in pattern.finditer(path.read_text("utf-8"))}


def telling(logged):
    """The longest piece of a line that is the same whatever it speaks of; the others are put in when it is logged."""
    line = "".join(re.findall(TEXT, logged))
    return max(re.split(r"\{[^}]*\}", line), key=len).strip(" :;,'")


def main():
    top = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
    operating = (top / "units/OPERATING.md").read_text("utf-8")
    metrics = of(METRIC, (top / "userspace/admin").glob("*.cpp"))
    lines = of(LOGGED, (top / "userspace").rglob("*.cpp"))
    reasons = of(REASON, [top / "userspace/dataplane/end_reason.h"])
    missing = [f"{file}: {reason}" for file, reason in reasons if f"| `{reason}` |" not in operating]
    missing += [f"{file}: {metric}" for file, metric in metrics if f"`{metric}`" not in operating]
    missing += [f"{file}: {telling(line)}" for file, line in lines if telling(line) not in operating]
    for one in sorted(missing):
        print("units/OPERATING.md lacks what is in", one, file=sys.stderr)
    if missing or not metrics or not lines or not reasons:
        sys.exit(1)
    print(f"{len(metrics)} metrics, {len(lines)} lines of the log and {len(reasons)} reasons, all of them there")


if __name__ == "__main__":
    main()
