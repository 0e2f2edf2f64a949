"""Drafts of the timelines of videos, from their features alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keyseg.proposals.clusters import cluster_segments
from keyseg.proposals.cuts import merge_runs
from keyseg.proposals.runs import Runs, mean_runs, segment_means, standardised, steps_per_run
from keyseg.timeline import ConfigError, DataError, IntArray, Segmentation, TimeBase


@dataclass(frozen=True)
class VideoFeatures:
    """What is known of a video: its features, (T, D), one row per step, and the cuts that a bundle suggests.

    frames: length of its timeline. cuts: (K,) first steps of segments, None where there is no bundle.
    """

    features: npt.NDArray[np.floating]
    timebase: TimeBase
    frames: int
    cuts: IntArray | None = None


def draft_timelines(
    videos: Mapping[str, VideoFeatures],
    *,
    segments: int | None = None,
    classes: int | None = None,
    progress: Callable[[str], None] = lambda video: None,
) -> dict[str, Segmentation]:
    """The timeline of each video, in frames; a number means the same cluster in all videos.

    segments: of a video at most; neighbours in one cluster are one segment. None: `MergedRuns.telling`, but no fewer in
    all videos than classes. classes: clusters of all videos together; None: `default_classes`. progress: called with
    each video that has been cut.

    Raises ConfigError on a number below 1, DataError on features that cannot be read or have another dimension.

    >>> tea = VideoFeatures(np.repeat(np.eye(3), 20, 0)[:, :2], TimeBase(5), 60)
    >>> draft_timelines({"tea": tea}, segments=3, classes=2)["tea"].boundaries
    array([ 0, 20, 40, 60])
    """
    for name, number in (("segments", segments), ("classes", classes)):
        if number is not None and number < 1:
            raise ConfigError(f"the number of {name} is at least 1, got {number}")
    if not videos:
        return {}
    sizes = {name: _run_size(video) for name, video in videos.items()}
    runs = {name: standardised(mean_runs(name, video.features, sizes[name])) for name, video in videos.items()}
    _check_widths({name: one.shape[1] for name, one in runs.items()})
    least = -(-(classes or 1) // len(videos))
    bounds = {}
    for name, video in videos.items():
        bounds[name] = _cut(runs[name], segments, least) if video.cuts is None else _all_bounds(video)
        progress(name)
    means = np.concatenate([segment_means(runs[name], bounds[name]) for name in videos])
    clusters = np.split(cluster_segments(means, classes), np.cumsum([len(one) - 1 for one in bounds.values()])[:-1])
    return {
        name: _timeline(video, bounds[name] * sizes[name], labels)
        for (name, video), labels in zip(videos.items(), clusters, strict=True)
    }


def _cut(runs: Runs, segments: int | None, least: int) -> IntArray:
    merged = merge_runs(runs)
    return merged.bounds(max(merged.telling, least) if segments is None else segments)


def _run_size(video: VideoFeatures) -> int:
    """Steps per run; 1 where cuts are given in steps."""
    rate = float(video.timebase.fps / video.timebase.sample_rate)
    return steps_per_run(len(video.features), rate) if video.cuts is None else 1


def _check_widths(widths: Mapping[str, int]) -> None:
    (first, width), *others = widths.items()
    different = next((name for name, other in others if other != width), None)
    if different is not None:
        raise DataError(
            f"{different}: features of {widths[different]} dimensions, but those of {first} have {width}; features of"
            " one call are made by one extractor"
        )


def _all_bounds(video: VideoFeatures) -> IntArray:
    """The cuts inside the video, with its start and end, in steps."""
    assert video.cuts is not None
    steps = len(video.features)
    return np.array([0, *(cut for cut in np.unique(video.cuts).tolist() if 0 < cut < steps), steps])


def _timeline(video: VideoFeatures, bounds: IntArray, labels: IntArray) -> Segmentation:
    """The segments in frames. The last one ends with the video; one that would start later is left out."""
    starts = bounds[:-1] * video.timebase.sample_rate
    inside = starts < video.frames
    return Segmentation(np.append(starts[inside], video.frames), labels[inside]).merged()
