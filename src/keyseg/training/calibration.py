"""Choosing thresholds and evidence weights on held-out training videos, never on the test fold."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from keyseg.data.dataset import Dataset
from keyseg.inference.decoding import Reading, Rules, decode
from keyseg.matching.memory import AnnotationMemory
from keyseg.metrics import evaluate
from keyseg.timeline import LabelMap, Segmentation

FloatArray = npt.NDArray[np.float32]
PLAIN_GRID = {
    "action_threshold": (0.1, 0.2, 0.3),
    "boundary_threshold": (0.05, 0.1, 0.2),
    "frame_weight": (0.5, 1.0, 2.0),
}
REFINED_GRID = PLAIN_GRID | {"keep_threshold": (0.0, 0.2, 0.4)}


def held_out(dataset: Dataset, names: Sequence[str], share: float, seed: int) -> tuple[str, ...]:
    """Whole groups (subjects) of the training videos, about `share` of them, at least one; () if there is one group.

    Where the share falls between two numbers of groups the smaller one is taken, but for the first.
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(dataset.group(name), []).append(name)
    if len(groups) < 2 or share <= 0:
        return ()
    order = np.random.default_rng((seed, len(groups))).permutation(sorted(groups))
    chosen: list[str] = []
    for group in order[:-1]:
        if chosen and len(chosen) + len(groups[group]) > share * len(names):
            break
        chosen += groups[group]
    return tuple(name for name in names if name in set(chosen))


def stressed(features: FloatArray, share: float, rng: np.random.Generator) -> FloatArray:
    """Features (T, D) with a random `share` of their channels hidden for the whole video, the others scaled up.

    Features fine-tuned on the training videos make these easier than any new video: what is chosen where everything is
    found easily says little about the place where it is not.
    """
    kept = rng.random(features.shape[1]) >= share
    return (features * kept / (1 - share)).astype(np.float32)


def choose_rules(
    readings: Sequence[Reading],
    references: Sequence[Segmentation],
    labels: LabelMap,
    rules: Rules,
    *,
    refine: bool,
    memory: AnnotationMemory | None = None,
) -> tuple[Rules, float]:
    """The rules of the grid with the best mean of F1@50, Edit and Acc (percent) on readings of videos not trained on.

    readings, references: one a video, references in feature steps. Of equals, the first: lower thresholds, which keep
    more boundaries. Returns the rules and their score.
    """
    grid = REFINED_GRID if refine else PLAIN_GRID
    best, best_score = rules, -1.0
    for values in itertools.product(*grid.values()):
        candidate = rules.model_copy(update=dict(zip(grid, values, strict=True)))
        found = [decode(reading, candidate, refine=refine, memory=memory).segmentation for reading in readings]
        score = _score(found, references, labels)
        if score > best_score:
            best, best_score = candidate, score
    return best, best_score


def _score(found: Sequence[Segmentation], references: Sequence[Segmentation], labels: LabelMap) -> float:
    named = {str(i): segmentation for i, segmentation in enumerate(references)}
    report = evaluate(
        named, {str(i): segmentation for i, segmentation in enumerate(found)}, background=tuple(labels.background_ids)
    )
    return (report.f1[0.5] + report.edit + report.acc) / 3
