"""The extractor `poses`: speeds, distances and angles of body points that DeepLabCut or SLEAP tracked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, islice
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from keyseg.data.feature_origin import Gap
from keyseg.timeline import ConfigError, DataError
from keyseg.timeline.json_text import from_json
from keyseg.timeline.rates import parse_rate
from keyseg.video.extractor import Rows
from keyseg.video.pose_motion import GAP_SECONDS, STATE, Trajectories
from keyseg.video.pose_tracks import Point, read_tracks
from keyseg.video.reading import SampledFrame

_BLOCK = 1024  # frames computed at once, which does not change the rows
_POSITION, _VELOCITY, _MISSING = slice(0, 2), slice(2, 4), 4  # of the numbers of a point


class Poses:
    """Rows (D,) from poses (P, 5): position and velocity of P points and whether they are missing, in body sizes.

    A row describes one frame. For each animal: the speed of each point and of the body; its speed forward and to the
    side, and its turning, if it has two points or more; the distances between its points; the angles along them; and
    which points are missing. For each two animals: their distance and how it changes, and from each of them where the
    other one is, which way it looks, and how near its points are. An animal looks from the mean of its other points to
    its first point, or where it moves if it has only one. Speeds, distances and changes are logarithms; a quantity of a
    missing point is 0.

    points: in the order of the rows, the points of an animal together. track_fps: frames per second of the tracks, that
    is of the video that was tracked.

    >>> Poses([Point("a", "nose"), Point("a", "tail"), Point("b", "nose")], Fraction(25)).dimension
    23
    """

    name = "poses"
    version = "1"
    clip_length = 1
    sample_rate = 1

    def __init__(self, points: Sequence[Point], track_fps: Fraction) -> None:
        self.points, self.track_fps = tuple(points), track_fps
        animals: dict[str, list[int]] = {}
        for number, point in enumerate(self.points):
            animals.setdefault(point.animal, []).append(number)
        self._animals = list(animals.values())
        self.image_size = (len(self.points), STATE)
        self.options: Mapping[str, str] = {"points": json.dumps(self.points), "track_fps": str(track_fps)}
        self.dimension = _described(np.zeros((1, *self.image_size)), self._animals).shape[1]

    @classmethod
    def of_options(cls, options: Mapping[str, str]) -> Poses:
        """The extractor that recorded some options. Raises DataError if no extractor of this version did."""
        try:
            points = from_json(options["points"], "points", "animals and names")
            return cls([Point(animal, name) for animal, name in points], parse_rate(options["track_fps"]))
        except (KeyError, ValueError, TypeError, DataError) as error:
            raise DataError(
                f"poses were recorded without their points and frame rate ({error}); train again"
            ) from error

    @classmethod
    def of_files(cls, paths: Iterable[Path], track_fps: Fraction | None) -> Poses:
        """The extractor for files of tracks: the points of all of them, animals sorted by name.

        Raises ConfigError without a rate, DataError if no file can be read; a file that cannot be read is reported when
        its features are made.
        """
        if track_fps is None:
            raise ConfigError("files of tracks do not state a frame rate; give that of their videos: --track-fps 25")
        points: dict[Point, None] = {}
        reason: DataError | None = None
        for path in paths:
            try:
                points |= dict.fromkeys(read_tracks(path).points)
            except DataError as error:
                reason = reason or error
        if not points:
            raise reason or DataError("name at least one file of tracks")
        return cls(sorted(points, key=lambda point: point.animal), track_fps)

    def read(self, path: Path) -> Trajectories:
        """What a file of tracks shows, in the order of `points`; an animal or a point that it lacks is missing.

        Raises DataError on a file that is not one, and on points or animals that were not there before.
        """
        tracks = read_tracks(path)
        unknown = [point for point in tracks.points if point not in self.points]
        if unknown:
            known, found = ({point.animal for point in points} for points in (self.points, tracks.points))
            what = "animals" if found - known else "points"
            expected, got = (known, found) if found - known else (_names(self.points), _names(tracks.points))
            raise DataError(
                f"{path}: expected the {what} {', '.join(sorted(expected))}, got {', '.join(sorted(got))}; give them"
                " the same names in all files"
            )
        positions = np.full((len(tracks.positions), len(self.points), 2), np.nan, np.float32)
        positions[:, [self.points.index(point) for point in tracks.points]] = tracks.positions
        try:
            return Trajectories.of(positions, self._animals, self.track_fps)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None

    def rows(self, frames: Iterable[npt.NDArray[Any]]) -> Iterator[Rows]:
        """Features of N frames, poses (P, 5), in blocks (n, D), N rows in all."""
        poses = iter(frames)
        while block := list(islice(poses, _BLOCK)):
            rows = _described(np.stack(block).astype(np.float64), self._animals)
            yield np.nan_to_num(rows, nan=0.0).astype(np.float32)


@dataclass(frozen=True)
class PoseInfo:
    """What is known of tracks before they are read. time_base: seconds between two frames of the video."""

    time_base: Fraction
    declared_seconds: Fraction


class PoseReader:
    """The poses in a file of tracks at a steady rate, read as `VideoReader` reads a video.

    Frame i is the pose i / fps seconds after the start, between those of the two nearest frames of the tracks. Its pts
    is the number of the frame of the tracks before it. Raises DataError if the file cannot be read.
    """

    gaps: tuple[Gap, ...] = ()

    def __init__(self, path: Path, poses: Poses, fps: Fraction) -> None:
        self._trajectories, self._fps = poses.read(path), fps
        seconds = len(self._trajectories.states) / poses.track_fps
        self.info = PoseInfo(1 / poses.track_fps, seconds)
        self.notes = tuple(_unseen(self._trajectories.states[..., _MISSING] == 1, poses.points, poses.track_fps))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[SampledFrame]:
        for pose, number in self._trajectories.at_rate(self._fps):
            image: Any = pose
            yield SampledFrame(image, number)


def _unseen(missing: npt.NDArray[np.bool_], points: Sequence[Point], fps: Fraction) -> Iterator[str]:
    """Notes on points that are missing in all frames, and on the longest time without any, if it is over half a second.

    missing: (N, P).
    """
    never = [f"{points[at].name} of {points[at].animal}" for at in np.flatnonzero(missing.all(axis=0)).tolist()]
    if never:
        yield f"never seen: {', '.join(never)}; their features are 0"
    seen = np.concatenate([[-1], np.flatnonzero(~missing.all(axis=1)), [len(missing)]])
    longest = int(np.diff(seen).argmax())
    start, end = int(seen[longest]) + 1, int(seen[longest + 1])
    if end - start > GAP_SECONDS * fps:
        yield (
            f"in {int(missing.all(axis=1).sum())} of {len(missing)} frames no point is seen, the longest time from"
            f" {float(start / fps):.2f} to {float(end / fps):.2f} s"
        )


def _names(points: Iterable[Point]) -> set[str]:
    return {point.name for point in points}


Array = npt.NDArray[np.float64]


def _described(poses: Array, animals: Sequence[Sequence[int]]) -> Array:
    """Rows (n, D) of poses (n, P, 5); NaN where a point is missing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        bodies = [_Body(poses[:, points]) for points in animals]
        parts = [part for body in bodies for part in body.described()]
        for one, other in combinations(bodies, 2):
            parts += _between(one, other)
    return np.concatenate([part.reshape(len(poses), -1) for part in parts], axis=1)


