"""A copy of a data set in which the training videos of one split have no common order.

python benchmarks/shuffled_dataset.py DATA SPLIT COPY
The segments of each training video of SPLIT are put into random order, its labels and the features of every folder
alike; test videos stay as they are. The same call makes the same copy. Features are (D, T), a step for each label.
"""

from __future__ import annotations

import argparse
import shutil
from glob import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt

from keyseg.data.splits import bundle_path, read_bundle
from keyseg.timeline import Segmentation


def shuffled_steps(labels: list[str], seed: tuple[int, int]) -> npt.NDArray[np.int64]:
    """The steps of a video with its segments in random order, by `default_rng(seed)`."""
    ids = np.unique(labels, return_inverse=True)[1]
    bounds = Segmentation.from_frames(ids).boundaries
    order = np.random.default_rng(seed).permutation(len(bounds) - 1)
    return np.concatenate([np.arange(bounds[segment], bounds[segment + 1]) for segment in order])


def shuffle_dataset(data: Path, split: int, copy: Path) -> None:
    """Write the copy. Raises ValueError if a video has no features, or some of another length than its labels."""
    shutil.copytree(data, copy)
    for number, name in enumerate(read_bundle(bundle_path(data, split, "train"))):
        annotation = copy / "groundTruth" / f"{name}.txt"
        labels = annotation.read_text(encoding="utf-8").strip().splitlines()
        steps = shuffled_steps(labels, (split, number))
        annotation.write_text("".join(f"{labels[step]}\n" for step in steps), encoding="utf-8")
        files = list(copy.glob(f"features*/{escape(name)}.npy"))
        if not files:
            raise ValueError(f"{copy}: no features*/{name}.npy to shuffle as the labels")
        for file in files:
            features = np.load(file)
            if features.shape[1] != len(steps):
                raise ValueError(f"{file}: features of shape {features.shape} for {len(steps)} labels")
            np.save(file, features[:, steps])


def main() -> None:
    """Make one copy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("split", type=int)
    parser.add_argument("copy", type=Path)
    options = parser.parse_args()
    shuffle_dataset(options.data, options.split, options.copy)


if __name__ == "__main__":
    main()
