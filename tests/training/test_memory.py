"""A data set may be larger than memory: what is held does not grow with the number of videos."""

from __future__ import annotations

import tracemalloc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keyseg.data import Dataset
from keyseg.training import videos as loading
from keyseg.training.videos import Videos, loader

CHANNELS, STEPS = 512, 200
VIDEO = CHANNELS * STEPS * 4  # bytes as float32


def data_set(root: Path, count: int, axes: str) -> Path:
    """A data set of as many videos, whose features outweigh the labels."""
    names = [f"v{number}" for number in range(count)]
    for folder in ("groundTruth", "features", "splits"):
        (root / folder).mkdir(parents=True)
    (root / "mapping.txt").write_text("0 background\n1 cut\n")
    for subset, listed in (("train", names), ("test", names[:1])):
        (root / "splits" / f"{subset}.split1.bundle").write_text("".join(f"{name}.txt\n" for name in listed))
    for number, name in enumerate(names):
        (root / "groundTruth" / f"{name}.txt").write_text("cut\n" * STEPS)
        shape = (CHANNELS, STEPS) if axes == "DT" else (STEPS, CHANNELS)
        np.save(root / "features" / f"{name}.npy", np.full(shape, number, np.float32))
    return root


def peak(root: Path) -> int:
    """The most bytes that Python and numpy held at once in two epochs."""
    videos = Videos(Dataset.open(root), 1, Dataset.open(root).names(1, "train"))
    tracemalloc.start()
    try:
        for epoch in range(2):
            batches = loader(videos, seed=0)
            batches.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
            assert sum(len(batch) for batch in batches) == len(videos)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("axes", ["DT", "TD"])
def test_reading_holds_as_much_of_many_videos_as_of_few(axes: str, tmp_path: Path) -> None:
    few, many = (peak(data_set(tmp_path / str(count), count, axes)) for count in (4, 24))
    assert VIDEO < few < 3 * VIDEO  # or else this does not measure features
    assert many < few + VIDEO / 2


def test_a_whole_training_holds_one_video_at_a_time(
    workshop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inner folds, training, validation and scores. Of batches it holds the one in use, and the next that is read."""
    held: dict[str, list[weakref.ref[Any]]] = {"videos": [], "batches": []}
    most = dict.fromkeys(held, 0)

    def counted(kind: str, thing: Any) -> None:
        held[kind] = [known for known in held[kind] if known() is not None] + [weakref.ref(thing)]
        most[kind] = max(most[kind], len(held[kind]))

    load, collate = Dataset.load, loading.collate

    def counted_load(self: Dataset, name: str, split: Any) -> Any:
        sample = load(self, name, split)
        counted("videos", sample.features)
        return sample

    def counted_collate(samples: Any) -> Any:
        batch = collate(samples)
        counted("batches", batch.features)
        return batch

    monkeypatch.setattr(Dataset, "load", counted_load)
    monkeypatch.setattr(loading, "collate", counted_collate)
    changes = ("matching.fit=true", "matching.folds=2", "optimiser.epochs=2")
    workshop.finish(workshop.start(tmp_path / "run", *changes))
    assert most == {"videos": 2, "batches": 2}  # one in use while the next is read
