"""Every value of every recipe changes something: each is changed alone, and a tiny training shows the difference.

A value that nothing reads would be an option that users set in vain.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from pydantic import BaseModel

import keyseg
from keyseg.timeline import KeysegError
from keyseg.training.recipe import load_recipe
from keyseg.training.results import read_history
from keyseg.training.run import start_run
from keyseg.training.running import run_one
from keyseg.training.settings import Recipe
from keyseg.training.systems import TRAINABLE

# Changes that make a training tiny, and let values matter that would not at their defaults.
FRAME_WISE = {"network.channels": 8, "network.dropout": 0.1}
ASFORMER = {"network.channels": 8, "network.encoder_layers": 2, "network.decoder_layers": 2, "network.decoders": 2}
SMALL: dict[str, dict[str, Any]] = {
    "rtk": {
        "network.backbone": {"channels": 8, "encoder_layers": 2, "decoder_layers": 2},
        "network.refinement": {"channels": 16, "layers": 1},
        "augmentation.mixed_segments": 0.3,
        "matching.fit": False,
        "matching.join_epoch": 1,
        "proposals.action_threshold": 0.02,
        "rules": {"action_threshold": 0.02, "boundary_threshold": 0.02, "keep_threshold": 0.02},
    },
    "ms-tcn++": {
        **FRAME_WISE,
        "network.generator_layers": 2,
        "network.refinements": 1,
        "network.refinement_layers": 2,
    },
    "asformer": ASFORMER,
    "asformer-extra": ASFORMER,
    "bcn": {
        **FRAME_WISE,
        "network.cascade_stages": 2,
        "network.layers": 2,
        "network.fusion_channels": 8,
        "network.barrier": {"channels": 8, "dilations": [1, 2]},
        "network.inner_pooling": {"width": 7, "alpha": 1.0},
        "network.output_pooling": {"width": 5, "alpha": 1.0},
        "network.smoothing": {"width": 5, "alpha": 2.0},
        "barrier.epochs": 1,
        "barrier.frozen_epochs": 1,
        "barrier.share": 0.5,
    },
}
# For values that count only beside others: the section's name, and what else is set, before and after the change.
BESIDE: dict[str, dict[str, Any]] = {
    "matching.folds": {"matching.fit": True},
    "matching.pace": {"matching.fit": True},
    "rules.peak_weight": {"optimiser.learning_rate": 0.03},  # then keypoints and frame scores differ
    "rules.frame_weight": {"optimiser.learning_rate": 0.03},
    "data.tolerance": {"data.lengths": "trim", "data.tolerance": 1},
}
# Where another number, another choice or the other truth value is not enough.
OTHER: dict[str, Any] = {
    "data.features": "other",
    "data.background": ["cut"],
    "data.fps": "25",
    "data.sample_rate": 2,
    "data.orientation": "TD",
    "data.lengths": "resample",
    "data.tolerance": 2,
    "optimiser.clip_norm": 0.01,
    "optimiser.weight_decay": 0.1,
    "optimiser.batch_size": 2,
    "losses.limit": 0.001,
    "network.barrier.dilations": [1, 3],
    "barrier.background": ["cut"],
    "barrier.weight_decay": 0.1,
    "matching.iterations": 1,
    "proposals.action_threshold": 0.3,
    "proposals.boundary_threshold": 0.3,
    "proposals.limit": 3,
    "rules.action_threshold": 0.9,
    "rules.boundary_threshold": 0.9,
    "rules.keep_threshold": 0.9,
    "rules.peak_weight": 50,
    "rules.frame_weight": 50,
    "rules.context_weight": 50,
    "matching.folds": 3,
    "matching.pace": 0.5,
    "logging.loggers": ["csv"],
}
UNEQUAL = ("data.lengths", "data.tolerance")  # need a video with two feature columns more than labels


def leaves(section: BaseModel, above: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Key, type and value of every value of a recipe, such as `network.backbone.channels`."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", field.annotation, value


def another(key: str, kind: Any, value: Any) -> Any:
    """A value that differs from `value` and is valid there."""
    if key in OTHER:
        return OTHER[key]
    if get_origin(kind) is Literal:
        return next(choice for choice in get_args(kind) if choice != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 2  # channels stay even, widths odd
    return value / 2 or 0.25


def recipe(system: str, **changes: Any) -> Recipe:
    values = {"model": system, "optimiser.epochs": 2, "optimiser.learning_rate": 0.01, **SMALL[system], **changes}
    return load_recipe(None, [f"{key}={_yaml(value)}" for key, value in values.items()])


def _yaml(value: Any) -> Any:
    return "null" if value is None else value


class Options(Callback):
    """The optimiser's options in each epoch."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def on_train_epoch_end(self, trainer: Any, *_: Any) -> None:
        self.seen += [{k: v for k, v in group.items() if k != "params"} for group in trainer.optimizers[0].param_groups]


