"""Small data sets on disk, for the tests of this room to plant defects in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

CLASSES = ("background", "cut", "pour")

# Lengths and D are distinct primes, so that axes cannot be confused.
LENGTHS = {"S1_a": 23, "S1_b": 29, "S2_a": 31, "S2_b": 37}
DIMENSION = 5


class DiskSet:
    """A sound data set below `root`: four videos of two subjects, and a split by subject."""

    lengths, dimension = LENGTHS, DIMENSION

    def __init__(self, root: Path) -> None:
        self.root = root
        self.generator = np.random.default_rng(7)
        self.write("mapping.txt", "".join(f"{i} {name}\n" for i, name in enumerate(CLASSES)))
        self.bundle(1, ["S1_a", "S1_b"], ["S2_a", "S2_b"])
        for name, length in LENGTHS.items():
            self.labels(name, [CLASSES[i] for i in sorted(self.generator.integers(0, 3, length))])
            self.features(name, self.generator.normal(size=(DIMENSION, length)))

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
        return file

    def bundle(self, split: int, train: Sequence[str], test: Sequence[str]) -> None:
        for subset, names in (("train", train), ("test", test)):
            self.write(f"splits/{subset}.split{split}.bundle", "".join(f"{name}.txt\n" for name in names))

    def labels(self, name: str, names: Sequence[str]) -> Path:
        return self.write(f"groundTruth/{name}.txt", "".join(f"{label}\n" for label in names))

    def features(self, name: str, array: object, folder: str = "features", dtype: str = "float32") -> Path:
        path = self.root / folder / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.asarray(array, dtype))
        return path

    def rewrite_features(
        self, change: Callable[[np.ndarray], np.ndarray], lengths: Mapping[str, int] = LENGTHS
    ) -> None:
        for name in lengths:
            path = self.root / "features" / f"{name}.npy"
            np.save(path, change(np.load(path)))


@pytest.fixture
def disk_set(tmp_path: Path) -> DiskSet:
    return DiskSet(tmp_path / "set")
