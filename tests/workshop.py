"""A tiny data set of three classes, and trainings on it that are over in a second, in this process or in a child."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from keyseg.training import fit
from keyseg.training import run as runs
from keyseg.training.recipe import Recipe, load_recipe
from keyseg.training.results import read_history
from keyseg.training.run import Run, start_run
from keyseg.training.running import run_all

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
    "augmentation.mixed_segments=0.3",
    "matching.fit=false",
    "matching.join_epoch=1",
)

torch.set_num_threads(1)


@dataclass(frozen=True)
class Workshop:
    """What the tests train on and with. data: a data set of two splits."""

    data: Path

    train: tuple[str, ...] = TRAIN
    test: tuple[str, ...] = TEST
    changes: tuple[str, ...] = TINY

    def write(self, root: Path, sample_rate: int = 1) -> Path:
        """Write eight videos, six for training, to `root`; one feature column per `sample_rate` labels."""
        random = np.random.default_rng(11)
        looks = random.normal(size=(len(CLASSES), DIMENSION))
        for folder in ("groundTruth", "features", "splits"):
            (root / folder).mkdir(parents=True)
        (root / "mapping.txt").write_text("".join(f"{i} {name}\n" for i, name in enumerate(CLASSES)))
        names = (*TRAIN, *TEST)
        for number, name in enumerate(names):
            order, lengths = random.permutation(3)[[0, 1, 2, 0, 1]], random.integers(4, 9, 5)
            labels = np.repeat(np.resize(np.repeat(order, lengths), 23 + 3 * number), sample_rate)[
                : 22 * sample_rate + number
            ]
            (root / "groundTruth" / f"{name}.txt").write_text("".join(f"{CLASSES[i]}\n" for i in labels))
            shown = looks[labels[::sample_rate]].T
            np.save(root / "features" / f"{name}.npy", np.float32(shown + 0.3 * random.normal(size=shown.shape)))
        for split, order in ((1, names), (2, names[2:] + names[:2])):
            for subset, part in (("train", order[: len(TRAIN)]), ("test", order[len(TRAIN) :])):
                text = "".join(f"{name}.txt\n" for name in part)
                (root / "splits" / f"{subset}.split{split}.bundle").write_text(text)
        return root

    def recipe(self, *changes: str) -> Recipe:
        """The tiny recipe with changes."""
        return load_recipe(None, (*TINY, *changes))

    def start(self, folder: Path, *changes: str, data: Path | None = None, **options: Any) -> Run:
        """A run of split 1 and seed 0, unless told otherwise."""
        options = {"splits": (1,), "seeds": (0,), "command": "keyseg train", **options}
        return start_run(folder, data or self.data, self.recipe(*changes), **options)

    def finish(self, run: Run, *callbacks: Callback) -> dict[str, Any]:
        """Train what is not trained yet."""
        summary = run_all(run, lambda _: callbacks)
        assert summary is not None
        return summary

    def in_child(self, action: Callable[[], Any], log: Path = Path(os.devnull)) -> int:
        """Do it in a child process; its exit code, or minus the signal that ended it."""
        child = os.fork()
        if child == 0:
            code = 70
            try:
                file = log.open("a", buffering=1)
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
                sys.stdout = sys.stderr = file  # pytest has put its own there
                signal.signal(signal.SIGINT, signal.default_int_handler)
                code = action() or 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    shop = Workshop(tmp_path_factory.mktemp("data") / "set")
    shop.write(shop.data)
    return shop


@contextmanager
def _settled() -> Iterator[None]:
    """Validate at every second epoch, so that four epochs have both kinds, and be at one commit all the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "VALIDATE_EVERY", 2)
        patch.setattr(runs, "source_commit", lambda: "0123456789ab")
        yield


@pytest.fixture(autouse=True, scope="module")
def settled() -> Iterator[None]:
    with _settled():
        yield


@pytest.fixture(scope="session")
def finished(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A training from start to end without an incident: what every other must come to. Not to be changed."""
    with _settled():
        run = workshop.start(tmp_path_factory.mktemp("finished") / "run")
        workshop.finish(run)
    return run


@pytest.fixture(scope="session")
def outcome() -> Callable[..., dict[str, Any]]:
    """Everything of one training that must not depend on how it came about."""

    everything = ("bundle/weights.safetensors", "bundle/config.json", "scores.json")

    def read(folder: Path, parts: Sequence[str] = everything) -> dict[str, Any]:
        found: dict[str, Any] = {part: (folder / part).read_bytes() for part in parts}
        for file in sorted((folder / "predictions").iterdir()):
            found[file.name] = file.read_text()
        found["history"] = read_history(folder)
        return found

    return read
