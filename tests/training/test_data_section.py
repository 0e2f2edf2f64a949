"""The section data of a recipe: which of the places that state a setting is in force, and what a run records."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from keyseg.data.feature_origin import FeatureOrigin
from keyseg.data.known_datasets import GTEA
from keyseg.timeline import ConfigError, DataError, KeysegError, TrainingError
from keyseg.training import recipe as recipes
from keyseg.training.recipe import load_recipe, recipe_for
from keyseg.training.run import read_run, start_run


def test_the_order_of_the_places_that_state_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, shipped, mine = tmp_path / "data", tmp_path / "recipes", tmp_path / "mine.yaml"
    for folder in (data, shipped):
        folder.mkdir()
    (data / "mapping.txt").write_text("".join(f"{i} {name}\n" for i, name in enumerate(GTEA.classes)))
    monkeypatch.setattr(recipes, "_SHIPPED", shipped)
    origins: list[FeatureOrigin] = []
    monkeypatch.setattr("keyseg.data.data_settings.first_origin", lambda *_: next(iter(origins), None))

    def in_force(*changes: str, path: Path | None = None, **named: Any) -> tuple[Any, ...]:
        stated = recipe_for(data, "rtk", path, changes, **named)[0].data
        return stated.fps, stated.sample_rate, stated.background

    background = ("background",)
    assert in_force() == (15, 1, background)  # the known data set, and defaults
    common: dict[str, Any] = {"extractor": "x", "version": "1", "dimension": 5, "clip_length": 1}
    origins.append(FeatureOrigin(**common, fps="16", sample_rate=2))
    assert in_force() == (16, 2, background)
    (shipped / "gtea-rtk.yaml").write_text("data: {fps: 17, sample_rate: 3, background: [pour]}\n")
    assert in_force() == (17, 3, ("pour",))
    (data / "dataset.yaml").write_text("fps: 18\nsample_rate: 4\n")
    assert in_force() == (18, 4, ("pour",))
    (data / "dataset.yaml").write_text("fps: 18\nsample_rate: 4\nbackground: [stir]\n")
    assert in_force() == (18, 4, ("stir",))
    mine.write_text("data: {fps: 19, background: none}\n")
    assert in_force(path=mine) == (19, 4, ())
    assert in_force("data.fps=20", path=mine) == (20, 4, ())
    assert in_force("data.fps=20", "data.background=open") == (20, 4, ("open",))
    assert in_force("data.background=open", background=["close"]) == (18, 4, ("close",))
    assert in_force(path=mine, background=["close"]) == (19, 4, ("close",))


@pytest.fixture
def data(workshop: Any, tmp_path: Path) -> Path:
    return shutil.copytree(workshop.data, tmp_path / "data")


def test_a_run_records_what_was_in_force_and_reads_it_again(data: Path, tmp_path: Path) -> None:
    file, run = data / "dataset.yaml", tmp_path / "run"
    file.write_text("fps: 30\nsample_rate: 2\nbackground: []\nlengths: trim\ntolerance: 3\n")
    recipe, again = load_recipe(), (data, load_recipe(), (1,), (0,), "train")
    started = start_run(run, data, recipe, (1,), (0,), "train")
    stated = read_run(run).recipe.data
    assert (stated.fps, stated.sample_rate, stated.background, stated.tolerance) == (30, 2, (), 3)
    assert stated == started.recipe.data == recipe_for(data)[0].data
    assert None not in dict(stated).values()
    assert start_run(run, *again, resume=True).recipe == started.recipe
    file.write_text("fps: 25\nsample_rate: 2\nbackground: []\n")
    assert read_run(run).open_dataset().options == stated  # as it was trained
    words = "another recipe: data.fps was 30 and is now 25; data.lengths was trim and is now error"
    with pytest.raises(TrainingError, match=words):
        start_run(run, *again, resume=True)
    file.write_text("fsp: 25\n")
    with pytest.raises(DataError, match=r"dataset.yaml:1: unknown key 'fsp'"):
        read_run(run).open_dataset()


def test_a_run_that_states_less_resumes(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    started = start_run(run, data, load_recipe(), (1,), (0,), "train")
    file = run / "run.json"
    file.write_text(file.read_text().replace('"features": "features"', '"features": null'))
    assert read_run(run).recipe.data.features is None
    assert start_run(run, data, load_recipe(), (1,), (0,), "train", resume=True).recipe == started.recipe
    assert read_run(run).recipe == started.recipe


@pytest.mark.parametrize(
    ("recipe", "changes", "named", "words"),
    [
        ("optimiser: {epoch: 3}", (), {}, "FILE: unknown key 'optimiser.epoch' (did you mean 'epochs'?)"),
        ("optimiser: {epochs: 0}", ("optimiser.epochs=3",), {}, ""),
        ("optimiser: {epochs: 3}", ("optimiser.epochs=0",), {}, "--set optimiser.epochs=0: 'optimiser.epochs': Input"),
        (None, ("optimiser.epoch=3",), {}, "--set optimiser.epoch=3: unknown key 'optimiser.epoch'"),
        (None, ("optimiser={epochs: 0}",), {}, "--set optimiser={epochs: 0}: 'optimiser.epochs': Input should be"),
        (None, ("model=rkt",), {}, "--set model=rkt: 'model': no system 'rkt' (did you mean 'rtk'?)"),
        (
            "optimiser: {batch_size: 0}",
            ("optimiser.epochs=0",),
            {},
            "--set optimiser.epochs=0: 'optimiser.epochs': Input should be greater than or equal to 1, got 0; FILE:"
            " 'optimiser.batch_size'",
        ),
        ("data: {fps: fast}", (), {}, "FILE: 'data.fps': a frame rate is a number"),
        (None, ("data.fps=fast",), {}, "--set data.fps=fast: 'data.fps': a frame rate is a number"),
        ("data: {background: x}", (), {}, "MAPPING: background 'x' (FILE) is not a class"),
        (None, ("data.background=x",), {}, "MAPPING: background 'x' (--set data.background=x) is not a class"),
        (None, (), {"background": ["x"]}, "MAPPING: background 'x' (--background) is not a class"),
        ("data: {tolerance: 3}", (), {}, "FILE: tolerance 3 needs lengths 'trim', got lengths 'error' (default)"),
        (
            "data: {lengths: resample}",
            ("data.tolerance=3",),
            {},
            "--set data.tolerance=3: tolerance 3 needs lengths 'trim', got lengths 'resample' (FILE)",
        ),
    ],
)
def test_an_error_names_what_states_the_wrong_value(
    recipe: str | None, changes: tuple[str, ...], named: dict[str, Any], words: str, tmp_path: Path
) -> None:
    file, data = tmp_path / "mine.yaml", tmp_path / "data"
    data.mkdir()
    (data / "mapping.txt").write_text("0 cut\n1 pour\n")
    if recipe:
        file.write_text(recipe)
    try:
        recipe_for(data, None, file if recipe else None, changes, **named)
        said = ""
    except KeysegError as error:
        said = str(error)
    assert said.startswith(words.replace("FILE", str(file)).replace("MAPPING", str(data / "mapping.txt")))
    assert bool(said) == bool(words)


def test_a_wrong_shipped_recipe_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mapping.txt").write_text("".join(f"{i} {name}\n" for i, name in enumerate(GTEA.classes)))
    (tmp_path / "gtea-rtk.yaml").write_text("optimiser: {epoch: 77}\n")
    monkeypatch.setattr(recipes, "_SHIPPED", tmp_path)
    with pytest.raises(ConfigError, match=r"gtea-rtk\.yaml: unknown key 'optimiser\.epoch'"):
        recipe_for(tmp_path)


def test_the_name_of_a_folder_is_not_yaml(tmp_path: Path) -> None:
    (tmp_path / "mapping.txt").write_text("0 cut\n1 pour\n")
    assert recipe_for(tmp_path, features="12")[0].data.features == "12"
