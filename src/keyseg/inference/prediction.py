"""What a predictor says about one video."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keyseg.formats.read_write import write
from keyseg.inference.confidence import Calibration, second_labels, segment_confidence
from keyseg.inference.decoding import FloatMap
from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.matching.alignment import Alignment
from keyseg.timeline import Annotation, Interval, LabelMap, Segmentation, TimeBase
from keyseg.timeline.extras import extra

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN = 3  # segments in a repr
_LONGEST = 24  # name of a class there
_LONGEST_NOTE = 80


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """The timeline of one video and what it was made from.

    segmentation: in annotation frames. frame_scores: (C, T) class probabilities per feature step. stages: (stages, C,
    T) outputs of the network's stages, the last one last. alignment: the training annotations that the segments were
    matched to, in steps; None where nothing is matched. calibration: of the confidence; None where none was learnt.
    name: of the video, "" if it was an array. media: path of the video file, "" if there was none. tier: of ELAN and
    Praat, to which it is written. notes: what may not be expected of the video, such as damage.

    A notebook shows it as a timeline.

    >>> labels = LabelMap(("rest", "pour"), ("rest",))
    >>> import numpy as np
    >>> scores = np.array([[0.9, 0.8, 0.1, 0.3], [0.1, 0.2, 0.9, 0.7]])
    >>> found = Segmentation.from_frames([0, 0, 1, 1])
    >>> tea = Prediction(found, scores, scores[None], labels, TimeBase(2), None, name="tea")
    >>> tea
    Prediction('tea', 2 segments, 2.0 s at 2 fps: rest 0.0-1.0, pour 1.0-2.0)
    >>> tea.segments[1].label, float(tea.segments[1].start_seconds), round(tea.segments[1].score, 2)
    ('pour', 1.0, 0.8)
    >>> tea.save("tea.txt").read_text().split()
    ['rest', 'rest', 'pour', 'pour']
    """

    segmentation: Segmentation
    frame_scores: FloatMap
    stages: FloatMap
    labels: LabelMap
    timebase: TimeBase
    alignment: Alignment | None
    name: str = field(default="", kw_only=True)
    media: str = field(default="", kw_only=True)
    tier: str = field(default="actions", kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)
    calibration: Calibration | None = field(default=None, kw_only=True)

    @property
    def frame_labels(self) -> list[str]:
        """One class name per frame."""
        return self.labels.decode(self.segmentation.to_frames())

    @property
    def confidence(self) -> list[float]:
        """Of each segment, the probability that it is right, from 0 to 1; see `keyseg.inference.confidence`.

        Without a calibration it is the mean probability of the segment's class over its feature steps.
        """
        rate = self.timebase.sample_rate
        sure = segment_confidence(self.frame_scores, self.segmentation, rate, self.calibration)
        return [float(value) for value in sure]

    @property
    def second_labels(self) -> list[int | None]:
        """Of each segment, the most probable other class; None where there is one class only."""
        return second_labels(self.frame_scores, self.segmentation, self.timebase.sample_rate)

    @property
    def segments(self) -> tuple[Interval, ...]:
        """The segments with exact times in seconds, the name of the class, and the confidence as `score`.

        They tile the video, one per segment of `segmentation`, background included; `annotation.actions()` has none.
        """
        at, names = self.timebase.start_seconds, self.labels.names
        return tuple(
            Interval(at(span.start_frame), at(span.end_frame), names[span.label], score)
            for span, score in zip(self.segmentation, self.confidence, strict=True)
        )

    @property
    def annotation(self) -> Annotation:
        """The same as an annotation, as `keyseg.read` returns those of files."""
        length, background = self.timebase.start_seconds(self.segmentation.length), self.labels.background
        return Annotation(self.name, self.segments, length, self.timebase.fps, background, self.media)

    def save(
        self, path: Path | str, *, format: str | None = None, tier: str | None = None, force: bool = False
    ) -> Path:
        """Write it as `keyseg predict` does, with the confidence and a link to the video where the format has them.

        format: default: what the suffix shows; see `keyseg.write`. tier: default: that of the data set, else actions.
        Raises OutputExistsError if the file exists, unless `force`.
        """
        return write(self, path, format=format, tier=tier, force=force)

    def plot(self, path: Path | str | None = None, *, title: str = "", force: bool = False) -> Figure:
        """The timeline as a figure, which a notebook shows; also saved, as PNG, SVG or PDF, if there is a path."""
        from keyseg.viz import plot_timelines, save_figure

        row = self.name or "prediction"
        figure = plot_timelines([(row, self.segmentation)], self.labels, self.timebase, title=title)
        if path is not None:
            save_figure(figure, path, force=force)
        return figure

    def to_pandas(self) -> Any:
        """A DataFrame, one row per segment: frames, seconds, label, confidence. Needs the extra `pandas`."""
        with extra("pandas", "a table of pandas"):
            from pandas import DataFrame
        bounds, rate = self.segmentation.boundaries, float(self.timebase.fps)
        return DataFrame(
            {
                "start_frame": bounds[:-1],
                "end_frame": bounds[1:],
                "start_seconds": bounds[:-1] / rate,
                "end_seconds": bounds[1:] / rate,
                "label": self.labels.decode(self.segmentation.labels),
                "confidence": self.confidence,
            }
        )

    def to_pyannote(self) -> Any:
        """An `Annotation` of pyannote.core, background left out. Needs the extra `pyannote`."""
        with extra("pyannote", "an annotation of pyannote"):
            from pyannote.core import Annotation as Pyannote
            from pyannote.core import Segment
        found = Pyannote(uri=self.name or None)
        for number, interval in enumerate(self.annotation.actions().intervals):
            found[Segment(float(interval.start_seconds), float(interval.end_seconds)), number] = interval.label
        return found

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._facts()}{self._first_segments()}{self._noted()})"

    def _facts(self) -> str:
        count, seconds = len(self.segmentation), float(self.timebase.start_seconds(self.segmentation.length))
        named = f"{self.name!r}, " if self.name else ""
        segments = "1 segment" if count == 1 else f"{count} segments"
        return f"{named}{segments}, {seconds:.1f} s at {float(self.timebase.fps):g} fps"

    def _first_segments(self) -> str:
        rate = float(self.timebase.fps)
        spans = [
            f"{self.labels.names[span.label][:_LONGEST]} {span.start_frame / rate:.1f}-{span.end_frame / rate:.1f}"
            for span in self.segmentation[:_SHOWN]
        ]
        more = [f"{len(self.segmentation) - _SHOWN} more"] if len(self.segmentation) > _SHOWN else []
        return f": {', '.join([*spans, *more])}" if spans else ""

    def _noted(self) -> str:
        return "".join(f"; note: {note[:_LONGEST_NOTE]}" for note in self.notes[:_SHOWN])

    def _repr_html_(self) -> str:
        from keyseg.viz.inline import inline_timeline

        shown = inline_timeline(self.segmentation, self.labels, self.timebase)
        return f"<div>{escape(self._facts() + self._noted())}</div>\n{shown}"


@dataclass(frozen=True, eq=False, repr=False)
class KeypointPrediction(Prediction):
    """RTK's prediction. proposals: keypoints as decoded; refined: those that made the segments, chosen by the match or
    going into Algorithm 1. Times of keypoints are feature steps; timebase converts."""

    proposals: tuple[ActionKeypoints, BoundaryKeypoints]
    refined: tuple[ActionKeypoints, BoundaryKeypoints]
    action_heatmap: FloatMap
    boundary_heatmap: FloatMap
