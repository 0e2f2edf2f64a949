"""Choosing thresholds and evidence weights on held-out training videos, never on the test fold."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from keyseg.data.dataset import Dataset, VideoSample
from keyseg.inference.decoders import KeypointDecoder
from keyseg.inference.decoding import KeypointOutput, Rules, decode
from keyseg.inference.predictor import Predictor
from keyseg.matching.memory import AnnotationMemory
from keyseg.metrics import evaluate
from keyseg.timeline import LabelMap, Segmentation
from keyseg.timeline.validation import Section
from keyseg.training.settings import RTKRecipe

PLAIN_GRID = {
    "action_threshold": (0.1, 0.2, 0.3),
    "boundary_threshold": (0.05, 0.1, 0.2),
    "frame_weight": (0.5, 1.0, 2.0),
}
REFINED_GRID = PLAIN_GRID | {"keep_threshold": (0.0, 0.2, 0.4)}


def held_out(dataset: Dataset, names: Sequence[str], share: float, seed: int) -> tuple[str, ...]:
    """Whole groups (subjects) of the training videos, about `share` of the videos; () if there is only one group.

    At least one group is taken, and more only as long as they do not exceed the share.
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(dataset.group(name), []).append(name)
    if len(groups) < 2 or share <= 0:
        return ()
    order = np.random.default_rng((seed, len(groups))).permutation(sorted(groups))
    chosen: list[str] = []
    for group in order:
        if chosen and len(chosen) + len(groups[group]) > share * len(names):
            break
        chosen += groups[group]
    return tuple(name for name in names if name in set(chosen))


def masked_channels(
    features: npt.NDArray[np.float32], share: float, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Features (T, D) with a random `share` of their channels set to 0 for the whole video, the others scaled up.

    Features that were fine-tuned on the training videos make these easier than any new video, and rules chosen on easy
    videos do not carry over to harder ones.
    """
    kept = rng.random(features.shape[1]) >= share
    return (features * kept / (1 - share)).astype(np.float32)


class ChosenRules(Section):
    """Rules of a decoder with refinement and without, their scores, and the videos that they were chosen on."""

    rules: Rules
    plain_rules: Rules
    score: float
    plain_score: float
    held_out: tuple[str, ...]


def choose(
    predictor: Predictor, decoder: KeypointDecoder, samples: Sequence[VideoSample], recipe: RTKRecipe, seed: int
) -> ChosenRules:
    """The best rules with and without refinement on videos not trained on."""
    settings, rng = recipe.calibration, np.random.default_rng(seed)
    names = tuple(sample.name for sample in samples)
    samples = [*samples] * settings.draws
    outputs = [predictor.run_keypoints(masked_channels(sample.features, settings.stress, rng)) for sample in samples]
    references = [Segmentation.from_frames(sample.labels) for sample in samples]
    given = (outputs, references, predictor.labels, recipe.rules)
    plain, plain_score = choose_rules(*given, refine=False)
    rules, score = choose_rules(*given, refine=True, memory=decoder.annotations)
    return ChosenRules(rules=rules, plain_rules=plain, score=score, plain_score=plain_score, held_out=names)


def choose_rules(
    outputs: Sequence[KeypointOutput],
    references: Sequence[Segmentation],
    labels: LabelMap,
    rules: Rules,
    *,
    refine: bool,
    memory: AnnotationMemory | None = None,
) -> tuple[Rules, float]:
    """The rules of the grid with the best mean of F1@50, Edit and Acc (percent) on videos not trained on.

    outputs, references: one per video, references in feature steps. Among equals the first wins: lower thresholds keep
    more boundaries. Returns the rules and their score.
    """
    grid = REFINED_GRID if refine else PLAIN_GRID
    background = tuple(labels.background_ids)
    truth = {str(i): segmentation for i, segmentation in enumerate(references)}
    best, best_score = rules, -1.0
    for values in itertools.product(*grid.values()):
        candidate = rules.changed(**dict(zip(grid, values, strict=True)))
        predicted = {
            str(i): decode(output, candidate, refine=refine, memory=memory).segmentation
            for i, output in enumerate(outputs)
        }
        report = evaluate(truth, predicted, background=background)
        score = (report.f1[0.5] + report.edit + report.acc) / 3
        if score > best_score:
            best, best_score = candidate, score
    return best, best_score
