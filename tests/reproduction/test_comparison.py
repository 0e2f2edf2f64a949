"""Table 1: what is trained for it and what is not, whose scores and costs a row has, and its three formats."""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest

from keyseg.data.dataset import Dataset
from keyseg.data.folders import claimed
from keyseg.inference.bundle import load
from keyseg.inference.decoders import KeypointDecoder
from keyseg.inference.systems import SYSTEMS, variant_title
from keyseg.metrics import evaluate_labels
from keyseg.models.rtk import RTK
from keyseg.reproduction import terms
from keyseg.reproduction.comparison import compare_systems, prepare, write_table
from keyseg.reproduction.comparison_tables import as_latex, as_markdown
from keyseg.reproduction.terms import SENTENCES, Terms, joining, recipe_on
from keyseg.timeline import ConfigError, DataError, OutputExistsError, TrainingError
from keyseg.training import running
from keyseg.training.recipe import Recipe, load_recipe, recipe_for
from keyseg.training.run import Run, differences, read_run, start_run
from keyseg.training.settings import RTKRecipe
from keyseg.training.tables import SCORES

SPLIT1 = Path("split1") / "seed0"
ASFORMER = ("network.channels=8", "network.encoder_layers=2", "network.decoder_layers=2", "network.decoders=1")
SMALL: dict[str, tuple[str, ...]] = {
    "ms-tcn++": (
        "network.channels=8",
        "network.generator_layers=3",
        "network.refinements=1",
        "network.refinement_layers=2",
    ),
    "asformer": ASFORMER,
    "asformer-extra": ASFORMER,
    "bcn": (
        "network.channels=8",
        "network.cascade_stages=2",
        "network.layers=2",
        "network.fusion_channels=8",
        "network.barrier={channels: 8, dilations: [1, 2]}",
        "network.output_pooling={width: 3, alpha: 1.0}",
        "network.smoothing={width: 5, alpha: 2.0}",
        "barrier.epochs=2",
        "barrier.frozen_epochs=1",
    ),
}
# By hand, of the MS-TCN++ above on 7 channels and 3 classes, multiplications and additions for a step: input; three
# layers of two convolutions of width 3 and their fusion; classifier. Refinement: input, two layers, classifier.
MS_TCN_STEP = 2 * (7 * 8 + 3 * (2 * 3 * 8 * 8 + 16 * 8) + 8 * 3 + 3 * 8 + 2 * (3 * 8 * 8 + 8 * 8) + 8 * 3)


PUBLISHED: Terms = "as-published"
EQUAL: Terms = "equal-terms"
Runs = Mapping[Terms, Sequence[Run]]


def block(table: dict[str, Any], name: str = PUBLISHED) -> dict[str, Any]:
    """The part of a table for the terms."""
    found: dict[str, Any] = table["blocks"][name]
    return found


@dataclass(frozen=True)
class Compared:
    """A finished comparison of all systems on split 1 and seed 0, as published. Not to be changed."""

    folder: Path
    runs: Runs
    table: dict[str, Any]

    @property
    def block(self) -> dict[str, Any]:
        """The only block of the table."""
        return block(self.table)

    def copied(self, folder: Path) -> Path:
        """A copy to continue with."""
        return shutil.copytree(self.folder, folder)


@pytest.fixture(scope="module")
def small(workshop: Any) -> Callable[..., Recipe]:
    """A recipe of a tiny network and two epochs."""

    def recipe(system: str, *changes: str) -> Recipe:
        if system == "rtk":
            return workshop.recipe("optimiser.epochs=2", "matching.join_epoch=null", *changes)
        rate = 0.03 if system == "bcn" else 0.01
        common = (f"model={system}", "optimiser.epochs=2", f"optimiser.learning_rate={rate}")
        return load_recipe(None, (*common, *SMALL[system], *changes))

    return recipe


def ship(patch: pytest.MonkeyPatch, small: Callable[..., Recipe], *changes: str) -> None:
    """Small recipes in place of the shipped ones."""

    def recipe_for(data: Path, model: str, *, epochs: int | None = None, **_: Any) -> tuple[Recipe, str]:
        recipe = small(model, *changes)
        recipe = recipe.changed(data=Dataset.open(data, **dict(recipe.data)).options)
        return recipe if epochs is None else recipe.at_pace(epochs / recipe.optimiser.epochs), f"tiny-{model}.yaml"

    patch.setattr(terms, "recipe_for", recipe_for)


@pytest.fixture(autouse=True, scope="module")
def shipped(small: Any) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        ship(patch, small)
        yield


