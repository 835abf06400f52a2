# SPDX-License-Identifier: Apache-2.0
"""A chart of ambbpf's engines against the best of HAProxy and nginx, as SVG."""

from html import escape

from contenders import ENGINES
from report import COMPARISONS, Comparison, Results, number, short

BAR, GAP, GROUP_GAP = 13, 3, 14  # pixels
LEFT, WIDTH, RIGHT, TOP, BOTTOM = 290, 460, 60, 76, 40
MOST = 4.0  # longer bars are cut

STYLE = """
  .paper { fill: #ffffff }
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .quiet { fill: #59636e; stroke: #ffffff; stroke-width: 3; paint-order: stroke }
  .line { stroke: #59636e; stroke-width: 1 }
  .target { stroke: #bc4c00; stroke-width: 2 }
  .sockmap { fill: #0969da } .splice { fill: #1a7f37 } .copy { fill: #818b98 }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 }
    text { fill: #f0f6fc } .quiet { fill: #9198a1; stroke: #0d1117 } .line { stroke: #9198a1 }
    .target { stroke: #f0883e }
    .sockmap { fill: #4493f8 } .splice { fill: #3fb950 } .copy { fill: #656c76 }
  }
"""


def times_better(comparison: Comparison, ratio: float) -> float:
    if comparison.more_is_better:
        return ratio
    return 1 / ratio if ratio > 1 / MOST else MOST  # also where nothing was added at all


def x_of(times: float) -> float:
    return LEFT + WIDTH * min(times, MOST) / MOST


def group(results: Results, topology: str, comparison: Comparison, y: int) -> tuple[list[str], int]:
    parts, top = [], y
    for engine in ENGINES:
        ratio = results.ratio(topology, comparison, engine)
        if ratio is None:
            continue
        times = times_better(comparison, ratio)
        label = ("≥ " if times >= MOST else "") + number(times)
        parts.append(f'<rect class="{short(engine)}" x="{LEFT}" y="{y}" '
                     f'width="{x_of(times) - LEFT:.1f}" height="{BAR}"/>'
                     f'<text class="quiet" x="{x_of(times) + 5:.1f}" y="{y + BAR - 2}">{label}</text>')
        y += BAR + GAP
    if not parts:
        return [], top
    parts.append(f'<text x="{LEFT - 10}" y="{(top + y) / 2 + 3:.0f}" text-anchor="end">'
                 f'{escape(comparison.title)}</text>')
    if comparison.limit is not None:
        x = x_of(times_better(comparison, comparison.limit))
        parts.insert(0, f'<line class="target" x1="{x:.1f}" y1="{top - 3}" x2="{x:.1f}" y2="{y}"/>')
    return parts, y + GROUP_GAP


def legend() -> list[str]:
    parts, x = [], LEFT
    for engine in ENGINES:
        name = short(engine)
        parts.append(f'<rect class="{name}" x="{x}" y="44" width="{BAR}" height="{BAR}"/>'
                     f'<text x="{x + BAR + 5}" y="55">{name}</text>')
        x += 85
    parts.append(f'<line class="target" x1="{x}" y1="43" x2="{x}" y2="58"/>'
                 f'<text x="{x + 7}" y="55">target</text>')
    return parts


def scale(bottom: int) -> list[str]:
    parts = []
    for times in range(int(MOST) + 1):
        x = x_of(times)
        dash = "" if times == 1 else ' stroke-dasharray="1 5"'
        parts.append(f'<line class="line" x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{bottom}"{dash}/>'
                     f'<text class="quiet" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{times}</text>')
    return parts


def svg(results: Results, topology: str) -> str:
    bars, y = [], TOP
    for comparison in COMPARISONS:
        drawn, y = group(results, topology, comparison, y)
        bars += drawn
    title = f"ambbpf, times better than the best of HAProxy and nginx ({topology}; longer is better)"
    width, height = LEFT + WIDTH + RIGHT, y + BOTTOM
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img">\n<title>{escape(title)}</title>\n'
            f"<style>{STYLE}</style>\n"
            f'<rect class="paper" width="{width}" height="{height}"/>\n'
            f'<text class="title" x="16" y="26">{escape(title)}</text>\n'
            + "\n".join([*legend(), *scale(y), *bars]) + "\n</svg>\n")
