"""Pictures of a report as SVG inside the page: no script and no file beside it is needed to see them."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

__all__ = ["bands", "difference_whisker", "histogram", "percent", "points", "reliability", "whisker"]

WIDTH, HEIGHT = 520, 220
LEFT, RIGHT, TOP, BOTTOM = 40, 8, 18, 34
"""Size of a picture and of its margins, in the units of its view box."""


def percent(rate: float | None, digits: int = 1) -> str:
    """Return a rate as people read it.

    >>> percent(0.1234), percent(None)
    ('12.3\u202f%', '–')
    """
    return "–" if rate is None else f"{100 * rate:.{digits}f}\u202f%"


def histogram(bars: Sequence[tuple[str, int]], label: str, every: int = 1, first_is_good: bool = True) -> Markup:
    """Return bars of counts; the first may stand apart (as what went right), every ``every``-th has its name below."""
    tallest = max((count for _, count in bars), default=0) or 1
    step = (WIDTH - LEFT - RIGHT) / max(1, len(bars))
    parts = [_rule(tick / tallest, f"{tick:,}") for tick in _ticks(tallest)]
    for number, (name, count) in enumerate(bars):
        height = (HEIGHT - TOP - BOTTOM) * count / tallest
        if count:
            height = max(height, 1.5)  # one file among a million is seen, too
            kind = "fill good" if number == 0 and first_is_good else "fill"
            place = (LEFT + (number + 0.1) * step, HEIGHT - BOTTOM - height, 0.8 * step, height)
            parts.append(
                Markup(
                    '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="2">'
                    "<title>{}: {:,}</title></rect>"
                ).format(kind, *place, name, count)
            )
        if number % every == 0:
            parts.append(_text(LEFT + (number + 0.5) * step, HEIGHT - BOTTOM + 15, name))
    return _picture(parts, label)


def bands(
    rows: Sequence[tuple[str, float | None, tuple[float, float] | None, int]], total: float | None, label: str
) -> Markup:
    """Return a dot for each (name, rate, its interval, files), side by side, and the ``total`` as a dashed line."""
    highest = max(
        [interval[1] if interval else rate for _, rate, interval, _ in rows if rate is not None] + [total or 0, 0.05]
    )
    top = _nice(highest)
    step = (WIDTH - LEFT - RIGHT) / max(1, len(rows))
    parts = [_rule(tick, percent(tick * top, 0)) for tick in (0, 0.25, 0.5, 0.75, 1)]
    if total is not None:
        parts.append(_line("mean", LEFT, _y(total / top), WIDTH - RIGHT, _y(total / top)))
    for number, (name, rate, interval, num_files) in enumerate(rows):
        x = LEFT + (number + 0.5) * step
        parts.append(_text(x, HEIGHT - BOTTOM + 15, name))
        if rate is None:
            continue
        shown = f"{name}: {percent(rate)} in {num_files:,} files"
        if interval:
            parts.append(_line("whisker", x, _y(interval[0] / top), x, _y(interval[1] / top)))
        parts.append(
            Markup('<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="5"><title>{}</title></circle>').format(
                x, _y(rate / top), shown
            )
        )
        parts.append(
            Markup('<text class="strong" x="{:.1f}" y="{:.1f}">{}</text>').format(
                x + 8, _y(rate / top) - 6, percent(rate)
            )
        )
    return _picture(parts, label)


def reliability(points: Sequence[tuple[float, float, int]], label: str) -> Markup:
    """Return the curve of (mean confidence, part that was right, words); on the diagonal a confidence means itself."""
    parts = [_rule(tick, percent(tick, 0)) for tick in (0, 0.25, 0.5, 0.75, 1)]
    parts += [_text(_x(tick), HEIGHT - BOTTOM + 15, percent(tick, 0)) for tick in (0, 0.25, 0.5, 0.75, 1)]
    parts.append(_line("mean", _x(0), _y(0), _x(1), _y(1)))
    most = max((count for _, _, count in points), default=1) or 1
    path = " ".join(f"{_x(confidence):.1f},{_y(right):.1f}" for confidence, right, _ in points)
    parts.append(Markup('<polyline class="stroke" points="{}"/>').format(path))
    for confidence, right, count in points:
        parts.append(
            Markup(
                '<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="{:.1f}">'
                "<title>confidence {:.2f}: {} of {:,} right</title></circle>"
            ).format(_x(confidence), _y(right), 3 + 5 * (count / most) ** 0.5, confidence, percent(right), count)
        )
    return _picture(parts, label)


def whisker(rate: float | None, interval: tuple[float, float] | None, top: float, total: float | None) -> Markup:
    """Return a dot on a line from 0 to ``top`` with its interval, for a cell of a table; a tick marks the total."""
    if rate is None:
        return Markup("")

    def at(value: float) -> str:
        return f"{100 * min(1.0, value / top):.2f}%" if top else "0%"

    parts = [Markup('<line class="axis" x1="0" x2="100%" y1="8" y2="8"/>')]
    if total is not None:
        parts.append(Markup('<line class="mean" x1="{0}" x2="{0}" y1="0" y2="16"/>').format(at(total)))
    if interval:
        parts.append(
            Markup('<line class="whisker" x1="{}" x2="{}" y1="8" y2="8"/>').format(at(interval[0]), at(interval[1]))
        )
    parts.append(Markup('<circle class="dot" cx="{}" cy="8" r="4.5"/>').format(at(rate)))
    return Markup('<svg height="16" width="100%" aria-hidden="true">{}</svg>').format(Markup("").join(parts))


def points(difference: float | None) -> str:
    """Return a difference of rates in percentage points, with its sign.

    >>> points(-0.0123), points(0.0)
    ('−1.2', '0.0')
    """
    if difference is None:
        return "–"
    text = f"{abs(100 * difference):.1f}"
    return text if float(text) == 0 else ("+" if difference > 0 else "−") + text


def difference_whisker(difference: float | None, interval: tuple[float, float] | None, reach: float) -> Markup:
    """Return a dot on a line from ``-reach`` to ``reach`` with its interval; a tick marks zero."""
    if difference is None:
        return Markup("")
    shifted = None if interval is None else (interval[0] + reach, interval[1] + reach)
    return whisker(difference + reach, shifted, 2 * reach, reach)


def _picture(parts: list[Markup], label: str) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, label, Markup("").join(parts)
    )


def _rule(height: float, name: str) -> Markup:
    """Return a horizontal line at ``height`` (0 bottom, 1 top) with its name on the left."""
    line = _line("axis", LEFT, _y(height), WIDTH - RIGHT, _y(height))
    return line + Markup('<text x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(LEFT - 6, _y(height) + 4, name)


def _line(kind: str, *ends: float) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(kind, *ends)


def _text(x: float, y: float, text: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>').format(x, y, text)


def _x(part: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * part


def _y(part: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part


def _nice(value: float) -> float:
    """Return a round number that is not below ``value``.

    >>> _nice(0.31), _nice(3)
    (0.4, 4.0)
    """
    size = 10.0 ** (len(f"{value:.0f}") - 1) if value >= 1 else 0.1 if value > 0.1 else 0.01
    return next(round(size * step, 9) for step in (1, 2, 4, 6, 8, 10, 20) if size * step >= value)


def _ticks(tallest: int) -> list[int]:
    """Return some three whole numbers from 0 up to ``tallest``."""
    step = max(1, int(_nice(tallest / 2)) if tallest > 2 else 1)
    while step * 2 > tallest and step > 1:
        step = max(1, step // 2)
    return list(range(0, tallest + 1, step))
