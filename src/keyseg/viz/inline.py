"""A timeline as a few lines of HTML with an SVG in it, for notebooks: no scripts, no styles beside its own."""

from __future__ import annotations

from html import escape

import numpy as np

from keyseg.timeline import LabelMap, Segmentation, TimeBase
from keyseg.viz.clock import axis_unit, time_ticks
from keyseg.viz.colours import class_colours

_WIDTH = 1000  # columns of the drawing; a segment below one column is not drawn
_BAR = 32
_MOST_TITLES = 200  # segments with a text under the pointer
_MOST_CLASSES = 30  # in the legend


def inline_timeline(segmentation: Segmentation, labels: LabelMap, timebase: TimeBase) -> str:
    """One bar over a time axis, with a legend of the classes that occur. Its size does not grow with the video.

    >>> shown = inline_timeline(Segmentation.from_frames([0, 0, 1]), LabelMap(("rest", "pour")), TimeBase(1))
    >>> shown.count("<rect"), "pour" in shown
    (2, True)
    """
    colours, length = class_colours(labels), segmentation.length
    total = float(timebase.start_seconds(length))
    drawn = _in_columns(segmentation) if len(segmentation) > _MOST_TITLES else segmentation
    scale = _WIDTH / max(drawn.length, 1)
    bars = []
    for segment in drawn:
        place = f'x="{segment.start_frame * scale:.5g}" width="{segment.length * scale:.5g}"'
        times = f"{segment.start_frame * total / drawn.length:.2f} to {segment.end_frame * total / drawn.length:.2f} s"
        title = f"<title>{escape(labels.names[segment.label])}: {times}</title>" if drawn is segmentation else ""
        bars.append(f'<rect {place} height="{_BAR}" fill="{colours[segment.label]}">{title}</rect>')
    ticks = "".join(
        f'<text x="{_WIDTH * seconds / (total or 1):.5g}" y="{_BAR + 16}" font-size="12" fill="currentColor"'
        f' text-anchor="{"middle" if seconds else "start"}">{text}</text>'
        for seconds, text in time_ticks(total)
        if seconds < 0.98 * total or not seconds
    )
    occurring = np.unique(segmentation.labels).tolist()
    legend = " ".join(
        f'<span style="white-space:nowrap"><span style="color:{colours[i]}">&#9632;</span> {escape(labels.names[i])}'
        "</span>"
        for i in occurring[:_MOST_CLASSES]
    )
    more = f" and {len(occurring) - _MOST_CLASSES} more" if len(occurring) > _MOST_CLASSES else ""
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_BAR + 22}" width="100%" role="img" aria-label="timeline in {axis_unit(total)}">'
        f"{''.join(bars)}{ticks}</svg>\n<div>{legend}{more}</div>"
    )


def _in_columns(segmentation: Segmentation) -> Segmentation:
    """As many labels as there are columns: those of the frames in their middles."""
    middles = ((np.arange(_WIDTH) + 0.5) * segmentation.length / _WIDTH).astype(np.int64)
    return Segmentation.from_frames(segmentation.at(middles))
