"""Table 1: what is trained for it and what is not, whose scores and costs a row has, and its three formats."""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest

from keyseg.data.dataset import Dataset
from keyseg.data.folders import claimed
from keyseg.inference.bundle import load
from keyseg.inference.systems import SYSTEMS, variant_title
from keyseg.models.rtk import RTK
from keyseg.reproduction import comparison
from keyseg.reproduction.comparison import compare, prepare, write_table
from keyseg.reproduction.comparison_tables import as_latex, as_markdown
from keyseg.timeline import DataError, OutputExistsError, TrainingError
from keyseg.training import results
from keyseg.training.recipe import Recipe, load_recipe
from keyseg.training.run import Run, differences, read_run, start_run
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


@dataclass(frozen=True)
class Compared:
    """A finished comparison of all systems on split 1 and seed 0. Not to be changed."""

    folder: Path
    runs: list[Run]
    table: dict[str, Any]

    def copied(self, folder: Path) -> Path:
        """A copy to continue with."""
        return shutil.copytree(self.folder, folder)


@pytest.fixture(scope="module")
def small(workshop: Any) -> Callable[..., Recipe]:
    """A recipe of a tiny network and two epochs."""

    def recipe(system: str, *changes: str) -> Recipe:
        if system == "rtk":
            return workshop.recipe("calibration.holdout=0", "optimiser.epochs=2", *changes)
        rate = 0.03 if system == "bcn" else 0.01
        common = (f"model={system}", "optimiser.epochs=2", f"optimiser.learning_rate={rate}")
        return load_recipe(None, (*common, *SMALL[system], *changes))

    return recipe


def ship(patch: pytest.MonkeyPatch, small: Callable[..., Recipe], *changes: str) -> None:
    """Small recipes in place of the shipped ones."""

    def recipe_for(data: Path, model: str, *, epochs: int | None = None) -> tuple[Recipe, str]:
        recipe = small(model, *changes)
        return recipe if epochs is None else recipe.at_pace(epochs / recipe.optimiser.epochs), f"tiny-{model}.yaml"

    patch.setattr(comparison, "recipe_for", recipe_for)


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
    **options: Any,
) -> list[Run]:
    data = options.pop("data", workshop.data)
    return prepare(data, folder, systems, splits, seeds, "keyseg reproduce table1", **options)


def table_of(runs: Sequence[Run], folder: Path) -> dict[str, Any]:
    table = compare(runs, folder, lambda _: ())
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
    original = results.run_fit

    def counted(fit: Any, provenance: dict[str, str]) -> Any:
        done.append((fit.recipe.model, fit.split, fit.seed))
        return original(fit, provenance)

    monkeypatch.setattr(results, "run_fit", counted)
    return done


# Rows, scores, costs.


def test_rows_stand_in_the_order_of_the_supplement(compared: Compared) -> None:
    table = compared.table
    assert list(table["rows"]) == [
        "ms-tcn++",
        "bcn",
        "asformer",
        "asformer-extra",
        "frame-wise",
        "rtk-no-rules",
        "rtk-no-refinement",
        "rtk",
    ]
    assert sorted(table["runs"]) == sorted(SYSTEMS)
    assert (table["data"], table["features"], table["protocol"]) == ("set", "features", "ms-tcn")
    assert (table["splits"], table["seeds"]) == ([1], [0])


ROWS = [(system, variant) for system in SYSTEMS for variant in reversed(SYSTEMS[system].titles)]


@pytest.mark.parametrize(("system", "variant"), ROWS)
def test_scores_are_those_of_the_training(system: str, variant: str, compared: Compared) -> None:
    there = json.loads((compared.folder / system / SPLIT1 / "scores.json").read_text())[variant]
    assert compared.table["rows"][variant]["scores"] == {name: there[name] for name in SCORES}
    summary = json.loads((compared.folder / system / "results.json").read_text())
    best = compared.table["rows"][variant]["best_epoch_on_the_test_fold"]
    assert best == summary["best_epoch_on_the_test_fold"][variant]
    assert sorted(best) == sorted(SCORES)


