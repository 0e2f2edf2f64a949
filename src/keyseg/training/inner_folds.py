"""Inner folds: trainings that leave some training videos out, so that a choice can be made on videos not trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from keyseg.data.dataset import Dataset
from keyseg.data.splits import SUBSETS, Split, bundle_path
from keyseg.inference.decoders import KeypointDecoder
from keyseg.inference.decoding import KeypointOutput, NetworkOutput, RefinementScores, propose_keypoints
from keyseg.inference.predictor import Predictor
from keyseg.timeline import DataError, Segmentation
from keyseg.timeline.files import refuse_special, whole_file

_PARTS = 3  # at least, if there are as many groups: a network of half of the videos is too weak to choose by


@dataclass(frozen=True)
class InnerFold:
    """One inner fold of a split's training videos.

    number: from 1. split: whose features are read. seen: names of the videos to train on; held_out: of those to choose
    on; both are training videos of the outer split.
    """

    number: int
    split: Split
    seen: tuple[str, ...]
    held_out: tuple[str, ...]


def inner_folds(dataset: Dataset, split: Split, count: int) -> tuple[InnerFold, ...]:
    """Up to `count` folds of a split's training videos, each of which holds out about a third of them, or of their
    groups (subjects); () if they cannot be divided.

    Whole groups are held out, and never more videos than remain to be trained on. Features in a folder for each split
    come from a network that was trained on the training videos of that split, which it makes easier than any new video.
    So a fold then reads the features of another split, and holds out those of its test videos that are training videos
    here (decision 011).
    """
    names = dataset.names(split, "train")
    if split is not None and dataset.belongs_to_split(split):
        return _by_split(dataset, split, names, count)
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(dataset.group(name), []).append(name)
    order = np.random.default_rng(split or 0).permutation(sorted(groups))
    parts = min(max(count, _PARTS), len(groups))
    folds: list[InnerFold] = []
    for first in range(parts):
        held = {name for group in order[first::parts] for name in groups[group]}
        if 2 * len(held) <= len(names) and len(folds) < count:
            folds.append(InnerFold(len(folds) + 1, split, *_divided(names, held)))
    return tuple(folds)


def _by_split(dataset: Dataset, split: int, names: Sequence[str], count: int) -> tuple[InnerFold, ...]:
    later = [other for other in dataset.splits if other > split] + [other for other in dataset.splits if other < split]
    folds: list[InnerFold] = []
    for other in later:
        if len(folds) == count or not _is_complete(dataset, other):
            continue
        seen, test = set(dataset.names(other, "train")), set(dataset.names(other, "test"))
        common = [name for name in names if name in seen]
        held = [name for name in names if name in test]
        if common and held:
            folds.append(InnerFold(len(folds) + 1, other, tuple(common), tuple(held)))
    return tuple(folds)


def _is_complete(dataset: Dataset, split: int) -> bool:
    """Whether a split has both of its lists, and a folder of features that belongs to no other split."""
    try:
        dataset.feature_folder(split)
    except DataError:
        return False
    return all(bundle_path(dataset.root, split, subset).is_file() for subset in SUBSETS)


def _divided(names: Sequence[str], held: set[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(name for name in names if name not in held), tuple(name for name in names if name in held)


@dataclass(frozen=True)
class HeldOutVideo:
    """What a network that was not trained on a video says about it, and its annotation in steps."""

    output: NetworkOutput
    reference: Segmentation

    def beginning(self, steps: int) -> HeldOutVideo:
        """The first steps of the video, with the keypoints in them, not refined."""
        output, reference = self.output, Segmentation.from_frames(self.reference.to_frames()[:steps])
        frames, stages = output.frames[:, :steps], output.stages[..., :steps]
        if not isinstance(output, KeypointOutput):
            return HeldOutVideo(NetworkOutput(frames, stages), reference)
        actions = output.actions.select(output.actions.time < steps)
        boundaries = output.boundaries.select(output.boundaries.time < steps)
        maps = output.action[:, :steps], output.boundary[:steps]
        return HeldOutVideo(KeypointOutput(frames, stages, *maps, actions, boundaries), reference)


def first_videos(videos: Mapping[str, HeldOutVideo], most: int) -> dict[str, HeldOutVideo]:
    """The first videos by name with at most `most` steps together; of the first one so many steps if it has more."""
    ends = np.cumsum([video.reference.length for video in videos.values()])
    names = list(videos)[: int((ends <= most).sum())]
    return {name: videos[name] for name in names} or {name: videos[name].beginning(most) for name in list(videos)[:1]}


def run_held_out(
    predictor: Predictor, dataset: Dataset, fold: InnerFold, *, refine: bool = True
) -> dict[str, HeldOutVideo]:
    """What a network says about the videos that a fold holds out, by name; refine: as in `Predictor.run`."""
    found = {}
    for name in fold.held_out:
        sample = dataset.load(name, fold.split)
        found[name] = HeldOutVideo(
            predictor.run(sample.features, refine=refine), Segmentation.from_frames(sample.labels)
        )
    return found


def save_outputs(path: Path, videos: dict[str, HeldOutVideo]) -> None:
    """Keep the outputs of an inner fold, whole or not at all; scores as float16, or heatmaps as they are where the
    keypoints that they propose were refined."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, video in videos.items():
        arrays[f"{name}/frames"] = video.output.frames.astype(np.float16)
        arrays[f"{name}/labels"] = video.reference.to_frames()
        if isinstance(video.output, KeypointOutput):
            refinement = video.output.refinement
            kind = np.float16 if refinement is None else np.float32
            arrays[f"{name}/action"] = video.output.action.astype(kind)
            arrays[f"{name}/boundary"] = video.output.boundary.astype(kind)
            for field in fields(RefinementScores) if refinement else ():
                arrays[f"{name}/{field.name}"] = getattr(refinement, field.name)
    with whole_file(path) as partial, partial.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]


def read_outputs(path: Path, decoder: object) -> dict[str, HeldOutVideo]:
    """The outputs that `save_outputs` kept; keypoints are proposed again as `decoder` says.

    Raises DataError if the file is damaged.
    """
    try:
        return _outputs(path, decoder)
    except Exception as error:  # numpy and zipfile raise many kinds
        raise DataError(
            f"{path}: cannot be read as the outputs of an inner fold ({type(error).__name__}); delete it to train that"
            " fold again"
        ) from error


def _outputs(path: Path, decoder: object) -> dict[str, HeldOutVideo]:
    videos = {}
    refuse_special(path)
    with np.load(path) as file:
        for key in file.files:
            name, _, part = key.rpartition("/")
            if part != "frames":
                continue
            frames = file[key].astype(np.float32)
            output = NetworkOutput(frames, frames[None])
            if isinstance(decoder, KeypointDecoder):
                action, boundary = (file[f"{name}/{part}"].astype(np.float32) for part in ("action", "boundary"))
                proposals = propose_keypoints(action, boundary, decoder.proposals)
                output = KeypointOutput(frames, frames[None], action, boundary, *proposals)
                if decoder.refine:
                    scores = {field.name: file[f"{name}/{field.name}"] for field in fields(RefinementScores)}
                    output = replace(output, refinement=RefinementScores(**scores))
            videos[name] = HeldOutVideo(output, Segmentation.from_frames(file[f"{name}/labels"]))
    return videos
