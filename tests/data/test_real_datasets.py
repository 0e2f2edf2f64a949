"""The real GTEA and 50Salads open, load and pass the check. Skipped where they are not available."""

from fractions import Fraction
from pathlib import Path

import pytest

from keyseg.data import Dataset, check_dataset
from keyseg.data.known_datasets import GTEA, SALADS_MID

DATA = Path(__file__).parents[2].parent / "shared" / "data"

SETS = [
    pytest.param("gtea-spatialcnn", None, GTEA, (28, 4), 128, 29_822, id="gtea"),
    pytest.param("50salads-spatialcnn", None, SALADS_MID, (50, 5), 128, 49_735, id="50salads"),
    pytest.param("50salads-spatialcnn", "features_accel", SALADS_MID, (50, 5), 30, 49_735, id="50salads-accel"),
]


def root_of(folder):
    if not (DATA / folder).is_dir():
        pytest.skip(f"needs the {folder} data, which is not distributed with the project")
    return DATA / folder


@pytest.mark.parametrize(("folder", "features", "facts", "sizes", "dimension", "frames"), SETS)
def test_real_sets_check_clean(folder, features, facts, sizes, dimension, frames):
    report = check_dataset(root_of(folder), features=features)
    assert report.problems == report.warnings == ()
    assert report.dataset == facts.title
    assert (report.videos, report.splits) == sizes
    assert report.classes == len(facts.classes)
    assert (report.frames, report.dimension) == (frames, dimension)


@pytest.mark.parametrize(("folder", "features", "facts", "sizes", "dimension", "frames"), SETS)
def test_real_sets_load(folder, features, facts, sizes, dimension, frames):
    dataset = Dataset.open(root_of(folder), features=features)
    assert dataset.facts is facts
    assert dataset.timebase.fps == Fraction(facts.fps)
    assert dataset.labels.background == ("background",)
    assert len(dataset.splits) == sizes[1]
    for split in dataset.splits:
        train, test = dataset.names(split, "train"), dataset.names(split, "test")
        assert not {dataset.group(name) for name in train} & {dataset.group(name) for name in test}
        samples = [dataset.load(name, split) for name in (*train, *test)]
        assert sum(len(sample.labels) for sample in samples) == frames
        assert all(sample.features.shape == (sample.segmentation.length, dimension) for sample in samples)