def test_several_splits_are_averaged_and_several_seeds_give_a_deviation(workshop: Any, tmp_path: Path) -> None:
    table = table_of(ready(workshop, tmp_path, ["ms-tcn++"], splits=(), seeds=(0, 1)), tmp_path)
    assert (table["splits"], table["seeds"]) == ([1, 2], [0, 1])
    files = {(s, seed): tmp_path / f"ms-tcn++/split{s}/seed{seed}/scores.json" for s in (1, 2) for seed in (0, 1)}
    there = {key: json.loads(file.read_text())["ms-tcn++"] for key, file in files.items()}
    found = table["rows"]["ms-tcn++"]["scores"]
    for name in SCORES:
        by_seed = [fmean(there[split, seed][name] for split in (1, 2)) for seed in (0, 1)]
        assert found[name] == pytest.approx(fmean(by_seed))
        assert found[f"{name} sd"] == pytest.approx(stdev(by_seed))
    assert found["acc sd"] > 0
    assert f"| {found['acc']:.1f} ± {found['acc sd']:.1f} |" in as_markdown(table)
    assert f"& {found['acc']:.1f} $\\pm$ {found['acc sd']:.1f} &" in as_latex(table)


def test_parameters_are_those_of_what_a_row_uses(compared: Compared) -> None:
    rows = compared.table["rows"]
    networks = {system: load(compared.folder / system / SPLIT1 / "bundle").model for system in SYSTEMS}
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
    folder = compared.copied(tmp_path / "copy") / "rtk"
    config = folder / SPLIT1 / "bundle" / "config.json"
    config.write_text(config.read_text().replace('"refine": true', '"refine": false'))
    rows = write_table([read_run(folder)], tmp_path)["rows"]
    for cost in ("parameters", "gflop_per_1000_steps"):
        assert rows["rtk"][cost] == rows["rtk-no-refinement"][cost] < compared.table["rows"]["rtk"][cost]


def test_operations_are_counted(compared: Compared) -> None:
    gflop = {variant: row["gflop_per_1000_steps"] for variant, row in compared.table["rows"].items()}
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
        rows = write_table(compared.runs, tmp_path)["rows"]
        found.append({variant: row["gflop_per_1000_steps"] for variant, row in rows.items()})
    short, long = found
    assert long == pytest.approx(short, rel=0.03)


def test_seconds_are_those_of_an_epoch_of_all_there_are(compared: Compared, tmp_path: Path) -> None:
    folder = compared.copied(tmp_path / "copy")
    for system in SYSTEMS:
        cost = folder / system / SPLIT1 / "cost.json"
        cost.write_text(json.dumps(json.loads(cost.read_text()) | {"seconds": 12.0}))
    rows = write_table([read_run(folder / system) for system in SYSTEMS], tmp_path)["rows"]
    seconds = {variant: row["seconds_an_epoch"] for variant, row in rows.items()}
    assert seconds.pop("bcn") == 3.0  # its barrier generator has two epochs of its own
    assert set(seconds.values()) == {6.0}


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
    workshop.finish(start_run(tmp_path / "ms-tcn++", workshop.data, recipe, (1,), (0,), "keyseg train"))
    scores = json.loads((tmp_path / "ms-tcn++" / SPLIT1 / "scores.json").read_text())["ms-tcn++"]
    trained.clear()
    table = table_of(ready(workshop, tmp_path, ["ms-tcn++", "asformer"], epochs=1), tmp_path)
    assert trained == [("asformer", 1, 0)]
    assert table["rows"]["ms-tcn++"]["scores"] == {name: scores[name] for name in SCORES}
    origins = {system: (origin["epochs"], origin["command"]) for system, origin in table["runs"].items()}
    # What is new has the epochs that were asked for.
    assert origins == {"ms-tcn++": (3, "keyseg train"), "asformer": (1, "keyseg reproduce table1")}
    assert [origin["differs from the recipe"] for origin in table["runs"].values()] == [
        ["optimiser.epochs 3 for 2"],
        ["optimiser.epochs 1 for 2"],
    ]