def plain(value: Any) -> Any:
    """A value that `==` compares whole."""
    if isinstance(value, torch.Tensor):
        value = value.detach().float().numpy()
    if isinstance(value, np.ndarray):
        return value.shape, value.tobytes()
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    assert isinstance(value, str | int | float | Fraction | None), type(value)
    return value


def outcome(workshop: Any, data: Path, folder: Path, chosen: Recipe) -> Any:
    """Weights, logged numbers, optimiser options, inner folds and predictions of a training, or why there is none."""
    options = Options()
    try:
        run = start_run(folder, data, chosen, (1,), (0,), "keyseg train")
        (fit,) = run.fits()
        run_one(run, fit, lambda _: (options,))  # without the tables and pictures of a whole run
    except KeysegError as error:
        return str(error)
    fit = folder / "split1" / "seed0"
    predictor = keyseg.load(fit / "bundle")
    result = {
        "weights": plain(dict(predictor.model.state_dict())),
        "history": read_history(fit),
        "options": options.seen,
        "folders": sorted(path.name for path in fit.iterdir() if path.is_dir()),
        "inner": {path.name: plain(dict(np.load(path))) for path in (folder / "split1" / "inner").glob("*.npz")},
        "match": predictor.decoder.match,
        "predictions": [
            plain(predictor.predict(data / "features" / f"{name}.npy", variant=variant))
            for name in workshop.test[:1]
            for variant in predictor.variants
        ],
    }
    shutil.rmtree(folder)
    return result


@pytest.fixture(scope="module")
def data(workshop: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """The workshop's data set with fewer videos and a second folder of features.

    Under True one video has two columns of features too many.
    """
    places = {}
    for unequal in (False, True):
        root = places[unequal] = tmp_path_factory.mktemp("data") / "set"
        shutil.copytree(workshop.data, root)
        for subset, names in {"train": workshop.train[:3], "test": workshop.test[:1]}.items():
            (root / "splits" / f"{subset}.split1.bundle").write_text("".join(f"{name}.txt\n" for name in names))
        (root / "other").mkdir()
        for path in (root / "features").iterdir():
            np.save(root / "other" / path.name, np.load(path)[:, ::-1].copy())
        if unequal:
            path = root / "features" / f"{workshop.train[0]}.npy"
            np.save(path, np.pad(np.load(path), ((0, 0), (0, 2))))
    return places


@pytest.fixture(scope="module")
def usual(workshop: Any, data: dict[bool, Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """The outcome of a system's recipe with changes, computed once."""
    known: dict[str, Any] = {}

    def outcome_of(system: str, unequal: bool, changes: dict[str, Any]) -> Any:
        name = f"{system} {unequal} {changes}"
        if name not in known:
            chosen = recipe(system, **changes)
            known[name] = outcome(workshop, data[unequal], tmp_path_factory.mktemp("usual") / "run", chosen)
        return known[name]

    return outcome_of


VALUES = [(system, *leaf) for system in TRAINABLE for leaf in leaves(recipe(system)) if leaf[0] != "model"]


@pytest.mark.parametrize(("system", "key", "kind", "value"), VALUES, ids=[f"{v[0]}-{v[1]}" for v in VALUES])
def test_another_value_makes_a_difference(
    system: str, key: str, kind: Any, value: Any, usual: Any, workshop: Any, data: dict[bool, Path], tmp_path: Path
) -> None:
    beside = next((changes for name, changes in BESIDE.items() if key.startswith(name)), {})
    unequal = key in UNEQUAL
    before = usual(system, unequal, beside)
    new = another(key, kind, beside.get(key, value))
    after = outcome(workshop, data[unequal], tmp_path / "run", recipe(system, **{**beside, key: new}))
    assert after != before, f"{key}={new} instead of {value} changes nothing"


@pytest.mark.parametrize("system", TRAINABLE)
def test_the_same_recipe_makes_no_difference(
    system: str, usual: Any, workshop: Any, data: dict[bool, Path], tmp_path: Path
) -> None:
    assert outcome(workshop, data[False], tmp_path / "run", recipe(system)) == usual(system, False, {})


def test_every_recipe_has_values() -> None:
    assert {system for system, *_ in VALUES} == set(TRAINABLE)
    assert len(VALUES) > 150
