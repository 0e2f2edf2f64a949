"""The segments that a video may have: possible cuts, and what speaks for each class between two of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints, decode_boundaries
from keyseg.matching.annotation_graph import AnnotationGraph
from keyseg.timeline import FloatArray, IntArray

TERMS = ("frames", "mean", "action", "rivals", "duration", "boundary", "cut")
"""What the score of a segment is summed from, in the order of `Lattice.terms`."""

_SPAN = 64  # most neighbouring cuts that one segment may reach over
_FLOOR = 0.01  # added to mean probabilities before taking the logarithm, so that no class is ruled out
_FARTHEST = 2.0  # deviations from the mean log duration beyond which a length is no less likely
_CUT_FLOOR = 0.02  # added to the confidence of a cut, for the same reason
_CHANGE_WIDTH = 8  # steps on each side over which frame scores are averaged to see a change
_CHANGE_THRESHOLD = 0.05
_RADIUS = 2  # steps: two cuts that are no farther from each other say the same


@dataclass(frozen=True, eq=False)
class Lattice:
    """All segments between K + 1 cuts of a video of T steps, of at most S cuts in length.

    times: (K + 1,) steps, from 0 to T. confidence: (K + 1,) in [0, 1], of the interior cuts. frames, actions:
    (K + 1, C) sums before each cut, of class probabilities and of the confidence of action keypoints. A segment is not
    longer than the graph's `longest`, unless it lies between two neighbouring cuts.
    """

    graph: AnnotationGraph
    times: IntArray
    confidence: FloatArray
    frames: FloatArray
    actions: FloatArray

    @classmethod
    def of(
        cls,
        graph: AnnotationGraph,
        frames: npt.NDArray[np.floating],
        boundaries: BoundaryKeypoints | None = None,
        actions: ActionKeypoints | None = None,
        heatmap: npt.NDArray[np.floating] | None = None,
    ) -> Lattice:
        """The lattice of one video.

        frames: (C, T) class probabilities. boundaries: boundary keypoints, over-complete, and heatmap: (T,) what they
        were read from; None: the peaks of how much the frame scores change at a step. Where the most probable class of
        a step changes and no such cut is near, there is another cut. actions: action keypoints, None without any.
        """
        classes, steps = frames.shape
        if heatmap is None or boundaries is None:
            heatmap = score_changes(frames)
            boundaries = decode_boundaries(heatmap, _CHANGE_THRESHOLD, radius=_RADIUS, limit=max(1, steps))
        found = np.rint(boundaries.time).astype(np.int64)
        found = np.unique(found[(found > 0) & (found < steps)])
        changes = np.flatnonzero(np.diff(frames.argmax(0))) + 1
        if len(found):
            right = np.searchsorted(found, changes)
            near = np.minimum(
                np.abs(changes - found[np.minimum(right, len(found) - 1)]), np.abs(changes - found[right - 1])
            )
            changes = changes[near > _RADIUS]
        times = np.concatenate(([0], np.sort(np.concatenate((found, changes))), [steps])).astype(np.int64)
        around = np.maximum(heatmap, np.maximum(np.append(heatmap[1:], 0), np.append(0, heatmap[:-1])))
        confidence = np.concatenate(([1.0], around[times[1:-1]], [1.0]))
        sums = np.concatenate((np.zeros((classes, 1)), np.cumsum(frames, 1, dtype=np.float64)), 1)[:, times].T
        peaks = np.zeros((len(times), classes))
        if actions is not None and len(actions):
            index = np.clip(np.searchsorted(times, actions.time, side="right"), 1, len(times) - 1)
            np.add.at(peaks, (index, actions.label), actions.confidence)
        return cls(graph, times, confidence, sums, peaks.cumsum(0))

    def __len__(self) -> int:
        """K, the number of the last cut."""
        return len(self.times) - 1

    @property
    def span(self) -> int:
        """S, the largest number of neighbouring cuts that a segment reaches over."""
        ends = np.arange(1, len(self.times))
        furthest = ends - np.searchsorted(self.times, self.times[ends] - self.graph.longest)
        return int(min(max(1, furthest.max(initial=1)), _SPAN))

    def starts(self, ends: IntArray, span: int) -> tuple[IntArray, npt.NDArray[np.bool_]]:
        """(E, S) cut at which the segments that end at cuts `ends` (E,) start, and whether there is such a segment.

        Column s starts S - s cuts earlier.
        """
        start = ends[:, None] - np.arange(span, 0, -1)
        length = self.times[ends][:, None] - self.times[np.maximum(start, 0)]
        allowed = (start >= 0) & ((length <= self.graph.longest) | (start == ends[:, None] - 1))
        return np.maximum(start, 0), allowed

    def terms(self, ends: IntArray, span: int) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """(7, E, S, C): each of `TERMS` for the segments that end at cuts `ends`, and (E, S) which of them exist.

        frames: sum over the segment's steps of the class probability; mean: log of its mean there over that in the
        whole video, since the order of the annotations knows already how frequent a class is. action: confidence of
        the class's action keypoints in the segment, at most 1; rivals: minus that of other classes. duration: log
        density of its length (log-normal), truncated at two deviations. boundary: log confidence of the cut at its
        end; cut: 1; both 0 at the end of the video.
        """
        graph = self.graph
        start, allowed = self.starts(ends, span)
        length = np.maximum(self.times[ends][:, None] - self.times[start], 1)
        out = np.empty((len(TERMS), *start.shape, graph.classes))
        np.subtract(self.frames[ends][:, None], self.frames[start], out=out[0])
        np.log(out[0] / length[..., None] + _FLOOR, out=out[1])
        out[1] -= np.log(self.frames[-1] / self.times[-1] + _FLOOR)
        actions = self.actions[ends][:, None] - self.actions[start]
        np.minimum(actions, 1, out=out[2])
        np.subtract(actions, actions.sum(-1, keepdims=True), out=out[3])
        away = (np.log(length)[..., None] - graph.log_mean) / graph.log_deviation
        out[4] = -0.5 * np.minimum(away**2, _FARTHEST**2) - np.log(graph.log_deviation)
        inner = (ends < len(self)).astype(np.float64)
        out[5] = (inner * np.log(self.confidence[ends] + _CUT_FLOOR))[:, None, None]
        out[6] = inner[:, None, None]
        return out, allowed


def score_changes(frames: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """(T,) in [0, 1]: how much the mean class probabilities of the next steps differ from those of the last ones.

    frames: (C, T). Half the sum of absolute differences (total variation distance) of means over up to 8 steps; 0 at
    the first step.
    """
    steps = frames.shape[1]
    sums = np.concatenate((np.zeros((len(frames), 1)), np.cumsum(frames, 1, dtype=np.float64)), 1)
    at = np.arange(1, steps)
    low, high = np.maximum(at - _CHANGE_WIDTH, 0), np.minimum(at + _CHANGE_WIDTH, steps)
    after = (sums[:, high] - sums[:, at]) / (high - at)
    before = (sums[:, at] - sums[:, low]) / (at - low)
    return np.concatenate(([0.0], 0.5 * np.abs(after - before).sum(0)))[:steps].astype(np.float32)