def test_an_interrupted_comparison_goes_on(
    trained: list[Any], workshop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = results.run_fit

    def interrupted(fit: Any, provenance: dict[str, str]) -> Any:
        if len(trained) == 1:
            raise KeyboardInterrupt
        return counted(fit, provenance)

    systems = ["ms-tcn++", "asformer"]
    with monkeypatch.context() as patch:
        patch.setattr(results, "run_fit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            compare(ready(workshop, tmp_path, systems), tmp_path, lambda _: ())
    assert trained == [("ms-tcn++", 1, 0)]
    assert not (tmp_path / "table1.json").exists()
    table = table_of(ready(workshop, tmp_path, systems), tmp_path)
    assert trained == [("ms-tcn++", 1, 0), ("asformer", 1, 0)]
    assert list(table["rows"]) == systems


def test_splits_and_systems_are_added(compared: Compared, trained: list[Any], workshop: Any, tmp_path: Path) -> None:
    folder = compared.copied(tmp_path / "copy")
    table = table_of(ready(workshop, folder, ["ms-tcn++"], splits=(2,)), folder)
    assert trained == [("ms-tcn++", 2, 0)]
    assert table["splits"] == [1, 2]
    assert list(table["rows"]) == ["ms-tcn++"]
    table = table_of(ready(workshop, folder, ["ms-tcn++", "asformer"], splits=()), folder)
    assert trained == [("ms-tcn++", 2, 0), ("asformer", 2, 0)]
    assert (table["splits"], list(table["rows"])) == ([1, 2], ["ms-tcn++", "asformer"])


def test_runs_that_would_cover_different_splits_or_seeds_are_refused_before_they_are_trained(
    compared: Compared, trained: list[Any], workshop: Any, tmp_path: Path
) -> None:
    folder = compared.copied(tmp_path / "copy")
    shutil.rmtree(folder / "bcn")
    with pytest.raises(
        TrainingError, match=r"^\S+copy/bcn: lacks splits or seeds .*: --split 1,2 --seed 0 1$"
    ) as caught:
        ready(workshop, folder, ["bcn", "rtk"], splits=(2,), seeds=(1,))
    assert "rtk" not in str(caught.value)
    both = ready(workshop, folder, ["bcn", "rtk"], splits=(2, 1), seeds=(1, 0))
    assert [(sorted(run.splits), sorted(run.seeds)) for run in both] == [([1, 2], [0, 1])] * 2
    assert trained == []


def test_a_table_of_runs_that_cover_different_splits_is_refused(compared: Compared, tmp_path: Path) -> None:
    folder = compared.copied(tmp_path / "copy")
    (folder / "rtk" / "split1").rename(folder / "rtk" / "split2")
    run = json.loads((folder / "rtk" / "run.json").read_text())
    (folder / "rtk" / "run.json").write_text(json.dumps(run | {"splits": [2]}))
    with pytest.raises(DataError, match=r"the runs cover different splits or seeds: .*; wait until all are finished"):
        write_table([read_run(folder / system) for system in SYSTEMS], tmp_path)


def test_a_run_of_another_system_or_data_set_or_no_run_is_refused(
    compared: Compared, trained: list[Any], workshop: Any, tmp_path: Path
) -> None:
    folder = compared.copied(tmp_path / "copy")
    shutil.rmtree(folder / "rtk")
    (folder / "asformer").rename(folder / "rtk")
    with pytest.raises(TrainingError, match="rtk: holds a run of asformer, not of rtk"):
        ready(workshop, folder, ["rtk"])
    other = workshop.write(tmp_path / "other")
    with pytest.raises(TrainingError, match=r"ms-tcn\+\+ was trained on .*set, not on .*other; choose another --out"):
        ready(workshop, folder, ["ms-tcn++"], data=other)
    (folder / "asformer").mkdir()
    (folder / "asformer" / "letter.txt").touch()
    with pytest.raises(OutputExistsError, match="asformer is not empty and not a run of keyseg; choose another --out"):
        ready(workshop, folder, ["asformer"])
    assert [path.name for path in (folder / "asformer").iterdir()] == ["letter.txt"]
    with pytest.raises(DataError, match="nowhere: no such folder"):
        ready(workshop, tmp_path / "new", ["asformer"], data=tmp_path / "nowhere")
    assert not (tmp_path / "new").exists()
    assert trained == []


def test_a_command_leaves_to_another_what_that_one_trains(trained: list[Any], workshop: Any, tmp_path: Path) -> None:
    runs = ready(workshop, tmp_path, ["ms-tcn++", "asformer"])
    (taken,) = runs[0].fits()
    with claimed(taken.folder) as mine:
        assert mine
        assert compare(runs, tmp_path, lambda _: ()) is None
    assert trained == [("asformer", 1, 0)]  # the rest is done meanwhile
    assert list(tmp_path.glob("table1.*")) == []
    assert list(table_of(runs, tmp_path)["rows"]) == ["ms-tcn++", "asformer"]
    assert trained == [("asformer", 1, 0), ("ms-tcn++", 1, 0)]


# Where it comes from.


def test_the_table_says_in_what_a_run_differs_from_its_recipe(
    compared: Compared, small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [origin["differs from the recipe"] for origin in compared.table["runs"].values()] == [[]] * len(SYSTEMS)
    assert "recipe tiny-bcn.yaml, 4 epochs" in " ".join(as_markdown(compared.table).split())
    ship(monkeypatch, small, "optimiser.epochs=9", "data.features=i3d")
    table = write_table(compared.runs, tmp_path)
    differs = ["data.features None for i3d", "optimiser.epochs 2 for 9"]
    assert [origin["differs from the recipe"] for origin in table["runs"].values()] == [differs] * len(SYSTEMS)
    assert "recipe tiny-bcn.yaml except for data.features None for i3d; optimiser.epochs 2 for 9, 4 epochs" in " ".join(
        (tmp_path / "table1.md").read_text().split()
    )


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
    for system, origin in compared.table["runs"].items():
        cost = json.loads((compared.folder / system / SPLIT1 / "cost.json").read_text())
        assert origin["command"] == "keyseg reproduce table1"
        assert origin["commits"] == ["0123456789ab"]
        assert origin["recipe"] == f"tiny-{system}.yaml"
        assert origin["epochs"] == (4 if system == "bcn" else 2)
        assert origin["machine"] == [f"{cost['machine']}, 1 thread(s)"]
        assert origin["thresholds"] == ("the recipe's" if system == "rtk" else "none to choose")


# Formats.


def planted(compared: Compared) -> dict[str, Any]:
    """The table with numbers of ours."""
    table = copy.deepcopy(compared.table)
    table |= {"splits": [1, 2], "seeds": [0, 3], "data": "50salads_mid 100% #1"}
    for number, row in enumerate(table["rows"].values()):
        row["scores"] = {name: 10 * number + place + 0.25 for place, name in enumerate(SCORES)}
        row["best_epoch_on_the_test_fold"] = {name: 90 + 0.5 * place for place, name in enumerate(SCORES)}
        row |= {"parameters": 1_234_567, "seconds_an_epoch": 7.04, "gflop_per_1000_steps": 2.5}
    table["rows"]["bcn"]["scores"] |= {f"{name} sd": 1.5 for name in SCORES}
    table["rows"]["rtk"]["best_epoch_on_the_test_fold"] = {}
    return table


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")]


def test_markdown_has_a_column_a_score_and_the_costs(compared: Compared) -> None:
    text = as_markdown(planted(compared))
    last, best, origin = text.split("\n## ")[1:]
    assert text.startswith(
        "# Table 1 on 50salads_mid 100% #1\n\nMean of 2 split(s) (1, 2), seed(s) 0, 3; protocol ms-tcn"
    )
    assert last.startswith("Last epoch: the result\n")
    assert best.startswith("Best epoch, chosen on the test fold: not a result")
    scores = ["F1@10", "F1@25", "F1@50", "Edit", "Acc"]
    for part, columns in ((last, [*scores, "parameters", "s / epoch", "GFLOP / 1,000 steps"]), (best, scores)):
        header, rule, *rows = (cells(line) for line in part.splitlines() if line.startswith("|"))
        assert header == ["", *columns]
        assert rule == ["---"] * len(header)
        assert [row[0] for row in rows] == [variant_title(variant) for _, variant in ROWS]
        assert {len(row) for row in rows} == {len(header)}
    rows = {cells(line)[0]: cells(line)[1:] for line in last.splitlines() if line.startswith("|")}
    costs = ["1.23 M", "7.0", "2.50"]
    assert rows["MS-TCN++"] == ["0.2", "1.2", "2.2", "3.2", "4.2", *costs]
    assert rows["BCN"] == ["10.2 ± 1.5", "11.2 ± 1.5", "12.2 ± 1.5", "13.2 ± 1.5", "14.2 ± 1.5", *costs]
    rows = {cells(line)[0]: cells(line)[1:] for line in best.splitlines() if line.startswith("|")}
    assert rows["BCN"] == ["90.0", "90.5", "91.0", "91.5", "92.0"]
    assert rows["RTK"] == ["-"] * 5  # no epoch was scored
    assert [line.split(":")[0] for line in origin.splitlines() if line] == [
        "Where this comes from",
        *(f"- {variant_title(system)}" for system in compared.table["runs"]),
    ]


def test_latex_is_one_tabular_without_a_letter_that_it_would_trip_over(compared: Compared) -> None:
    first, *lines = as_latex(planted(compared)).splitlines()
    assert first.startswith(
        "% Table 1 on 50salads_mid 100% #1: last epoch, splits [1, 2], seeds [0, 3], protocol ms-tcn"
    )
    begin, top, header, middle, *rows, bottom, end = lines
    assert (begin, end) == (r"\begin{tabular}{lrrrrrrrr}", r"\end{tabular}")
    assert (top, middle, bottom) == (r"\toprule", r"\midrule", r"\bottomrule")
    columns = re.fullmatch(r"\\begin\{tabular\}\{(\w+)\}", begin)
    assert columns
    for line in (header, *rows):
        assert line.endswith(r" \\")
        inside = line.removesuffix(r" \\")
        assert len(inside.split(" & ")) == inside.count("&") + 1 == len(columns[1])
        assert not re.search(r"(?<!\\)[#%_~^{}]", inside)
        assert inside.replace(r"$\pm$", "").count("$") == inside.replace(r"$\pm$", "").count("\\") == 0
    assert [row.split(" & ")[0] for row in rows] == [variant_title(variant) for _, variant in ROWS]
    assert rows[0] == r"MS-TCN++ & 0.2 & 1.2 & 2.2 & 3.2 & 4.2 & 1.23 M & 7.0 & 2.50 \\"
    assert r"BCN & 10.2 $\pm$ 1.5 & " in rows[1]


def test_the_three_files_hold_the_same_table(compared: Compared) -> None:
    written = json.loads((compared.folder / "table1.json").read_text())
    assert written == compared.table
    assert json.loads(json.dumps(written)) == written
    assert (compared.folder / "table1.md").read_text() == as_markdown(written)
    assert (compared.folder / "table1.tex").read_text() == as_latex(written)
