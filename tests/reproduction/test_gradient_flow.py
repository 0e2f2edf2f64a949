"""Figure 3: two trainings that differ in one option, and what they lose by epoch."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from keyseg.data.folders import claimed
from keyseg.reproduction import gradient_flow
from keyseg.reproduction.gradient_flow import gradient_runs, permutation_losses
from keyseg.timeline import ConfigError, TrainingError
from keyseg.training import running
from keyseg.training.recipe import Recipe, load_recipe
from keyseg.training.results import read_history
from keyseg.training.run import Run, differences, read_run, start_run

SPLIT1 = Path("split1") / "seed0"
SHIPPED = ("matching.join_epoch=null", "matching.fit=true", "augmentation.mixed_segments=fit")


@pytest.fixture(autouse=True, scope="module")
def shipped(workshop: Any) -> Iterator[None]:
    """A small recipe in place of the shipped one: three epochs, and as little said of matching and mixing."""

    def recipe_for(data: Path, model: str, *, epochs: int | None = None) -> tuple[Recipe, str]:
        assert model == "rtk"
        recipe = workshop.recipe("optimiser.epochs=3", *SHIPPED)
        return recipe if epochs is None else recipe.at_pace(epochs / recipe.optimiser.epochs), "tiny.yaml"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gradient_flow, "recipe_for", recipe_for)
        yield


def ready(
    workshop: Any, folder: Path, splits: Sequence[int] = (1,), seeds: Sequence[int] = (0,), **options: Any
) -> Mapping[str, Run]:
    data = options.pop("data", workshop.data)
    return gradient_runs(data, folder, splits, seeds, "keyseg reproduce fig3", **options)


@pytest.fixture(scope="module")
def flow(shipped: None, workshop: Any, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Run]:
    """Two finished runs. Not to be changed."""
    runs = ready(workshop, tmp_path_factory.mktemp("flow") / "fig3")
    permutation_losses(runs, lambda _: ())
    return runs


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run folders of the trainings that are done from here on."""
    done: list[str] = []
    original = running.run_fit

    def counted(fit: Any, *rest: Any) -> Any:
        done.append(fit.folder.parents[1].name)
        return original(fit, *rest)

    monkeypatch.setattr(running, "run_fit", counted)
    return done


def losses_of(runs: Mapping[str, Run]) -> dict[str, tuple[list[float], list[float]]]:
    return permutation_losses(runs, lambda _: ())


def test_the_two_runs_differ_in_one_option(flow: Mapping[str, Run], workshop: Any) -> None:
    assert list(flow) == ["gradient stopped", "gradient flows"]
    stopped, flowing = flow.values()
    assert (stopped.folder.name, flowing.folder.name) == ("stopped", "flowing")
    assert differences(stopped.recipe, flowing.recipe) == [("matching.stop_gradient", True, False)]
    shipped = workshop.recipe("optimiser.epochs=3", *SHIPPED).changed(data=stopped.recipe.data)
    assert differences(shipped, stopped.recipe) == [
        ("augmentation.mixed_segments", "fit", 0.3),
        ("matching.join_epoch", None, 2),
        ("matching.fit", True, False),
    ]
    assert [run.command for run in flow.values()] == ["keyseg reproduce fig3"] * 2
    assert not any((run.folder / "split1" / "inner").exists() for run in flow.values())


def test_losses_start_where_matching_joins(flow: Mapping[str, Run], trained: list[str]) -> None:
    curves = losses_of(flow)
    assert trained == []
    assert list(curves) == ["gradient stopped", "gradient flows"]
    for name, (epochs, values) in curves.items():
        assert epochs == [2.0]
        history = read_history(flow[name].folder / SPLIT1)
        assert values == [history[2]["loss/permutation"]]
        assert all(math.isfinite(value) and value > 0 for value in values)


def test_the_gradient_changes_the_keypoint_generator_from_where_matching_joins(flow: Mapping[str, Run]) -> None:
    stopped, flowing = (read_history(run.folder / SPLIT1) for run in flow.values())
    generator = ("loss/action", "loss/boundary", "loss/frame")
    assert [stopped[0][name] for name in generator] == [flowing[0][name] for name in generator]
    assert all(stopped[2][name] != flowing[2][name] for name in generator)


def test_losses_of_several_trainings_are_averaged(flow: Mapping[str, Run], tmp_path: Path) -> None:
    (_, single), _ = losses_of(flow).values()
    run = next(iter(flow.values()))
    folder = shutil.copytree(run.folder, tmp_path / "stopped")
    shutil.copytree(folder / "split1" / "seed0", folder / "split1" / "seed1")
    (log,) = (folder / "split1" / "seed1").glob("logs/*/metrics.csv")
    log.write_text("epoch,loss/permutation\n2,7\n")
    both = run.model_copy(update={"folder": folder, "splits": (1,), "seeds": (0, 1)})
    assert losses_of({"both": both}) == {"both": ([2], [(single[0] + 7) / 2])}


def test_epochs_move_the_joining_epoch(workshop: Any, tmp_path: Path) -> None:
    runs = ready(workshop, tmp_path / "fig3", splits=(2, 1), seeds=(4,), epochs=30)
    for run in runs.values():
        assert run == read_run(run.folder)
        assert (run.splits, run.seeds) == ((2, 1), (4,))
        assert (run.recipe.epochs, run.recipe.matching.join_epoch) == (30, 20)


