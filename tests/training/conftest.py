"""A tiny data set of three classes, a tiny recipe, and trainings that are over in a second."""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from lightning.pytorch.callbacks import Callback

from keyseg.cli.progress import quiet
from keyseg.inference import Predictor
from keyseg.training.fit import Fit
from keyseg.training.recipe import Recipe, load_recipe
from keyseg.training.results import run_all
from keyseg.training.run import Run, start_run

CLASSES = ("background", "cut", "pour")
DIMENSION = 7
TRAIN = ("v0", "v1", "v2", "v3", "v4", "v5")
TEST = ("v6", "v7")

TINY = (
    "network.backbone.channels=8",
    "network.backbone.encoder_layers=2",
    "network.backbone.decoder_layers=2",
    "network.refinement.channels=16",
    "network.refinement.layers=1",
    "optimiser.epochs=4",
    "optimiser.learning_rate=0.01",
    "matching.join_epoch=1",
    "calibration.draws=1",
    "calibration.stress=0.2",
)


def write_set(root: Path, splits: int = 1, length: int | None = None) -> Path:
    """Eight videos, six to train on, in the field's layout. length: of all videos; None for different ones."""
    random = np.random.default_rng(11)
    looks = random.normal(size=(len(CLASSES), DIMENSION))
    for folder in ("groundTruth", "features", "splits"):
        (root / folder).mkdir(parents=True)
    (root / "mapping.txt").write_text("".join(f"{i} {name}\n" for i, name in enumerate(CLASSES)))
    for number, name in enumerate((*TRAIN, *TEST)):
        steps = length or 23 + 3 * number
        labels = np.resize(np.repeat(random.permutation(3)[[0, 1, 2, 0, 1]], random.integers(4, 9, 5)), steps)
        (root / "groundTruth" / f"{name}.txt").write_text("".join(f"{CLASSES[i]}\n" for i in labels))
        noisy = looks[labels].T + 0.3 * random.normal(size=(DIMENSION, steps))
        np.save(root / "features" / f"{name}.npy", noisy.astype(np.float32))
    everything = (*TRAIN, *TEST)
    for split in range(1, splits + 1):
        turned = everything[2 * (split - 1) :] + everything[: 2 * (split - 1)]
        for subset, names in (("train", turned[: len(TRAIN)]), ("test", turned[len(TRAIN) :])):
            text = "".join(f"{name}.txt\n" for name in names)
            (root / "splits" / f"{subset}.split{split}.bundle").write_text(text)
    return root
