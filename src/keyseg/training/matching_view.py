"""The keypoint graph of a video and its matching to the annotation's graph as in training, for figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy.typing as npt
import torch

from keyseg.inference.bundle import load
from keyseg.matching.matcher import GraphMatcher
from keyseg.matching.nodes import annotated_keypoints, keypoint_nodes
from keyseg.models.rtk import RTK
from keyseg.timeline import DataError, Segmentation
from keyseg.training.checkpoints import AtomicCheckpointIO
from keyseg.training.fit import Fit
from keyseg.training.rtk_objective import RTKObjective
from keyseg.training.run import Run
from keyseg.training.settings import RTKRecipe

_Array = npt.NDArray[Any]


@dataclass(frozen=True)
class MatchingView:
    """Nodes of both graphs in steps, and S (M, N + 1) with the dustbin last. length: T."""

    source_time: _Array
    source_kind: _Array
    source_confidence: _Array
    target_time: _Array
    target_kind: _Array
    assignment: _Array
    length: int


def match_video(run: Run, name: str) -> MatchingView:
    """Match the proposals of one video of a run's data set to its annotation, by the training that tests on it.

    Raises DataError if no finished training of the run has the video.
    """
    fit = _fit_of(run, name)
    matcher = _trained_matcher(fit)
    predictor = load(fit.bundle)
    sample = fit.dataset.load(name, fit.split)
    output, network = predictor.run_keypoints(sample.features), cast(RTK, predictor.model)
    nodes = keypoint_nodes([(output.actions, output.boundaries)])
    annotated = keypoint_nodes([annotated_keypoints(Segmentation.from_frames(sample.labels))])
    features, mask = torch.from_numpy(sample.features.T)[None], torch.ones(1, output.steps, dtype=torch.bool)
    with torch.inference_mode():
        maps = network(features, mask).maps()
        source, target = network.refiner.graph(maps, nodes), network.refiner.graph(maps, annotated)
        assignment = matcher(source, target)[0].exp().numpy()
    return MatchingView(
        source.time[0].numpy(),
        source.kind[0].numpy(),
        nodes.confidence[0].numpy(),
        target.time[0].numpy(),
        target.kind[0].numpy(),
        assignment,
        output.steps,
    )


def _fit_of(run: Run, name: str) -> Fit:
    finished = [fit for fit in run.fits() if fit.bundle.exists()]
    for subset in ("test", "train"):
        for fit in finished:
            if name in fit.dataset.names(fit.split, subset):
                return fit
    raise DataError(
        f"{run.folder}: no finished training of this run has a video {name!r}; name a video of its data set"
    )


def _trained_matcher(fit: Fit) -> GraphMatcher:
    """The matcher as training left it. Only the checkpoint has it, since inference needs none."""
    if not isinstance(fit.recipe, RTKRecipe):
        raise DataError(
            f"{fit.folder}: a training of {fit.recipe.model}, which matches no keypoints; name a run of rtk"
        )
    objective = RTKObjective(fit.recipe, fit.dataset.labels)
    state = AtomicCheckpointIO().load_checkpoint(fit.folder / "last.ckpt")["state_dict"]
    prefix = "objective."
    objective.load_state_dict({name.removeprefix(prefix): v for name, v in state.items() if name.startswith(prefix)})
    return objective.criterion.matcher