def ready(
    workshop: Any,
    folder: Path,
    systems: Sequence[str] = tuple(SYSTEMS),
    splits: Any = (1,),
    seeds: Any = (0,),
    on: Sequence[Terms] = (PUBLISHED,),
    **options: Any,
) -> Runs:
    data = options.pop("data", workshop.data)
    return prepare(data, folder, on, systems, splits, seeds, "keyseg reproduce table1", **options)


def table_of(runs: Runs, folder: Path) -> dict[str, Any]:
    table = compare_systems(runs, folder, lambda _: ())
    assert table is not None
    return table


@pytest.fixture(scope="module")
def compared(shipped: None, workshop: Any, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    folder = tmp_path_factory.mktemp("compared") / "table1"
    runs = ready(workshop, folder)
    return Compared(folder, runs, table_of(runs, folder))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """System, split and seed of each training that is done from here on."""
    done: list[tuple[str, int, int]] = []
    original = running.run_fit

    def counted(fit: Any, *rest: Any) -> Any:
        done.append((fit.recipe.model, fit.split, fit.seed))
        return original(fit, *rest)

    monkeypatch.setattr(running, "run_fit", counted)
    return done


# Rows, scores, costs.


def test_rows_stand_in_the_order_of_the_supplement(compared: Compared) -> None:
    table = compared.table
    assert list(block(table)["rows"]) == [
        "ms-tcn++",
        "bcn",
        "asformer",
        "asformer-extra",
        "frame-wise",
        "rtk-no-rules",
        "rtk-no-refinement",
        "rtk",
    ]
    assert sorted(block(table)["runs"]) == sorted(SYSTEMS)
    assert (table["data"], table["features"], table["protocol"]) == ("set", "features", "ms-tcn")
    assert (table["splits"], table["seeds"]) == ([1], [0])


ROWS = [(system, variant) for system in SYSTEMS for variant in reversed(SYSTEMS[system].titles)]


@pytest.mark.parametrize(("system", "variant"), ROWS)
def test_scores_are_those_of_the_training(system: str, variant: str, compared: Compared) -> None:
    there = json.loads((compared.folder / PUBLISHED / system / SPLIT1 / "scores.json").read_text())[variant]
    assert compared.block["rows"][variant]["scores"] == {name: there[name] for name in SCORES}
    summary = json.loads((compared.folder / PUBLISHED / system / "results.json").read_text())
    best = compared.block["rows"][variant]["best_epoch_on_the_test_fold"]
    assert best == summary["best_epoch_on_the_test_fold"][variant]
    assert sorted(best) == sorted(SCORES)


def test_several_splits_are_averaged_and_several_seeds_give_a_deviation(workshop: Any, tmp_path: Path) -> None:
    table = table_of(ready(workshop, tmp_path, ["ms-tcn++"], splits=(), seeds=(0, 1)), tmp_path)
    assert (table["splits"], table["seeds"]) == ([1, 2], [0, 1])
    files = {
        (s, seed): tmp_path / PUBLISHED / f"ms-tcn++/split{s}/seed{seed}/scores.json" for s in (1, 2) for seed in (0, 1)
    }
    there = {key: json.loads(file.read_text())["ms-tcn++"] for key, file in files.items()}
    found = block(table)["rows"]["ms-tcn++"]["scores"]
    for name in SCORES:
        by_seed = [fmean(there[split, seed][name] for split in (1, 2)) for seed in (0, 1)]
        assert found[name] == pytest.approx(fmean(by_seed))
        assert found[f"{name} sd"] == pytest.approx(stdev(by_seed))
    assert found["acc sd"] > 0
    assert f"| {found['acc']:.1f} ± {found['acc sd']:.1f} |" in as_markdown(table)
    assert f"& {found['acc']:.1f} $\\pm$ {found['acc sd']:.1f} &" in as_latex(table)


def test_parameters_are_those_of_what_a_row_uses(compared: Compared) -> None:
    rows = compared.block["rows"]
    networks = {system: load(compared.folder / PUBLISHED / system / SPLIT1 / "bundle").model for system in SYSTEMS}
    counted = {system: sum(p.numel() for p in network.parameters()) for system, network in networks.items()}
    assert {system: rows[system]["parameters"] for system in SYSTEMS} == counted
    assert len(set(counted.values())) == len(SYSTEMS)
    rtk = networks["rtk"]
    assert isinstance(rtk, RTK)
    refiner = sum(p.numel() for p in rtk.refiner.parameters())
    assert refiner > 0
    for variant in ("rtk-no-refinement", "rtk-no-rules"):
        assert rows[variant]["parameters"] == counted["rtk"] - refiner


def test_a_refinement_that_never_joined_costs_nothing(compared: Compared, tmp_path: Path) -> None:
    folder = compared.copied(tmp_path / "copy") / PUBLISHED / "rtk"
    config = folder / SPLIT1 / "bundle" / "config.json"
    config.write_text(config.read_text().replace('"refine": true', '"refine": false'))
    rows = block(write_table({PUBLISHED: [read_run(folder)]}, tmp_path))["rows"]
    for cost in ("parameters", "gflop_per_1000_steps"):
        assert rows["rtk"][cost] == rows["rtk-no-refinement"][cost] < compared.block["rows"]["rtk"][cost]


def test_operations_are_counted(compared: Compared) -> None:
    gflop = {variant: row["gflop_per_1000_steps"] for variant, row in compared.block["rows"].items()}
    assert gflop["ms-tcn++"] == pytest.approx(MS_TCN_STEP * 1000 / 1e9)
    assert all(value > 0 for value in gflop.values())
    assert gflop["rtk"] > gflop["rtk-no-refinement"] == gflop["rtk-no-rules"]
    assert gflop["asformer-extra"] > gflop["asformer"]


def test_operations_a_step_hardly_depend_on_the_length(
    compared: Compared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = Dataset.load
    found = []
    for times in (3, 12):

        def longer(self: Dataset, *which: Any, times: int = times) -> Any:
            sample = load(self, *which)
            return replace(sample, features=np.tile(sample.features, (times, 1)))

        monkeypatch.setattr(Dataset, "load", longer)
        rows = block(write_table(compared.runs, tmp_path))["rows"]
        found.append({variant: row["gflop_per_1000_steps"] for variant, row in rows.items()})
    short, long = found
    assert long == pytest.approx(short, rel=0.03)


def test_seconds_are_those_of_an_epoch_of_all_there_are(compared: Compared, tmp_path: Path) -> None:
    folder = compared.copied(tmp_path / "copy")
    for system in SYSTEMS:
        cost = folder / PUBLISHED / system / SPLIT1 / "cost.json"
        cost.write_text(json.dumps(json.loads(cost.read_text()) | {"seconds": 12.0}))
    runs = [read_run(folder / PUBLISHED / system) for system in SYSTEMS]
    rows = block(write_table({PUBLISHED: runs}, tmp_path))["rows"]
    seconds = {variant: row["seconds_an_epoch"] for variant, row in rows.items()}
    assert seconds.pop("bcn") == 3.0  # its barrier generator has two epochs of its own
    assert set(seconds.values()) == {6.0}


def test_rtk_is_compared_with_every_peer(compared: Compared) -> None:
    rows, minus = compared.block["rows"], compared.block["rtk_minus"]
    assert list(minus) == ["ms-tcn++", "bcn", "asformer", "asformer-extra"]
    for peer, by in minus.items():
        assert list(by) == ["f1@50", "edit", "acc"]
        for name, difference in by.items():
            assert difference == pytest.approx(rows["rtk"]["scores"][name] - rows[peer]["scores"][name])


def test_without_rtk_nothing_is_compared_with_it(compared: Compared, tmp_path: Path) -> None:
    peers = [run for run in compared.runs[PUBLISHED] if run.recipe.model != "rtk"]
    assert block(write_table({PUBLISHED: peers}, tmp_path))["rtk_minus"] == {}


def test_background_is_counted_where_there_is_one(compared: Compared, workshop: Any, tmp_path: Path) -> None:
    """By hand: the predictions of the one training against the annotations, in classes that all count."""
    counted = compared.block["background_counted"]
    assert list(counted) == list(SYSTEMS)
    for system, scores in counted.items():
        predictions = compared.folder / PUBLISHED / system / SPLIT1 / "predictions"
        found = {video: (predictions / f"{video}.txt").read_text().split() for video in workshop.test}
        truth = {
            video: (workshop.data / "groundTruth" / f"{video}.txt").read_text().split()[: len(found[video])]
            for video in workshop.test
        }
        report = evaluate_labels(truth, found, background=())
        assert (scores["edit"], scores["f1@50"], scores["acc"]) == (report.edit, report.f1[0.5], report.acc)
    assert any(counted[s]["edit"] != compared.block["rows"][s]["scores"]["edit"] for s in SYSTEMS)
    (run,) = (run for run in compared.runs[PUBLISHED] if run.recipe.model == "ms-tcn++")
    plain = run.recipe.changed(data=run.recipe.data.changed(background=()))
    table = write_table({PUBLISHED: [run.model_copy(update={"recipe": plain})]}, tmp_path)
    assert block(table)["background_counted"] == {}
    assert "background counted" not in (tmp_path / "table1.md").read_text()


# What is trained and what is not.


def test_what_is_finished_is_not_trained_again(
    compared: Compared, trained: list[Any], workshop: Any, tmp_path: Path
) -> None:
    folder = compared.copied(tmp_path / "copy")
    before = [(folder / f"table1.{kind}").read_bytes() for kind in ("json", "md", "tex")]
    assert table_of(ready(workshop, folder), folder) == compared.table
    assert trained == []
    assert [(folder / f"table1.{kind}").read_bytes() for kind in ("json", "md", "tex")] == before


def test_a_run_of_keyseg_train_is_taken_with_its_recipe(
    trained: list[Any], workshop: Any, small: Any, tmp_path: Path
) -> None:
    recipe = small("ms-tcn++", "optimiser.epochs=3")
    workshop.finish(start_run(tmp_path / PUBLISHED / "ms-tcn++", workshop.data, recipe, (1,), (0,), "keyseg train"))
    scores = json.loads((tmp_path / PUBLISHED / "ms-tcn++" / SPLIT1 / "scores.json").read_text())["ms-tcn++"]
    trained.clear()
    table = table_of(ready(workshop, tmp_path, ["ms-tcn++", "asformer"], epochs=1), tmp_path)
    assert trained == [("asformer", 1, 0)]
    assert block(table)["rows"]["ms-tcn++"]["scores"] == {name: scores[name] for name in SCORES}
    origins = {system: (origin["epochs"], origin["command"]) for system, origin in block(table)["runs"].items()}
    # What is new has the epochs that were asked for.
    assert origins == {"ms-tcn++": (3, "keyseg train"), "asformer": (1, "keyseg reproduce table1")}
    assert [origin["differs from the recipe"] for origin in block(table)["runs"].values()] == [
        ["optimiser.epochs 3 for 2"],
        ["optimiser.epochs 1 for 2"],
    ]


def test_an_interrupted_comparison_goes_on(
    trained: list[Any], workshop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = running.run_fit

    def interrupted(fit: Any, *rest: Any) -> Any:
        if len(trained) == 1:
            raise KeyboardInterrupt
        return counted(fit, *rest)

    systems = ["ms-tcn++", "asformer"]
    with monkeypatch.context() as patch:
        patch.setattr(running, "run_fit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            compare_systems(ready(workshop, tmp_path, systems), tmp_path, lambda _: ())
    assert trained == [("ms-tcn++", 1, 0)]
    assert not (tmp_path / "table1.json").exists()
    table = table_of(ready(workshop, tmp_path, systems), tmp_path)
    assert trained == [("ms-tcn++", 1, 0), ("asformer", 1, 0)]
    assert list(block(table)["rows"]) == systems


def test_splits_and_systems_are_added(compared: Compared, trained: list[Any], workshop: Any, tmp_path: Path) -> None:
    folder = compared.copied(tmp_path / "copy")
    table = table_of(ready(workshop, folder, ["ms-tcn++"], splits=(2,)), folder)
    assert trained == [("ms-tcn++", 2, 0)]
    assert table["splits"] == [1, 2]
    assert list(block(table)["rows"]) == ["ms-tcn++"]
    table = table_of(ready(workshop, folder, ["ms-tcn++", "asformer"], splits=()), folder)
    assert trained == [("ms-tcn++", 2, 0), ("asformer", 2, 0)]
    assert (table["splits"], list(block(table)["rows"])) == ([1, 2], ["ms-tcn++", "asformer"])


def test_runs_that_would_cover_different_splits_or_seeds_are_refused_before_they_are_trained(
    compared: Compared, trained: list[Any], workshop: Any, tmp_path: Path
) -> None:
    folder = compared.copied(tmp_path / "copy")
    shutil.rmtree(folder / PUBLISHED / "bcn")
    with pytest.raises(
        TrainingError, match=r"^\S+copy/as-published/bcn: lacks splits or seeds .*: --split 1,2 --seed 0 1$"
    ) as caught:
        ready(workshop, folder, ["bcn", "rtk"], splits=(2,), seeds=(1,))
    assert "rtk" not in str(caught.value)
    both = ready(workshop, folder, ["bcn", "rtk"], splits=(2, 1), seeds=(1, 0))
    assert [(sorted(run.splits), sorted(run.seeds)) for run in both[PUBLISHED]] == [([1, 2], [0, 1])] * 2
    assert trained == []


def test_a_table_of_runs_that_cover_different_splits_is_refused(compared: Compared, tmp_path: Path) -> None:
    folder = compared.copied(tmp_path / "copy")
    rtk = folder / PUBLISHED / "rtk"
    (rtk / "split1").rename(rtk / "split2")
    run = json.loads((rtk / "run.json").read_text())
    (rtk / "run.json").write_text(json.dumps(run | {"splits": [2]}))
    (fit,) = read_run(rtk).fits()
    for name in fit.dataset.names(2, "test"):
        shutil.copy(fit.dataset.annotation_path(name), fit.folder / "predictions")
    with pytest.raises(DataError, match=r"the runs cover different splits or seeds: .*; wait until all are finished"):
        write_table({PUBLISHED: [read_run(folder / PUBLISHED / system) for system in SYSTEMS]}, tmp_path)


def test_a_run_of_another_system_or_data_set_or_no_run_is_refused(
    compared: Compared, trained: list[Any], workshop: Any, tmp_path: Path
) -> None:
    folder = compared.copied(tmp_path / "copy")
    place = folder / PUBLISHED
    shutil.rmtree(place / "rtk")
    (place / "asformer").rename(place / "rtk")
    with pytest.raises(TrainingError, match="rtk: holds a run of asformer, not of rtk"):
        ready(workshop, folder, ["rtk"])
    other = workshop.write(tmp_path / "other")
    with pytest.raises(TrainingError, match=r"ms-tcn\+\+ was trained on .*set, not on .*other; choose another --out"):
        ready(workshop, folder, ["ms-tcn++"], data=other)
    (place / "asformer").mkdir()
    (place / "asformer" / "letter.txt").touch()
    with pytest.raises(OutputExistsError, match="asformer is not empty and not a run of keyseg; choose another --out"):
        ready(workshop, folder, ["asformer"])
    assert [path.name for path in (place / "asformer").iterdir()] == ["letter.txt"]
    with pytest.raises(DataError, match="nowhere: no such folder"):
        ready(workshop, tmp_path / "new", ["asformer"], data=tmp_path / "nowhere")
    assert not (tmp_path / "new").exists()
    assert trained == []


def test_a_command_leaves_to_another_what_that_one_trains(trained: list[Any], workshop: Any, tmp_path: Path) -> None:
    runs = ready(workshop, tmp_path, ["ms-tcn++", "asformer"])
    (taken,) = runs[PUBLISHED][0].fits()
    with claimed(taken.folder) as mine:
        assert mine
        assert compare_systems(runs, tmp_path, lambda _: ()) is None
    assert trained == [("asformer", 1, 0)]  # the rest is done meanwhile
    assert list(tmp_path.glob("table1.*")) == []
    assert list(block(table_of(runs, tmp_path))["rows"]) == ["ms-tcn++", "asformer"]
    assert trained == [("asformer", 1, 0), ("ms-tcn++", 1, 0)]


# Terms.


@pytest.mark.parametrize("system", SYSTEMS)
def test_as_published_a_system_has_nothing_of_ours(system: str, small: Any, workshop: Any) -> None:
    recipe, source = recipe_on(PUBLISHED, workshop.data, system)
    assert source == f"tiny-{system}.yaml"
    assert not recipe.needs_inner_folds
    assert recipe.augmentation.mixed_segments == 0
    changed = {key for key, *_ in differences(small(system), recipe) if not key.startswith("data.")}
    ours = {"augmentation.mixed_segments", "matching.join_epoch"}
    assert changed == (ours if system == "rtk" else set())


@pytest.mark.parametrize("system", SYSTEMS)
def test_on_equal_terms_every_system_mixes_and_matches_if_that_helps(system: str, small: Any, workshop: Any) -> None:
    recipe, _ = recipe_on(EQUAL, workshop.data, system)
    assert (recipe.augmentation.mixed_segments, recipe.matching.fit) == ("fit", True)
    changed = {key for key, *_ in differences(small(system), recipe) if not key.startswith("data.")}
    assert changed <= {"augmentation.mixed_segments", "matching.fit"}


@pytest.mark.parametrize(("epochs", "join"), [(120, 80), (60, 40), (1, 0), (2, 1)])
def test_matching_joins_after_two_thirds_of_the_epochs(epochs: int, join: int, workshop: Any) -> None:
    recipe, _ = recipe_on(PUBLISHED, workshop.data, "rtk", epochs=epochs)
    assert isinstance(recipe, RTKRecipe)
    assert (recipe.epochs, recipe.matching.join_epoch, recipe.refines) == (epochs, join, True)


def test_matching_joins_when_a_recipe_says_so(small: Any) -> None:
    recipe = small("rtk", "optimiser.epochs=30", "matching.join_epoch=3")
    assert joining(recipe) == recipe


def test_equal_terms_run_inner_folds_and_say_what_they_chose(workshop: Any, trained: list[Any], tmp_path: Path) -> None:
    systems, both = ["ms-tcn++", "rtk"], (PUBLISHED, EQUAL)
    table = table_of(ready(workshop, tmp_path, systems, on=both), tmp_path)
    assert sorted(trained) == sorted([(system, 1, 0) for system in systems] * 2)
    assert list(table["blocks"]) == list(both)
    for system in systems:
        chosen = json.loads((tmp_path / EQUAL / system / "split1" / "inner" / "chosen.json").read_text())
        assert len(chosen["mixing"]) == 2
        assert chosen["match"]["videos"] == 4  # two of three parts of the 6
        said = block(table, EQUAL)["runs"][system]["chosen"]
        kept = ("mixed_segments", "rules", "match")
        assert said == {"split1/seed0": {name: chosen[name] for name in kept}}
        assert not (tmp_path / PUBLISHED / system / "split1" / "inner").exists()
        assert block(table)["runs"][system]["chosen"] == {}
    text = (tmp_path / "table1.md").read_text()
    assert text.count("Chosen on inner folds for ") == 2
    refined, plain = (load(tmp_path / name / "rtk" / SPLIT1 / "bundle").decoder for name in both)
    assert isinstance(refined, KeypointDecoder)
    assert isinstance(plain, KeypointDecoder)
    assert (refined.refine, refined.match, plain.refine) == (True, None, False)
    assert table_of(ready(workshop, tmp_path, systems, on=both), tmp_path) == table  # and nothing is trained again
    assert len(trained) == 4


# Where it comes from.


def test_the_table_says_in_what_a_run_differs_from_its_recipe(
    compared: Compared, small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [origin["differs from the recipe"] for origin in compared.block["runs"].values()] == [[]] * len(SYSTEMS)
    assert "recipe tiny-bcn.yaml, 4 epochs" in " ".join(as_markdown(compared.table).split())
    ship(monkeypatch, small, "optimiser.epochs=9", "data.features=i3d")
    table = write_table(compared.runs, tmp_path)
    differs = ["data.features features for i3d", "optimiser.epochs 2 for 9"]
    for system, origin in block(table)["runs"].items():
        joins = ["matching.join_epoch 1 for 6"] if system == "rtk" else []
        assert origin["differs from the recipe"] == differs + joins
    assert (
        "recipe tiny-bcn.yaml except for data.features features for i3d; optimiser.epochs 2 for 9, 4 epochs"
        in " ".join((tmp_path / "table1.md").read_text().split())
    )


ODD = "fps: 30\nsample_rate: 2\nbackground: []\nlengths: trim\ntolerance: 3\n"


def test_all_systems_read_the_data_in_one_way(
    workshop: Any, tmp_path: Path, small: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, both = shutil.copytree(workshop.data, tmp_path / "data"), (PUBLISHED, EQUAL)
    monkeypatch.setattr(terms, "recipe_for", recipe_for)
    (data / "dataset.yaml").write_text(ODD)

    def options(folder: str, **named: Any) -> dict[str, Any]:
        runs = [
            run for runs in ready(workshop, tmp_path / folder, on=both, data=data, **named).values() for run in runs
        ]
        assert len(runs) == 2 * len(SYSTEMS)
        (first, *others) = [read_run(run.folder).recipe.data for run in runs]
        assert all(other == first for other in others)
        return first.stated()

    stated = {"fps": 30, "sample_rate": 2, "background": (), "lengths": "trim", "tolerance": 3}
    assert options("stated").items() >= stated.items()
    given = {"changes": ("data.fps=25",), "background": ("cut",)}
    assert options("given", **given).items() >= {**stated, "fps": 25, "background": ("cut",)}.items()
    assert options("given", **given)["fps"] == 25
    words = "rtk|ms-tcn.*: read the data in another way: data.background was .* and is now .*; data.fps was 25 and is"
    with pytest.raises(TrainingError, match=words):
        options("given")
    with pytest.raises(ConfigError, match=r"--set optimiser\.epochs=3: each system is trained by its own recipe"):
        options("other", changes=("optimiser.epochs=3",))
    (data / "dataset.yaml").write_text(ODD.replace("30", "29"))
    words = r"read the data in another way: data\.fps was 30 and is now 29; correct dataset\.yaml"
    with pytest.raises(TrainingError, match=words):
        options("stated")


def test_differences_are_named_by_key_with_both_values(small: Any) -> None:
    for system in SYSTEMS:
        assert differences(small(system), small(system)) == []
    changes = ("network.refinement.layers=2", "data.background=[pour]", "optimiser.clip_norm=null")
    assert differences(small("rtk"), small("rtk", *changes)) == [
        ("data.background", None, ["pour"]),
        ("network.refinement.layers", 1, 2),
        ("optimiser.clip_norm", 5.0, None),
    ]
    assert differences(small("bcn"), small("bcn", "network.barrier.dilations=[4]")) == [
        ("network.barrier.dilations", [1, 2], [4])
    ]


def test_a_row_names_command_commit_recipe_and_machine(compared: Compared) -> None:
    for system, origin in compared.block["runs"].items():
        cost = json.loads((compared.folder / PUBLISHED / system / SPLIT1 / "cost.json").read_text())
        assert origin["command"] == "keyseg reproduce table1"
        assert origin["commits"] == ["0123456789ab"]
        assert origin["recipe"] == f"tiny-{system}.yaml"
        assert origin["epochs"] == (4 if system == "bcn" else 2)
        assert origin["machine"] == [f"{cost['machine']}, 1 thread(s), 32-true"]
        assert origin["chosen"] == {}  # no inner folds


# Formats.


def planted(compared: Compared) -> dict[str, Any]:
    """The table with numbers of ours, and the same rows on equal terms."""
    table = copy.deepcopy(compared.table)
    table |= {"splits": [1, 2], "seeds": [0, 3], "data": "50salads_mid 100% #1"}
    table["blocks"][EQUAL] = copy.deepcopy(block(table)) | {"terms": SENTENCES[EQUAL]}
    for start, name in ((0, PUBLISHED), (100, EQUAL)):
        rows = block(table, name)["rows"]
        for number, row in enumerate(rows.values()):
            row["scores"] = {name: start + 10 * number + place + 0.25 for place, name in enumerate(SCORES)}
            row["best_epoch_on_the_test_fold"] = {name: start + 90 + 0.5 * place for place, name in enumerate(SCORES)}
            row |= {"parameters": 1_234_567, "seconds_an_epoch": 7.04, "gflop_per_1000_steps": 2.5}
    rows = block(table)["rows"]
    rows["bcn"]["scores"] |= {f"{name} sd": 1.5 for name in SCORES}
    rows["rtk"]["best_epoch_on_the_test_fold"] = {}
    block(table)["rtk_minus"] = {"asformer": {"f1@50": 3.21, "edit": -0.55, "acc": 0.0}}
    block(table)["background_counted"] = {"rtk": {name: 80.0 + place for place, name in enumerate(SCORES)}}
    match = {"weights": None, "plain": [1.0, 2.0, 3.0], "matched": [4.0, 5.0, 6.0], "videos": 2}
    block(table, EQUAL)["runs"]["bcn"]["chosen"] = {"split1/seed0": {"mixed_segments": 0.3, "match": match}}
    return table


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")]


def tables(text: str) -> list[list[list[str]]]:
    """Cells of the rows of each table."""
    found = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    return [[cells(line) for line in lines.splitlines()] for lines in found]


def test_markdown_has_a_part_for_each_of_the_terms(compared: Compared) -> None:
    text = as_markdown(planted(compared))
    head, published, equal, best, origin = text.split("\n## ")
    assert head.startswith(
        "# Table 1 on 50salads_mid 100% #1\n\nMean of 2 split(s) (1, 2), seed(s) 0, 3; last epoch; protocol ms-tcn"
    )
    scores, costs = ["F1@10", "F1@25", "F1@50", "Edit", "Acc"], ["parameters", "s / epoch", "GFLOP / 1,000 steps"]
    assert published.startswith(f"As published\n\n{SENTENCES[PUBLISHED]}\n")
    assert equal.startswith(f"Equal terms\n\n{SENTENCES[EQUAL]}\n")
    assert best.startswith("Best epoch, chosen on the test fold: not a result")
    for part, columns in ((published, scores + costs), (equal, scores + costs), (best, scores)):
        header, rule, *rows = tables(part)[0]
        assert header == ["", *columns]
        assert rule == ["---"] * len(header)
        assert [row[0] for row in rows] == [variant_title(variant) for _, variant in ROWS]
        assert {len(row) for row in rows} == {len(header)}
    rows = {row[0]: row[1:] for row in tables(published)[0]}
    costs = ["1.23 M", "7.0", "2.50"]
    assert rows["MS-TCN++"] == ["0.2", "1.2", "2.2", "3.2", "4.2", *costs]
    assert rows["BCN"] == ["10.2 ± 1.5", "11.2 ± 1.5", "12.2 ± 1.5", "13.2 ± 1.5", "14.2 ± 1.5", *costs]
    assert {row[0]: row[1:] for row in tables(equal)[0]}["MS-TCN++"][:2] == ["100.2", "101.2"]
    first, second = ({row[0]: row[1:] for row in table} for table in tables(best))
    assert first["BCN"] == ["90.0", "90.5", "91.0", "91.5", "92.0"]
    assert first["RTK"] == ["-"] * 5  # no epoch was scored
    assert second["BCN"] == ["190.0", "190.5", "191.0", "191.5", "192.0"]
    assert [line.split(":")[0] for line in origin.splitlines() if line] == [
        "Where this comes from",
        *(f"- As published, {variant_title(system)}" for system in compared.block["runs"]),
        *(f"- Equal terms, {variant_title(system)}" for system in compared.block["runs"]),
    ]


def test_markdown_says_what_follows_from_the_scores_and_what_inner_folds_chose(compared: Compared) -> None:
    _, published, equal, *_ = as_markdown(planted(compared)).split("\n## ")
    assert "\n- RTK minus ASFormer: F1@50 +3.2, Edit -0.6, Acc +0.0\n" in published
    assert tables(published)[1] == [["", "F1@50", "Edit"], ["---"] * 3, ["RTK", "82.0", "83.0"]]
    assert "\nThe same with background counted as a class:\n\n|" in published
    assert "Chosen on inner folds" not in published
    assert equal.count("Chosen on inner folds") == 1
    assert "\nChosen on inner folds for BCN:\n\n- split1/seed0: 0.3 of the segments mixed, not matched: " in equal


def test_latex_is_one_tabular_without_a_letter_that_it_would_trip_over(compared: Compared) -> None:
    first, published, equal, *lines = as_latex(planted(compared)).splitlines()
    assert first.startswith(
        "% Table 1 on 50salads_mid 100% #1: last epoch, splits [1, 2], seeds [0, 3], protocol ms-tcn"
    )
    assert published == f"% As published: {SENTENCES[PUBLISHED]}"
    assert equal == f"% Equal terms: {SENTENCES[EQUAL]}"
    begin, top, header, *rows, bottom, end = lines
    assert (begin, end) == (r"\begin{tabular}{lrrrrrrrr}", r"\end{tabular}")
    assert (top, bottom) == (r"\toprule", r"\bottomrule")
    blocks = [rows[: len(rows) // 2], rows[len(rows) // 2 :]]
    assert [part[:2] for part in blocks] == [
        [r"\midrule", rf"\multicolumn{{9}}{{l}}{{{title}}} \\"] for title in ("As published", "Equal terms")
    ]
    columns = re.fullmatch(r"\\begin\{tabular\}\{(\w+)\}", begin)
    assert columns
    for line in (header, *blocks[0][2:], *blocks[1][2:]):
        assert line.endswith(r" \\")
        inside = line.removesuffix(r" \\")
        assert len(inside.split(" & ")) == inside.count("&") + 1 == len(columns[1])
        assert not re.search(r"(?<!\\)[#%_~^{}]", inside)
        assert inside.replace(r"$\pm$", "").count("$") == inside.replace(r"$\pm$", "").count("\\") == 0
    for part in blocks:
        assert [row.split(" & ")[0] for row in part[2:]] == [variant_title(variant) for _, variant in ROWS]
    assert blocks[0][2] == r"MS-TCN++ & 0.2 & 1.2 & 2.2 & 3.2 & 4.2 & 1.23 M & 7.0 & 2.50 \\"
    assert r"BCN & 10.2 $\pm$ 1.5 & " in blocks[0][3]


def test_the_three_files_hold_the_same_table(compared: Compared) -> None:
    written = json.loads((compared.folder / "table1.json").read_text())
    assert written == compared.table
    assert json.loads(json.dumps(written)) == written
    assert (compared.folder / "table1.md").read_text() == as_markdown(written)
    assert (compared.folder / "table1.tex").read_text() == as_latex(written)
