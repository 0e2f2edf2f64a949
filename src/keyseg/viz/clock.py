"""Time axes: round tick positions and how times are written."""

from __future__ import annotations

_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_MINUTES_FROM = 120.0


def clock(seconds: float, total: float, decimals: int = 0) -> str:
    """A time as text: `12.5` where the whole (`total`) is short, `3:05` from two minutes, `1:03:05` from an hour."""
    if total < _MINUTES_FROM:
        return f"{seconds:.{decimals}f}"
    # Rounding comes first: 59.999 s is 1:00.00, not 0:60.00.
    ticks = round(seconds * 10**decimals)
    whole, part = divmod(ticks, 10**decimals)
    tail = f".{part:0{decimals}d}" if decimals else ""
    minutes, rest = divmod(whole, 60)
    if total < 3600:
        return f"{minutes}:{rest:02d}{tail}"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}{tail}"


def clock_unit(total: float) -> str:
    """The unit that `clock` writes: `s`, `mm:ss` or `h:mm:ss`."""
    if total < _MINUTES_FROM:
        return "s"
    return "mm:ss" if total < 3600 else "h:mm:ss"


def time_ticks(total: float, count: int = 10) -> list[tuple[float, str]]:
    """Round times from 0 to `total` seconds with their text, about `count` or fewer; a time of 0 has the one tick 0."""
    if total == 0:
        return [(0.0, "0")]
    step = next((s for s in _STEPS if total <= s * count), 3600 * max(1, -int(-total // (3600 * count))))
    decimals = 0 if step >= 1 else 1 if step >= 0.1 else 2
    # A hair above the end still counts: 0.3 / 0.1 is 2.9999999999999996.
    marks = [i * step for i in range(int(total / step + 1e-9) + 1)]
    return [(mark, clock(mark, total, decimals)) for mark in marks]
