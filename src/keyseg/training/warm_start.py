"""Starting from a bundle: its weights are the first weights of a training, class by class, by name."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from keyseg.data.dataset import Dataset
from keyseg.data.splits import SUBSETS, Split
from keyseg.inference.bundle import WEIGHTS, BundleConfig, find_bundle, load, name_digest, read_config
from keyseg.inference.systems import SYSTEMS, System
from keyseg.models.network import Network
from keyseg.timeline import BundleError, ConfigError, DataError, LabelMap, TrainingError
from keyseg.timeline.files import file_sha256
from keyseg.timeline.validation import Section
from keyseg.timeline.yaml_text import read_yaml
from keyseg.training.recipe import leaves, load_recipe
from keyseg.training.settings import Recipe


class StartBundle(Section):
    """The bundle that a run starts from: its folder, and the SHA-256 of its weights."""

    bundle: Path
    sha256: str

    @classmethod
    def at(cls, path: Path) -> Self:
        """The bundle at a path, or in a run. Raises BundleError if there is none, or no single network."""
        folder = find_bundle(path).resolve()
        config = read_config(folder)
        if config.is_onnx:
            raise BundleError(
                f"{folder} is in ONNX, and a training starts from weights; name the bundle it was made from"
            )
        members = config.members
        if members:
            raise BundleError(f"{folder} averages {members} networks, and a training starts from one; name one of them")
        return cls(bundle=folder, sha256=file_sha256(folder / WEIGHTS))

    def config(self) -> BundleConfig:
        """What the bundle says of itself."""
        return read_config(self.bundle)

    def check(self, recipe: Recipe, dataset: Dataset, split: Split) -> None:
        """Raise ConfigError where the recipe has another system or network, and DataError where the features differ."""
        config = self.config()
        if config.model != recipe.model:
            raise ConfigError(
                f"{self.bundle} is a bundle of {config.model}, and the recipe is of {recipe.model}; train with --model"
                f" {config.model}, or start from another bundle"
            )
        theirs, ours = (dict(leaves(sizes.model_dump(mode="json"))) for sizes in (config.network, recipe.network))
        differing = [f"network.{k} is {ours.get(k)} and was {v}" for k, v in theirs.items() if ours.get(k) != v]
        if differing:
            raise ConfigError(f"{self.bundle} has another network: {'; '.join(differing)}; leave these keys out")
        predictor, folder = load(self.bundle), dataset.feature_folder(split)
        dimension, origin = dataset.layout(split)[1], dataset.origin(split)
        if config.input_dim != dimension:
            raise DataError(
                f"{folder}: features of {dimension} dimensions, and {self.bundle} reads {config.input_dim}; extract"
                " them as those of the bundle were, or name their folder with --features"
            )
        if origin is not None:
            predictor.check_origin(origin, folder)
        if predictor.timebase != dataset.timebase:
            was = predictor.timebase
            raise DataError(
                f"{dataset.root}: a step is {_step(dataset)}, and {self.bundle} was trained on steps of"
                f" {was.sample_rate} frame(s) at {was.fps} per second; train with --set data.fps={was.fps} --set"
                f" data.sample_rate={was.sample_rate}"
            )

    def has_seen(self, dataset: Dataset, names: Sequence[str]) -> list[str] | None:
        """Those of the videos that the bundle was trained on, or on others of their group; None if it does not say."""
        digests = self.config().seen
        if digests is None:
            return None
        listed = (name for split in dataset.splits for subset in SUBSETS for name in dataset.names(split, subset))
        known = {name for name in (*dataset.remembered.groups, *listed) if name_digest(name) in digests}
        groups = {dataset.group(name) for name in known}
        return [name for name in names if dataset.group(name) in groups or set(_digests(dataset, name)) & set(digests)]

    def refuse_seen(self, dataset: Dataset, split: int) -> None:
        """Raise DataError if the test videos of a split are not new to the bundle: their scores would be too good."""
        seen = self.has_seen(dataset, dataset.names(split, "test"))
        if seen is None:
            what = f"{self.bundle} does not say which videos it was trained on"
        else:
            what = f"{self.bundle} was trained on test videos of split {split}, or on others of their groups"
        if seen or seen is None:
            listed = f": {', '.join(seen[:5])} ({len(seen)} in all)" if seen else ""
            raise DataError(
                f"{what}{listed}, so that scores would be too good; train only the final model from it: --split none"
                " --final"
            )

    def summary(self, labels: LabelMap) -> str:
        """What a training that starts from it takes over, in one line."""
        known = self.config().classes
        new, gone = [n for n in labels.names if n not in known], [n for n in known if n not in labels.names]
        parts = [f"{title}: {', '.join(names)}" for title, names in (("new", new), ("left out", gone)) if names]
        same = len(labels) - len(new)
        return "; ".join([f"start: {self.bundle}, which knows {same} of {len(labels)} classes", *parts])

    def initialise(self, network: Network, system: str, labels: LabelMap) -> None:
        """Give a new network the weights of the bundle. Raises TrainingError if these are not those of the run."""
        if file_sha256(self.bundle / WEIGHTS) != self.sha256:
            raise TrainingError(f"{self.bundle} has changed since the run was made; choose another --out")
        start = load(self.bundle)
        network.load_state_dict(carried_over(start.model, start.labels, network, labels, SYSTEMS[system]))


def seen_in(dataset: Dataset, names: Sequence[str], start: StartBundle | None) -> set[str] | None:
    """What a training on these videos has seen, as `BundleConfig` holds it; None if its start does not say."""
    before: Collection[str] | None = start.config().seen if start else ()
    return None if before is None else {*before, *(digest for name in names for digest in _digests(dataset, name))}


def _digests(dataset: Dataset, name: str) -> tuple[str, str]:
    return name_digest(name), name_digest(dataset.group(name))


def sizes_as_changes(config: BundleConfig, model: str | None, recipe: Path | None) -> list[str]:
    """The sizes of a bundle's network as changes of a recipe, but for those that its file states.

    model: the system that was asked for, if any. There are none for another system than the bundle's.
    """
    stated: Any = {}
    if recipe is not None:
        asked = load_recipe(recipe).model
        model = model or asked
        stated = (read_yaml(recipe, "a recipe") or {}).get("network", {})
    if model not in (None, config.model):
        return []
    given = {key for key, _ in leaves(stated)}
    sizes = leaves(config.network.model_dump(mode="json"))
    return [f"network.{key}={json.dumps(value)}" for key, value in sizes if key not in given]


def carried_over(
    old: Network, old_labels: LabelMap, new: Network, labels: LabelMap, system: System
) -> dict[str, Tensor]:
    """The state dict of `new` with the weights of `old`: a class has those of the class of its name.

    A class that `old` does not have keeps its weights in `new`.
    """
    before, weights = old.state_dict(), new.state_dict()
    if old_labels.names == labels.names:
        return before
    with torch.device("meta"):  # an axis that this one has longer has places for classes
        larger = system.network(new.config, new.input_dim, new.classes + 1).state_dict()
    for name, fresh in weights.items():
        axes = []
        for axis, (size, longer) in enumerate(zip(fresh.shape, larger[name].shape, strict=True)):
            blocks = new.class_offsets(name), old.class_offsets(name)
            if size == longer:
                blocks = (), ()
            elif longer - size != len(blocks[0]):
                raise TrainingError(
                    f"{name}: axis {axis} has {longer - size} place(s) for a class, and class_offsets of this network"
                    f" says {len(blocks[0])}; until it says where they are, start from a bundle of the same classes"
                )
            there = _tags(before[name].shape[axis], blocks[1], old_labels.names)
            axes.append(_common(_tags(size, blocks[0], labels.names), there))
        weights[name] = fresh.clone()
        weights[name][np.ix_(*(here for here, _ in axes))] = before[name][np.ix_(*(there for _, there in axes))]
    return weights


Tag = tuple[int, str | int]


def _tags(size: int, offsets: Sequence[int], classes: Sequence[str]) -> list[Tag]:
    """What each place of an axis stands for: a class in one of the blocks, or the n-th place beside them."""
    owners = {offset + i: (block, name) for block, offset in enumerate(offsets) for i, name in enumerate(classes)}
    beside = count()
    return [owners[place] if place in owners else (-1, next(beside)) for place in range(size)]


def _common(new: Sequence[Tag], old: Sequence[Tag]) -> tuple[list[int], list[int]]:
    """Places of an axis of the new network, and those of the old one that stand for the same."""
    known = {tag: place for place, tag in enumerate(old)}
    here = [place for place, tag in enumerate(new) if tag in known]
    return here, [known[new[place]] for place in here]


def _step(dataset: Dataset) -> str:
    return f"{dataset.timebase.sample_rate} frame(s) at {dataset.timebase.fps} per second"
