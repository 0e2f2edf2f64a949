"""Time axes: round ticks, and times written as seconds, mm:ss or h:mm:ss."""

from __future__ import annotations

_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_MINUTES_FROM = 120.0


def axis_time(seconds: float, total: float, decimals: int = 0, *, unit: bool = False) -> str:
    """A time of a video that lasts `total` seconds: seconds below two minutes, then mm:ss, and h:mm:ss from an hour.

    unit: add ` s` to plain seconds.

    >>> axis_time(12.34, 60, 1, unit=True), axis_time(185, 600), axis_time(3785, 7200)
    ('12.3 s', '3:05', '1:03:05')
    """
    if total < _MINUTES_FROM:
        return f"{seconds:.{decimals}f}{' s' if unit else ''}"
    # Rounding comes first: 59.999 s is 1:00.00, not 0:60.00.
    whole, part = divmod(round(seconds * 10**decimals), 10**decimals)
    fraction = f".{part:0{decimals}d}" if decimals else ""
    minutes, rest = divmod(whole, 60)
    if total < 3600:
        return f"{minutes}:{rest:02d}{fraction}"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}{fraction}"


def axis_unit(total: float) -> str:
    """The unit in which `axis_time` writes: `s`, `mm:ss` or `h:mm:ss`."""
    if total < _MINUTES_FROM:
        return "s"
    return "mm:ss" if total < 3600 else "h:mm:ss"


def time_ticks(total: float, count: int = 10) -> list[tuple[float, str]]:
    """At most `count + 1` round times from 0 to `total` seconds, each with its text; a length of 0 has one tick, 0.

    >>> time_ticks(60, 3)
    [(0, '0'), (30, '30'), (60, '60')]
    """
    if total == 0:
        return [(0.0, "0")]
    step = next((s for s in _STEPS if total <= s * count), 3600 * max(1, -int(-total // (3600 * count))))
    decimals = 0 if step >= 1 else 1 if step >= 0.1 else 2
    # The tolerance keeps the last tick: 0.3 / 0.1 is 2.9999999999999996.
    ticks = [i * step for i in range(int(total / step + 1e-9) + 1)]
    return [(tick, axis_time(tick, total, decimals)) for tick in ticks]
