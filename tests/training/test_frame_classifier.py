"""The classifier without context: right where a row tells the class, lost where only order does."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from keyseg.data import Dataset
from keyseg.training.frame_classifier import classify_frames


def write(root: Path, telling: bool) -> Dataset:
    rng = np.random.default_rng(0)
    (root / "groundTruth").mkdir(parents=True)
    (root / "features").mkdir()
    (root / "splits").mkdir()
    (root / "mapping.txt").write_text("0 background\n1 take\n2 put\n")
    names = [f"v{i}" for i in range(6)]
    for name in names:
        ids = np.repeat([0, 1, 0, 2, 0], rng.integers(5, 12, 5))
        looks = np.eye(3)[ids] if telling else np.eye(2)[np.minimum(ids, 1)]
        (root / "groundTruth" / f"{name}.txt").write_text("".join(f"{('background', 'take', 'put')[i]}\n" for i in ids))
        features = np.hstack([looks, np.ones((len(ids), 1)), telling * rng.normal(size=(len(ids), 2))])
        np.save(root / "features" / f"{name}.npy", features.astype(np.float32))
    for subset, part in (("train", names[:4]), ("test", names[4:])):
        (root / "splits" / f"{subset}.split1.bundle").write_text("".join(f"{name}.txt\n" for name in part))
    return Dataset.open(root)


def test_what_a_row_tells_is_found(tmp_path: Path) -> None:
    dataset = write(tmp_path / "set", telling=True)
    found = classify_frames(dataset, 1)
    assert {name: found[name] for name in found} == {name: dataset.annotation(name) for name in ("v4", "v5")}


def test_what_only_order_tells_is_not(tmp_path: Path) -> None:
    dataset = write(tmp_path / "set", telling=False)
    for name, segmentation in classify_frames(dataset, 1).items():
        wanted, got = dataset.annotation(name).to_frames(), segmentation.to_frames()
        np.testing.assert_array_equal(got == 0, wanted == 0)
        assert len(set(got[wanted > 0])) == 1  # take and put look alike, so one of them is never predicted