@pytest.fixture(params=["stopped", "flowing"])
def taken(request: pytest.FixtureRequest, flow: Mapping[str, Run], tmp_path: Path) -> Path:
    """A finished run at its place, with thresholds and a learning rate of its own."""
    (finished,) = (run.folder for run in flow.values() if run.folder.name == request.param)
    folder = shutil.copytree(finished, tmp_path / "fig3" / request.param)
    run = json.loads((folder / "run.json").read_text())
    run["recipe"]["rules"]["peak_weight"] = 3.0
    run["recipe"]["optimiser"]["learning_rate"] = 0.002
    (folder / "run.json").write_text(json.dumps(run))
    return folder


def test_a_run_that_stands_there_is_taken_and_the_other_one_trained_as_it_was(
    taken: Path, trained: list[str], workshop: Any
) -> None:
    before = read_run(taken)
    weights = (taken / SPLIT1 / "bundle" / "weights.safetensors").read_bytes()
    runs = ready(workshop, taken.parent, epochs=50)
    there, new = sorted(runs.values(), key=lambda run: run.folder != taken)
    assert there == before
    assert differences(there.recipe, new.recipe) == [
        ("matching.stop_gradient", taken.name == "stopped", taken.name == "flowing"),
    ]
    if taken.name == "stopped":
        curves = losses_of(runs)
        assert trained == [new.folder.name]
        assert [epochs for epochs, _ in curves.values()] == [[2], [2]]
        assert (taken / SPLIT1 / "bundle" / "weights.safetensors").read_bytes() == weights
        assert losses_of(ready(workshop, taken.parent)) == curves
        assert trained == [new.folder.name]


def test_a_run_with_the_other_gradient_or_of_another_system_is_refused(workshop: Any, tmp_path: Path) -> None:
    workshop.start(tmp_path / "a" / "flowing")
    with pytest.raises(TrainingError, match=r"a/flowing: expected a run of rtk with matching.stop_gradient False"):
        ready(workshop, tmp_path / "a")
    workshop.start(tmp_path / "b" / "stopped", "matching.stop_gradient=false")
    with pytest.raises(TrainingError, match=r"b/stopped: expected a run of rtk with matching.stop_gradient True"):
        ready(workshop, tmp_path / "b")
    peer = load_recipe(None, ("model=ms-tcn++",))
    start_run(tmp_path / "c" / "flowing", workshop.data, peer, (1,), (0,), "keyseg train")
    with pytest.raises(TrainingError, match=r"c/flowing: expected a run of rtk with matching.stop_gradient False"):
        ready(workshop, tmp_path / "c")
    made = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*/*"))
    assert made == ["a/flowing", "b/stopped", "c/flowing"]  # and nothing beside


def test_runs_that_differ_in_more_are_refused(workshop: Any, tmp_path: Path) -> None:
    workshop.start(tmp_path / "stopped", "optimiser.epochs=5", "rules.peak_weight=3")
    workshop.start(tmp_path / "flowing", "matching.stop_gradient=false", "matching.temperature=0.2")
    with pytest.raises(
        TrainingError,
        match=r"stopped and flowing must differ in the gradient alone, but optimiser\.epochs is 5 and 4;"
        r" matching\.temperature is 0\.1 and 0\.2; move one away",
    ):
        ready(workshop, tmp_path)


def test_runs_of_other_splits_or_another_data_set_are_refused(workshop: Any, tmp_path: Path) -> None:
    workshop.start(tmp_path / "a" / "stopped", splits=(1,))
    with pytest.raises(TrainingError, match=r"flowing: lacks splits or seeds of the runs .*: --split 1,2 --seed 0$"):
        ready(workshop, tmp_path / "a", splits=(2,))
    workshop.start(tmp_path / "b" / "stopped", data=workshop.write(tmp_path / "other"))
    with pytest.raises(TrainingError, match=r"stopped was trained on \S+other, not on \S+set"):
        ready(workshop, tmp_path / "b")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("matching.join_epoch=4", "stopped: matching never joins the training: matching.join_epoch is 4, of 4 epochs"),
        ("matching.join_epoch=null", "stopped: matching never joins the training: matching.join_epoch is None, of 4"),
        ("losses.permutation=0", "stopped: losses.permutation is 0, so there is no permutation loss to show"),
    ],
)
def test_a_matching_that_never_joins_or_counts_is_refused(
    change: str, words: str, workshop: Any, tmp_path: Path
) -> None:
    workshop.start(tmp_path / "stopped", change)
    with pytest.raises(ConfigError, match=words):
        ready(workshop, tmp_path)
    assert not (tmp_path / "flowing").exists()


def test_losses_wait_for_what_another_command_trains(
    flow: Mapping[str, Run], trained: list[str], workshop: Any, tmp_path: Path
) -> None:
    stopped, _ = flow.values()
    shutil.copytree(stopped.folder, tmp_path / "stopped")
    runs = ready(workshop, tmp_path)
    with claimed(runs["gradient flows"].folder / SPLIT1) as mine:
        assert mine
        with pytest.raises(
            TrainingError, match=r"flowing.*: another command is still training this; run the same command"
        ):
            losses_of(runs)
    assert trained == []
