"""Timelines as SVG and HTML for the report: plain rectangles in whole frames, stretched to the page by the browser."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from keyseg.timeline import LabelMap, Segment, Segmentation, TimeBase
from keyseg.viz.clock import axis_time, axis_unit, time_ticks
from keyseg.viz.rows import Row


def video_block(
    name: str, rows: Sequence[Row], labels: LabelMap, timebase: TimeBase, *, player: str = "", key_frames: str = ""
) -> str:
    """One video: its name and length, one bar per row, the time axis. Rows are checked beforehand.

    player, key_frames: blocks above and below the bars. With a player the bars are a slider over the frames.
    """
    frames = rows[0][1].length
    total = float(timebase.start_seconds(frames))
    length = f"{axis_time(total, total, 1, unit=True)}, {frames} {'frame' if frames == 1 else 'frames'}"
    bars = "\n".join(_bar(row, segmentation, labels, timebase, total) for row, segmentation in rows)
    if player:
        bars = (
            f'<div class="scrubber" role="slider" tabindex="0" aria-label="frame of {escape(name)}" aria-valuemin="0"'
            f' aria-valuemax="{max(frames - 1, 0)}" aria-valuenow="0">\n{bars}\n</div>'
        )
    blocks = "\n".join(block for block in (player, bars, _axis(total), key_frames) if block)
    return (
        f'<article class="video" data-fps="{timebase.fps}" data-frames="{frames}">\n'
        f"<h3>{escape(name)} <small>{length}</small></h3>\n{blocks}\n</article>"
    )


def legend_block(ids: Sequence[int], labels: LabelMap) -> str:
    """One button per class, in id order, and a line for what is pointed at."""
    buttons = "\n".join(
        f'<button type="button" data-class="c{i}" aria-pressed="false"><i class="swatch c{i}"></i>'
        f"{escape(labels.names[i])}</button>"
        for i in ids
    )
    return (
        f'<div class="legend">\n<div class="classes">\n{buttons}\n</div>\n'
        '<p class="readout" aria-live="polite">Point at a class or a segment, or tap it.</p>\n</div>'
    )


def colour_rules(ids: Sequence[int], colours: Sequence[str]) -> str:
    """CSS that gives class id i the colour `colours[i]`, in bars and in the legend."""
    rule = ".c{0} {{ fill: {1}; stroke: {1}; background-color: {1}; }}"
    return "\n".join(rule.format(i, colours[i]) for i in ids)


def _bar(name: str, segmentation: Segmentation, labels: LabelMap, timebase: TimeBase, total: float) -> str:
    # Longest first: each has an outline of one pixel in its colour, so the shortest segment stays visible on top.
    ordered = sorted(segmentation, key=lambda segment: -segment.length)
    rects = "".join(_rect(segment, labels, timebase, total) for segment in ordered)
    description = escape(f"{name}: {len(segmentation)} segments")
    return (
        f'<div class="row"><span class="name">{escape(name)}</span><div class="track">'
        f'<svg class="bar" viewBox="0 0 {max(segmentation.length, 1)} 1" preserveAspectRatio="none" role="img"'
        f' aria-label="{description}">{rects}{_cuts(segmentation)}</svg></div></div>'
    )


def _rect(segment: Segment, labels: LabelMap, timebase: TimeBase, total: float) -> str:
    begin, end = float(timebase.start_seconds(segment.start_frame)), float(timebase.start_seconds(segment.end_frame))
    times = f"{axis_time(begin, total, 2)} to {axis_time(end, total, 2, unit=True)} ({end - begin:.2f} s)"
    return (
        f'<rect class="c{segment.label}" x="{segment.start_frame}" y="0" width="{segment.length}" height="1">'
        f"<title>{escape(labels.names[segment.label])}: {times}</title></rect>"
    )


def _cuts(segmentation: Segmentation) -> str:
    """A thin line between neighbours of one class, which would look like one segment."""
    pairs = zip(segmentation.labels[:-1], segmentation.labels[1:], segmentation.boundaries[1:-1], strict=True)
    path = "".join(f"M{at} 0V1" for before, after, at in pairs if before == after)
    return f'<path class="cut" d="{path}"/>' if path else ""


def _axis(total: float) -> str:
    ticks = []
    for i, (seconds, text) in enumerate(time_ticks(total)):
        at = f"{100 * seconds / total if total else 0:.3f}%"
        # Every second text is hidden on a narrow screen.
        kind = "tick odd" if i % 2 else "tick"
        ticks.append(
            f'<g class="{kind}"><line x1="{at}" x2="{at}" y1="0" y2="5"/><text x="{at}" y="17">{text}</text></g>'
        )
    unit = axis_unit(total)
    line = '<line x1="0" x2="100%" y1="0.5" y2="0.5"/>'
    return (
        f'<div class="row axis"><span class="name">time ({unit})</span>'
        f'<svg class="ticks" role="img" aria-label="time axis in {unit}">{line}{"".join(ticks)}</svg></div>'
    )