class _Body:
    """One animal in n frames. at: (n, K, 2) its points. centre, velocity, axis: (n, 2), the last one of length 1."""

    def __init__(self, poses: Array) -> None:
        self.at, self.moves, self.missing = poses[..., _POSITION], poses[..., _VELOCITY], poses[..., _MISSING]
        self.centre, self.velocity = _mean(self.at), _mean(self.moves)
        several = self.at.shape[1] > 1
        long = self.at[:, 0] - _mean(self.at[:, 1:]) if several else self.velocity
        length = _length(long)[:, None]
        self.axis = long / length
        turn = self.moves[:, 0] - _mean(self.moves[:, 1:]) if several else np.zeros_like(long)
        self.turning = _cross(long, turn) / length[:, 0] ** 2
        self.several = several

    def described(self) -> list[Array]:
        """The animal by itself."""
        points = self.at.shape[1]
        parts: list[Any] = [np.log1p(_length(self.moves)), np.log1p(_length(self.velocity))]
        if self.several:
            forward, aside = _dot(self.axis, self.velocity), _cross(self.axis, self.velocity)
            parts += [np.arcsinh(forward), np.arcsinh(aside), np.arcsinh(self.turning)]
        parts += [np.log1p(_length(self.at[:, a] - self.at[:, b])) for a, b in combinations(range(points), 2)]
        legs = np.diff(self.at, axis=1)
        legs = legs / _length(legs)[..., None]
        parts += [_dot(legs[:, :-1], legs[:, 1:]), _cross(legs[:, :-1], legs[:, 1:])]
        return [*parts, self.missing]


def _between(one: _Body, other: _Body) -> list[Array]:
    """Two animals, in n frames."""
    way = other.centre - one.centre
    far = _length(way)
    away = way / far[:, None]
    parts = [np.log1p(far), np.arcsinh(_dot(away, other.velocity - one.velocity))]
    parts += [_dot(one.axis, other.axis), _cross(one.axis, other.axis)]
    parts += [_dot(one.axis, away), _cross(one.axis, away), -_dot(other.axis, away), -_cross(other.axis, away)]
    apart = _length(one.at[:, :, None] - other.at[:, None])
    apart = np.where(np.isnan(apart), np.inf, apart)
    nearest = [apart.min(axis=2), apart.min(axis=1)]
    return parts + [np.log1p(np.where(np.isinf(near), np.nan, near)) for near in nearest]


def _mean(points: Array) -> Array:
    """Mean (n, 2) of the points (n, K, 2) that are there; NaN where none is."""
    there = ~np.isnan(points)
    result: Array = np.where(there, points, 0).sum(axis=1) / there.sum(axis=1)
    return result


def _length(vectors: Array) -> Array:
    result: Array = np.hypot(vectors[..., 0], vectors[..., 1])
    return result


def _dot(one: Array, other: Array) -> Array:
    result: Array = (one * other).sum(axis=-1)
    return result


def _cross(one: Array, other: Array) -> Array:
    result: Array = one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]
    return result
