"""Timelines as SVG and HTML for the report: plain rectangles in whole frames, stretched to the page by the browser."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from keyseg.timeline import LabelMap, Segment, Segmentation, TimeBase
from keyseg.viz.clock import clock, clock_unit, time_ticks
from keyseg.viz.rows import Row


def video_block(name: str, rows: Sequence[Row], labels: LabelMap, timebase: TimeBase) -> str:
    """One video: its name and length, a bar a row, the time axis. Rows are checked beforehand."""
    frames = rows[0][1].length
    total = float(timebase.start_seconds(frames))
    length = f"{clock(total, total, 1)} {clock_unit(total)}, {frames} frames"
    bars = "\n".join(_bar(row, segmentation, labels, timebase, total) for row, segmentation in rows)
    return (
        f'<article class="video">\n<h3>{escape(name)} <small>{length}</small></h3>\n{bars}\n{_axis(total)}\n</article>'
    )


def legend_block(ids: Sequence[int], labels: LabelMap) -> str:
    """A button a class, in id order."""
    return "\n".join(
        f'<button type="button" data-class="c{i}" aria-pressed="false"><i class="swatch c{i}"></i>'
        f"{escape(labels.names[i])}</button>"
        for i in ids
    )


def colour_rules(ids: Sequence[int], colours: Sequence[str]) -> str:
    """CSS that gives class id i the colour `colours[i]`, as fill in bars and as background in the legend."""
    return "\n".join(f".c{i} {{ fill: {colours[i]}; background-color: {colours[i]}; }}" for i in ids)


def _bar(name: str, segmentation: Segmentation, labels: LabelMap, timebase: TimeBase, total: float) -> str:
    rects = "".join(_rect(segment, labels, timebase, total) for segment in segmentation)
    frames = segmentation.length
    described = escape(f"{name}: {len(segmentation)} segments")
    return (
        f'<div class="row"><span class="name">{escape(name)}</span>'
        f'<svg class="bar" viewBox="0 0 {max(frames, 1)} 1" preserveAspectRatio="none" role="img"'
        f' aria-label="{described}">{rects}{_cuts(segmentation)}</svg></div>'
    )


def _rect(segment: Segment, labels: LabelMap, timebase: TimeBase, total: float) -> str:
    begin, end = float(timebase.start_seconds(segment.start_frame)), float(timebase.start_seconds(segment.end_frame))
    text = f"{labels.names[segment.label]}: {clock(begin, total, 2)} to {clock(end, total, 2)} ({end - begin:.2f} s)"
    return (
        f'<rect class="c{segment.label}" x="{segment.start_frame}" y="0" width="{segment.length}" height="1">'
        f"<title>{escape(text)}</title></rect>"
    )


def _cuts(segmentation: Segmentation) -> str:
    """A thin line between neighbours of one class, which would look like one segment."""
    pairs = zip(segmentation.labels[:-1], segmentation.labels[1:], segmentation.boundaries[1:-1], strict=True)
    path = "".join(f"M{at} 0V1" for before, after, at in pairs if before == after)
    return f'<path class="cut" d="{path}"/>' if path else ""


def _axis(total: float) -> str:
    marks = time_ticks(total)
    ticks = []
    for i, (seconds, text) in enumerate(marks):
        at = f"{100 * seconds / total if total else 0:.3f}%"
        # Every second tick gives way on a narrow screen.
        kind = "tick odd" if i % 2 else "tick"
        ticks.append(
            f'<g class="{kind}"><line x1="{at}" x2="{at}" y1="0" y2="5"/><text x="{at}" y="17">{text}</text></g>'
        )
    unit = clock_unit(total)
    return (
        f'<div class="row axis"><span class="name">{unit}</span><svg class="ticks" role="img" aria-label="time axis in'
        f' {unit}"><line x1="0" x2="100%" y1="0.5" y2="0.5"/>{"".join(ticks)}</svg></div>'
    )
