"""The measure as a picture: the two rates by month, and when people were first seen. SVG, drawn here: it is twelve pairs of bars and one line."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import accumulate

from transitions.measure import Measure, Rate

WIDTH, HEIGHT = 960, 420
_TOP, _BASE, _LEFT, _MIDDLE, _PANEL = 90, 350, 60, 530, 390
_INK, _FAINT, _WEEK, _MONTH = "#1f2933", "#cbd2d9", "#0b6e99", "#8fc7dd"


def svg(found: Measure) -> str:
    """The picture as an SVG document; it names no client."""
    total = found.total
    heading = f"Seen after leaving psychiatric inpatient care, {found.year}"
    counts = f"{total.denominator} discharges counted, {total.excluded} excluded; {_share(total, 7)} within 7 days, {_share(total, 30)} within 30"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13" fill="{_INK}" role="img">',
        f"<title>{escape(heading)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="30" font-size="18" font-weight="bold">{escape(heading)}</text>',
        f'<text x="{_LEFT}" y="52">{escape(counts)}. FUH-like, not HEDIS.</text>',
        *_panel(_LEFT, "Seen by month of discharge"),
        *_months(found),
        *_panel(_MIDDLE, "First visit by days after discharge (share of all)"),
        *_curve(total),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _share(rate: Rate, days: int) -> str:
    number = rate.numerator_7 if days == 7 else rate.numerator_30
    return f"{100 * number / rate.denominator:.0f} %" if rate.denominator else "none"


def _height(share: float) -> float:
    return _BASE - share * (_BASE - _TOP)


def _panel(left: int, title: str) -> list[str]:
    """The heading and the lines at 0, 25, 50, 75 and 100 %."""
    lines = [f'<text x="{left}" y="{_TOP - 14}" font-weight="bold">{escape(title)}</text>']
    for quarter in range(5):
        y = _height(quarter / 4)
        lines.append(f'<line x1="{left}" x2="{left + _PANEL}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_FAINT}"/>')
        lines.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end" font-size="11">{25 * quarter} %</text>')
    return lines


def _months(found: Measure) -> list[str]:
    """A pair of bars a month: within 7 days, and within 30; with the number of discharges below."""
    width, parts = _PANEL / 12, []
    for month in range(1, 13):
        x = _LEFT + (month - 1) * width
        rate = found.months.get(f"{found.year}-{month:02}", Rate(""))
        for offset, number, colour in ((0.5, rate.numerator_30, _MONTH), (0.14, rate.numerator_7, _WEEK)):
            if rate.denominator:
                top = _height(number / rate.denominator)
                parts.append(
                    f'<rect x="{x + offset * width:.1f}" y="{top:.1f}" width="{0.34 * width:.1f}" height="{_BASE - top:.1f}" fill="{colour}"/>'
                )
        parts.append(f'<text x="{x + width / 2:.1f}" y="{_BASE + 16}" text-anchor="middle" font-size="11">{month}</text>')
        parts.append(f'<text x="{x + width / 2:.1f}" y="{_BASE + 31}" text-anchor="middle" font-size="10">n={rate.denominator}</text>')
    for x, colour, words in ((_LEFT, _WEEK, "within 7 days"), (_LEFT + 130, _MONTH, "within 30 days")):
        parts.append(f'<rect x="{x}" y="{_BASE + 45}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{x + 18}" y="{_BASE + 56}">{words}</text>')
    return parts


def _curve(total: Rate) -> list[str]:
    """The share of all counted discharges that had been seen by the end of each day."""
    seen: Sequence[int] = list(accumulate(total.first_visits or [0] * 31))
    last = len(seen) - 1
    steps = [f"M {_MIDDLE} {_BASE}"]
    for day, number in enumerate(seen):
        x, y = _MIDDLE + _PANEL * day / last, _height(number / total.denominator if total.denominator else 0)
        steps.append(f"H {x:.1f} V {y:.1f}")
    week = _MIDDLE + _PANEL * 7 / last
    return [
        f'<line x1="{week:.1f}" x2="{week:.1f}" y1="{_TOP}" y2="{_BASE}" stroke="{_WEEK}" stroke-dasharray="4 4"/>',
        f'<path d="{" ".join(steps)}" fill="none" stroke="{_WEEK}" stroke-width="2"/>',
        *(
            f'<text x="{_MIDDLE + _PANEL * day / last:.1f}" y="{_BASE + 16}" text-anchor="middle" font-size="11">{day}</text>'
            for day in (0, 7, 14, 21, last)
        ),
        f'<text x="{_MIDDLE + _PANEL / 2}" y="{_BASE + 36}" text-anchor="middle">days after discharge</text>',
    ]
