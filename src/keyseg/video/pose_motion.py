"""Trajectories of body points: short gaps filled, sizes divided out, velocities, and the pose at any time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from keyseg.timeline import DataError
from keyseg.video.sampling import ROUNDING

STATE = 5  # numbers of a point in a pose: x, y, velocity in x and y, and 1 where it is missing
GAP_SECONDS = Fraction(1, 2)  # the longest gap that is filled
_LAG_SECONDS = Fraction(1, 15)  # velocities are changes from so long before a frame to so long after it

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Trajectories:
    """Points in the frames of tracks, with positions in body sizes. states: (N, P, 5), NaN where nothing is known.

    A gap of up to half a second is bridged by a straight line, and its points still count as missing. The body size is
    twice the distance of an animal's points from their mean (root mean square), its median over the video, and of
    several animals the median; if each has only one point, it is that of the places where it was.
    """

    states: Array
    fps: Fraction

    @classmethod
    def of(cls, positions: Array, animals: Sequence[Sequence[int]], fps: Fraction) -> Trajectories:
        """Trajectories of positions (N, P, 2), NaN where missing. animals: the points of each.

        Raises DataError if no point is ever seen.
        """
        missing = absent(positions)
        if missing.all():
            raise DataError("no point is seen in any frame; there is nothing to make features of")
        size = body_size(positions, animals)
        filled = bridged(positions, int(GAP_SECONDS * fps)) / np.float32(size)
        moves = velocities(filled, max(1, round(_LAG_SECONDS * fps)), fps)
        return cls(np.concatenate([filled, moves, missing[..., None]], axis=2, dtype=np.float32), fps)

    def frames(self, fps: Fraction) -> int:
        """Number of frames at a rate: one for each i / fps before the tracks end, and at least one."""
        return max(1, -int(-(len(self.states) / self.fps - ROUNDING) * fps // 1))

    def at_rate(self, fps: Fraction) -> Iterator[tuple[Array, int]]:
        """The pose (P, 5) at each i / fps seconds, between the frames around it, and the number of the frame before.

        Where one of the two is missing a point, it is as in the nearer one.
        """
        last = len(self.states) - 1
        for i in range(self.frames(fps)):
            time = i * self.fps / fps
            before = min(int(time), last)
            after, share = min(before + 1, last), np.float32(time - before)
            pose = (1 - share) * self.states[before] + share * self.states[after] if share else self.states[before]
            nearer = self.states[after if share > 0.5 else before]
            pose = np.where(np.isnan(pose), nearer, pose)
            pose[:, -1] = nearer[:, -1]
            yield pose, before


def absent(positions: Array) -> npt.NDArray[np.bool_]:
    """Whether a point is missing, from positions (..., 2)."""
    lost = np.isnan(positions)
    result: npt.NDArray[np.bool_] = lost[..., 0] | lost[..., 1]
    return result


def body_size(positions: Array, animals: Sequence[Sequence[int]]) -> float:
    """The typical size of the animals in the units of the positions (N, P, 2); 1 if it cannot be known."""
    sizes = [_spread(positions[:, points]) for points in animals]
    known = [np.median(size[size > 0]) for size in sizes if (size > 0).any()]
    if not known:
        places = [_spread(positions[None, :, point].reshape(1, -1, 2)) for point in range(positions.shape[1])]
        known = [place[0] for place in places if place[0] > 0]
    return float(np.median(known)) if known else 1.0


def _spread(points: Array) -> npt.NDArray[np.float64]:
    """Twice the root mean square distance of points (n, K, 2) from their mean, over those that are there; (n,), 0 where
    fewer than half of them are."""
    there = ~absent(points)
    count = there.sum(axis=1)
    some = np.maximum(count, 1)[:, None]
    at = np.where(there[..., None], points, 0).astype(np.float64)
    apart = np.where(there[..., None], at - (at.sum(axis=1) / some)[:, None], 0)
    spread: npt.NDArray[np.float64] = 2 * np.sqrt((apart**2).sum(axis=(1, 2)) / some[:, 0])
    return np.where(count * 2 >= points.shape[1], spread, 0)


def bridged(positions: Array, longest: int) -> Array:
    """Positions (N, P, 2) with straight lines over gaps of up to `longest` frames, but not before the first frame or
    after the last one in which a point is seen."""
    result = positions.copy()
    for point in range(positions.shape[1]):
        seen = np.flatnonzero(~absent(positions[:, point]))
        result[:, point] = np.nan
        result[seen, point] = positions[seen, point]
        lengths = np.diff(seen) - 1
        for place in np.flatnonzero((lengths > 0) & (lengths <= longest)):
            start, end = seen[place], seen[place + 1]
            shares = np.linspace(0, 1, end - start + 1, dtype=np.float32)[:, None]
            result[start : end + 1, point] = (1 - shares) * positions[start, point] + shares * positions[end, point]
    return result


def velocities(positions: Array, lag: int, fps: Fraction) -> Array:
    """Velocity (N, P, 2) per second, from up to `lag` frames before to `lag` frames after; NaN where it is unknown."""
    here = np.arange(len(positions))
    before, after = np.maximum(here - lag, 0), np.minimum(here + lag, len(positions) - 1)
    lost = absent(positions)
    start = np.where(lost[before], here[:, None], before[:, None])
    end = np.where(lost[after], here[:, None], after[:, None])
    point = np.arange(positions.shape[1])
    span = np.where(end > start, end - start, np.nan)[..., None] / float(fps)
    result: Array = ((positions[end, point] - positions[start, point]) / span).astype(np.float32)
    result[lost] = np.nan
    return result
