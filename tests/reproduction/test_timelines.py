"""Figure 2: the rows of a video are those of trainings that have not seen it, of one split and one seed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from keyseg.formats.frame_labels import read_frame_labels
from keyseg.inference.bundle import load
from keyseg.reproduction import timelines
from keyseg.reproduction.timelines import VideoRows, video_rows
from keyseg.timeline import DataError
from keyseg.training.recipe import Recipe, load_recipe
from keyseg.training.run import start_run

SMALL: dict[str, tuple[str, ...]] = {
    "ms-tcn++": (
        "network.channels=8",
        "network.generator_layers=3",
        "network.refinements=1",
        "network.refinement_layers=2",
    ),
    "asformer": (
        "network.channels=8",
        "network.encoder_layers=2",
        "network.decoder_layers=2",
        "network.decoders=1",
    ),
}
# Seed 1 is the one that all have.
TRAININGS: dict[str, tuple[Sequence[int], Sequence[int]]] = {
    "rtk": ((1, 2), (1,)),
    "asformer": ((2, 1), (1,)),
    "ms-tcn++": ((1, 2), (0, 1)),
}


def small(workshop: Any, system: str) -> Recipe:
    if system == "rtk":
        return workshop.recipe("optimiser.epochs=1", "matching.join_epoch=0")
    rate = "optimiser.learning_rate=0.01"
    return load_recipe(None, (f"model={system}", "optimiser.epochs=1", rate, *SMALL[system]))


@pytest.fixture(scope="module")
def systems(workshop: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of three finished runs. Not to be changed."""
    folder = tmp_path_factory.mktemp("systems") / "equal-terms"
    for system, (splits, seeds) in TRAININGS.items():
        recipe = small(workshop, system)
        workshop.finish(start_run(folder / system, workshop.data, recipe, splits, seeds, "keyseg reproduce table1"))
    return folder


@pytest.fixture
def copied(systems: Path, tmp_path: Path) -> Path:
    """Runs to break."""
    return shutil.copytree(systems, tmp_path / "equal-terms")


def names(found: VideoRows, row: int) -> list[str]:
    """A row's class names, a frame each."""
    return found.dataset.labels.decode(found.systems[row][1].to_frames())


@pytest.mark.parametrize(("video", "split"), [("v6", 1), ("v7", 1), ("v0", 2), ("v1", 2)])
def test_rows_are_the_predictions_of_the_training_that_tests_on_the_video(
    video: str, split: int, systems: Path, workshop: Any
) -> None:
    found = video_rows(systems, workshop.data, video)
    assert [title for title, _ in found.systems] == ["RTK", "RTK without refinement", "ASFormer", "MS-TCN++"]
    truth = read_frame_labels(workshop.data / "groundTruth" / f"{video}.txt")
    assert found.dataset.labels.decode(found.truth.to_frames()) == truth
    training = Path(f"split{split}") / "seed1"
    for row, system in ((0, "rtk"), (2, "asformer"), (3, "ms-tcn++")):
        assert names(found, row) == read_frame_labels(systems / system / training / "predictions" / f"{video}.txt")
    features = workshop.data / "features" / f"{video}.npy"
    plain = load(systems / "rtk" / training / "bundle").predict(features, variant="rtk-no-refinement")
    assert names(found, 1) == plain.frame_labels


def test_all_rows_are_of_one_split_and_one_seed(systems: Path, workshop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def spied(folder: Path) -> Any:
        read.append(folder.relative_to(systems).as_posix())
        return load(folder)

    monkeypatch.setattr(timelines, "load", spied)
    video_rows(systems, workshop.data, "v0")
    assert read == [f"{system}/split2/seed1/bundle" for system in ("rtk", "asformer", "ms-tcn++")]


def test_of_several_common_seeds_the_lowest_is_shown(
    copied: Path, workshop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for system in TRAININGS:
        for split in (1, 2):
            there = copied / system / f"split{split}"
            shutil.copytree(there / "seed1", there / "seed5")
        start_run(copied / system, workshop.data, small(workshop, system), (1, 2), (5, 1), "keyseg train", resume=True)
    read: list[str] = []
    monkeypatch.setattr(timelines, "load", lambda folder: (read.append(folder.parent.name), load(folder))[1])
    video_rows(copied, workshop.data, "v6")
    assert read == ["seed1"] * 3


def test_the_data_set_may_be_named_in_another_way(
    systems: Path, workshop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workshop.data.parent)
    found = video_rows(Path(os.path.relpath(systems)), Path("set"), "v6")
    assert found.truth == video_rows(systems, workshop.data, "v6").truth


@pytest.mark.parametrize("video", ["v3", "v9", "v6.txt"])
def test_a_video_that_no_split_tests_on_is_refused_with_some_that_are(video: str, systems: Path, workshop: Any) -> None:
    with pytest.raises(DataError) as caught:
        video_rows(systems, workshop.data, video)
    assert str(caught.value) == (
        f"{systems / 'rtk'}: no split of this run tests on a video '{video}'; it tests on v0, v1, v6, v7"
    )


@pytest.mark.parametrize("system", TRAININGS)
def test_a_system_that_is_missing_is_named_with_the_command_that_trains_it(
    system: str, copied: Path, workshop: Any
) -> None:
    shutil.rmtree(copied / system)
    with pytest.raises(DataError) as caught:
        video_rows(copied, workshop.data, "v6")
    assert str(caught.value) == (
        f"{copied / system}: no run here; train the systems first: keyseg reproduce table1 DATA --out OUT, and give"
        " OUT/equal-terms or OUT/as-published"
    )


@pytest.mark.parametrize("system", TRAININGS)
def test_a_training_that_is_not_finished_is_refused(system: str, copied: Path, workshop: Any) -> None:
    for bundle in copied.glob(f"{system}/split1/seed*/bundle"):
        shutil.rmtree(bundle)
    with pytest.raises(DataError) as caught:
        video_rows(copied, workshop.data, "v6")
    assert str(caught.value) == (
        f"{copied / system}: the training that tests on 'v6' is not finished; run the same command again"
    )
    assert video_rows(copied, workshop.data, "v0").systems  # of the other split


def test_trainings_without_a_common_seed_are_refused(copied: Path, workshop: Any) -> None:
    shutil.rmtree(copied / "ms-tcn++" / "split1" / "seed1" / "bundle")
    with pytest.raises(
        DataError,
        match=r"rtk, asformer, ms-tcn\+\+ have no finished split and seed in common that tests on 'v6'; train them",
    ):
        video_rows(copied, workshop.data, "v6")


def test_runs_on_another_data_set_are_refused(systems: Path, workshop: Any, tmp_path: Path) -> None:
    other = workshop.write(tmp_path / "other")
    with pytest.raises(DataError, match=r"rtk: trained on \S+set, not on \S+other; name the folder of its runs"):
        video_rows(systems, other, "v6")


def test_a_run_of_another_system_is_refused(copied: Path, workshop: Any) -> None:
    shutil.rmtree(copied / "ms-tcn++")
    (copied / "asformer").rename(copied / "ms-tcn++")
    shutil.copytree(copied / "ms-tcn++", copied / "asformer")
    with pytest.raises(DataError, match=r"ms-tcn\+\+: holds a run of asformer, not of ms-tcn"):
        video_rows(copied, workshop.data, "v6")
