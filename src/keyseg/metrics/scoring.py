"""Videos laid over their annotations and counted under one protocol: what every result is made of."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from keyseg.metrics.edit import edit_similarity
from keyseg.metrics.frame_labels import FrameLabels, align_videos
from keyseg.metrics.overlay import Overlay
from keyseg.metrics.protocols import ScoringProtocol, find_protocol
from keyseg.metrics.report import f1_key
from keyseg.metrics.segmental_f1 import OVERLAPS
from keyseg.metrics.tally import Tally, tally_pairs
from keyseg.timeline import ConfigError, FloatArray, IntArray

SCORE_KEYS = ("acc", "edit", *map(f1_key, OVERLAPS))
"""The scores in the order of the columns of `ScoredVideos.together`."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredVideos:
    """V videos by name, sorted, with their counts.

    classes: name or id of each of the C classes. ignored: the ids left out of edit and F1. background: as given.
    by_video, by_class: counts of V videos and of C classes. edit: (V,) in percent.
    """

    pairs: Mapping[str, Overlay]
    classes: tuple[str | int, ...]
    ignored: IntArray
    background: tuple[str | int, ...]
    rules: ScoringProtocol
    by_video: Tally
    by_class: Tally
    edit: FloatArray

    def together(self, weights: IntArray) -> FloatArray:
        """(R, 5): the scores, in the order of SCORE_KEYS, of R sets that hold each video `weights` (R, V) times.

        A set without videos has edit 0, and 100 in what is pooled.
        """
        return (self.by_video.averaged if self.rules.per_video else self.by_video.pooled)(self.edit, weights)


def score_videos(
    reference: Mapping[str, FrameLabels],
    prediction: Mapping[str, FrameLabels],
    background: Collection[str | int] | str | int,
    protocol: str,
) -> ScoredVideos:
    """Count the videos. Parameters and errors are those of `evaluate`."""
    rules = find_protocol(protocol)
    background = (background,) if isinstance(background, str | int) else tuple(background)
    pairs, classes = align_videos(reference, prediction)
    ignored = _ignored(classes, background, protocol, rules)
    edit = np.array([edit_similarity(pair, ignored) for pair in pairs.values()])
    tallies = tally_pairs(pairs.values(), len(classes), ignored, last_frame_short=rules.last_frame_short)
    return ScoredVideos(pairs, classes, ignored, background, rules, *tallies, edit)


def _ignored(
    classes: tuple[str | int, ...], background: tuple[str | int, ...], protocol: str, rules: ScoringProtocol
) -> IntArray:
    """Ids of the classes left out of edit and F1."""
    if rules.ignored and not all(isinstance(label, str) for label in classes):
        raise ConfigError(
            f"protocol {protocol!r} ignores {', '.join(rules.ignored)} by name, but the labels are ids: score names"
            " (LabelMap.decode), or use 'ms-tcn' with the ids of these classes in background"
        )
    ignored = {unicodedata.normalize("NFC", name) if isinstance(name, str) else name for name in background}
    ignored |= set(rules.ignored)
    return np.flatnonzero([label in ignored for label in classes])
