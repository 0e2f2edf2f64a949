"""Where one system is better than others: the boxes of figure 2."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keyseg.timeline import ConfigError, Segmentation, TimelineError


def differing_ranges(
    reference: Segmentation,
    better: Segmentation,
    others: Sequence[Segmentation],
    *,
    share: float = 0.8,
    gap: int = 10,
    shortest: int = 15,
    most: int = 3,
) -> list[tuple[int, int]]:
    """Frame ranges [start, end) in time order, for boxes, where `better` is right and every one of `others` is wrong.

    In a range `better` equals the reference in all frames, and each other one differs in `share` of them or more.
    Ranges where all others are wrong at once are joined over gaps of `gap` frames or fewer while that holds; of those
    with `shortest` frames or more the `most` longest are returned. Raises TimelineError if lengths differ or there is
    no other system.

    >>> truth, frame_wise = Segmentation.from_frames([0] * 60), Segmentation.from_frames([0] * 20 + [1] * 30 + [0] * 10)
    >>> differing_ranges(truth, truth, [frame_wise])
    [(20, 50)]
    """
    if not others:
        raise TimelineError("expected at least one system to compare with, got none")
    for segmentation in (better, *others):
        if segmentation.length != reference.length:
            raise TimelineError(
                f"systems of one video have one length, but the reference has {reference.length} frames and a system"
                f" has {segmentation.length}; cut or resample one of them first"
            )
    if not 0 < share <= 1:
        raise ConfigError(f"share is a part of a range, above 0 and at most 1, got {share}")
    truth = reference.to_frames()
    right = better.to_frames() == truth
    wrong = np.stack([other.to_frames() != truth for other in others])
    ranges: list[tuple[int, int]] = []
    for run in Segmentation.from_frames((right & wrong.all(axis=0)).astype(np.int64)):
        if not run.label:
            continue
        start, end = run.start_frame, run.end_frame
        if ranges and start - ranges[-1][1] <= gap:
            first = ranges[-1][0]
            if right[first:end].all() and (wrong[:, first:end].mean(axis=1) >= share).all():
                ranges.pop()
                start = first
        ranges.append((start, end))
    lasting = [(start, end) for start, end in ranges if end - start >= shortest]
    return sorted(sorted(lasting, key=lambda pair: (pair[0] - pair[1], pair[0]))[:most])
