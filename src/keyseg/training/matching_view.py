"""The keypoint graph of a video and its matching to the annotation's graph, as training saw them; for figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import torch

from keyseg.inference.bundle import load
from keyseg.inference.decoding import Reading
from keyseg.matching.matcher import GraphMatcher
from keyseg.matching.nodes import annotated_keypoints, keypoint_nodes
from keyseg.models.rtk import RTK
from keyseg.timeline import DataError, Segmentation
from keyseg.training.checkpoints import AtomicCheckpointIO
from keyseg.training.fit import Fit
from keyseg.training.run import Run
from keyseg.training.settings import RTKRecipe

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class MatchingView:
    """Nodes of both graphs in steps, and S (M, N + 1) with the dustbin last. length: T."""

    source_time: Array
    source_kind: Array
    source_confidence: Array
    target_time: Array
    target_kind: Array
    assignment: Array
    length: int


def match_video(run: Run, name: str) -> MatchingView:
    """Match the proposals of one video of a run's data set to its annotation, by the training that tests on it.

    Raises DataError if no finished training of the run knows the video.
    """
    fit = _fit_of(run, name)
    matcher = _trained_matcher(fit)
    predictor = load(fit.bundle)
    sample = fit.dataset.load(name, fit.split)
    reading, network = predictor.read(sample.features), predictor.model
    assert isinstance(reading, Reading)  # the recipe is RTK's
    assert isinstance(network, RTK)
    reference = Segmentation.from_frames(sample.labels)
    nodes = keypoint_nodes([(reading.actions, reading.boundaries)])
    with torch.inference_mode():
        maps = predictor.maps(sample.features)
        source = network.refiner.graph(maps, nodes)
        target = network.refiner.graph(maps, keypoint_nodes([annotated_keypoints(reference)]))
        assignment = matcher(source, target)[0].exp().numpy()
    return MatchingView(
        source.time[0].numpy(),
        source.kind[0].numpy(),
        nodes.confidence[0].numpy(),
        target.time[0].numpy(),
        target.kind[0].numpy(),
        assignment,
        reading.steps,
    )


def _fit_of(run: Run, name: str) -> Fit:
    finished = [fit for fit in run.fits() if fit.bundle.exists()]
    for subset in ("test", "train"):
        for fit in finished:
            if name in fit.dataset.names(fit.split, subset):
                return fit
    raise DataError(f"{run.folder}: no finished training of this run knows a video {name!r}; name one of its data set")


def _trained_matcher(fit: Fit) -> GraphMatcher:
    """The matcher with the dustbin score that training left; only the checkpoint has it, since inference needs none."""
    if not isinstance(fit.recipe, RTKRecipe):
        raise DataError(
            f"{fit.folder}: a training of {fit.recipe.model}, which matches no keypoints; name a run of rtk"
        )
    settings = fit.recipe.matching
    matcher = GraphMatcher(settings.method, temperature=settings.temperature, iterations=settings.iterations)
    state = AtomicCheckpointIO().load_checkpoint(fit.folder / "last.ckpt")["state_dict"]
    dustbin = next(value for name, value in state.items() if name.endswith("matcher.dustbin"))
    matcher.load_state_dict({"dustbin": dustbin})
    return matcher
