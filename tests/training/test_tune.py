"""Tuning: the space, the trials with a stub in place of the training, and the measure on real inner folds."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

optuna = pytest.importorskip("optuna")

import yaml  # noqa: E402

from keyseg.cli.main import run as keyseg  # noqa: E402
from keyseg.data import dataset as datasets  # noqa: E402
from keyseg.metrics import evaluate_labels  # noqa: E402
from keyseg.timeline import ConfigError, DataError, OutputExistsError, TrainingError  # noqa: E402
from keyseg.training import trials as tuned_trials  # noqa: E402
from keyseg.training.fit import Fit, train_network  # noqa: E402
from keyseg.training.recipe import _SHIPPED, load_recipe, shipped_recipe  # noqa: E402
from keyseg.training.search_space import changed_recipe, own_values, read_space, space_around  # noqa: E402
from keyseg.training.settings import Range  # noqa: E402
from keyseg.training.systems import TRAINABLE  # noqa: E402
from keyseg.training.trials import Tuned  # noqa: E402
from keyseg.training.tune import tune  # noqa: E402
from keyseg.training.tuning import Judge, Measured, measure, read_tuning, start_tuning  # noqa: E402

RATE = "optimiser.learning_rate"


@pytest.mark.parametrize("system", TRAINABLE)
def test_each_system_has_a_space_around_its_recipes(system: str) -> None:
    shipped = [file.name for file in _SHIPPED.iterdir() if file.name.endswith(f"-{system}.yaml")]
    for recipe in (load_recipe(None, (f"model={system}",)), *map(shipped_recipe, shipped)):
        space = space_around(recipe, recipe.space)
        assert len(space) >= 4
        for key, own in own_values(recipe, tuple(space)).items():
            tried = space[key]
            assert tried.low <= own <= tried.high if isinstance(tried, Range) else own in tried, key


def test_a_space_is_widened_to_the_values_of_the_recipe() -> None:
    recipe = load_recipe(None, ("optimiser.learning_rate=0.1", "optimiser.weight_decay=0.5"))
    space = space_around(recipe, {RATE: Range(low=1e-4, high=1e-2), "optimiser.weight_decay": (0.0, 1e-4)})
    assert space == {RATE: Range(low=1e-4, high=0.1), "optimiser.weight_decay": (0.5, 0.0, 1e-4)}
    assert changed_recipe(recipe, {RATE: 0.2}).optimiser.learning_rate == 0.2
    assert own_values(recipe, (RATE,)) == {RATE: 0.1}


def test_a_space_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text("losses.frame: {low: 0.1, high: 2, log: true}\nnetwork.backbone.channels: [32, 64]\n")
    expected = {"losses.frame": Range(low=0.1, high=2, log=True), "network.backbone.channels": (32, 64)}
    assert read_space(file) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    {
        "losses.frame: {low: 0.1}": "'losses.frame': Field required.*write a list of values, or a range",
        "losses.frame: 3": "'losses.frame': ",
        "[1, 2]": "'the file': ",
        "a: [": "space.yaml:1: not YAML",
        "": "'the file': ",
        "{}": "names no key to try",
        "losses.fame: [1, 2]": r"unknown key 'losses.fame' \(did you mean 'frame'\?\)",
        "losses: [1]": "'losses': ",
        "losses.fame: []": "'losses.fame': an empty list; write the values to try",
        "model.x: [1]": "'model' is a value, not a section",
        "network.backbone.channels: [33]": "'network.backbone.channels': ",
        "optimiser.learning_rate: {low: -1, high: 1}": "'optimiser.learning_rate': ",
        "augmentation.mixed_segments: {low: 0, high: 0.5}": "is 'fit' in the recipe, which no range holds",
        "losses.frame: {low: 0, high: 2, log: true}": "cannot try numbers from 0 to 2, log True",
        "losses.frame: {low: 1, high: 1}": "cannot try numbers from 1 to 1",
        "losses.frame: {low: 0.1, high: .inf}": "'losses.frame': inf is not a finite number",
        "losses.frame: [.inf, 0.1]": "'losses.frame': inf is not a finite number",
        "data.sample_rate: [1, 2]": "'data.sample_rate' says what trials are measured on",
        "matching.folds: [2, 3]": "'matching.folds' says what trials are measured on",
    }.items(),
)
def test_a_wrong_space_is_refused_with_its_file_and_key(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        space_around(load_recipe(), read_space(file), str(file))
    assert str(file) in str(caught.value)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, dict[str, Any]]]:
    """A measure that trains nothing: the nearer the learning rate is to 0.002 the better. Returns what it was asked."""
    asked: list[tuple[int, dict[str, Any]]] = []

    def measured(tuning: Any, trial_id: int, index: int, values: dict[str, Any], callbacks: Any) -> Measured:
        asked.append((index, values))
        score = 90 - 1000 * abs(values[RATE] - 0.002)
        return Measured("finished", {"f1@50": score - 1, "edit": score, "acc": score + 1}, 3, 1.5)

    monkeypatch.setattr(tuned_trials, "measure", measured)
    monkeypatch.setattr("keyseg.training.tuning.source_commit", lambda: "0123456789ab")
    return asked


@pytest.fixture
def stubbed(stub: Any, workshop: Any, tmp_path: Path) -> Callable[..., Tuned]:
    def call(name: str = "tuning", **options: Any) -> Tuned:
        given = {"trials": 8, "set": workshop.changes, **options}
        return tune(workshop.data, out=tmp_path / name, **given)

    return call


def test_the_best_is_written_beside_the_recipe_as_it_was(
    stubbed: Any, stub: list[Any], workshop: Any, tmp_path: Path
) -> None:
    lines: list[str] = []
    tuned = stubbed(report=lines.append)
    assert stub[0] == (0, own_values(workshop.recipe(), tuple(tuned.tuning.space)))
    assert [index for index, _ in stub] == list(range(8))
    assert tuned.default.values[RATE] == 0.01
    assert tuned.best.score == max(trial.score for trial in tuned.trials) >= tuned.default.score == pytest.approx(82)
    assert lines[0] == f"recipe: defaults of rtk; 8 trials on 2 inner folds of split 1 -> {tmp_path / 'tuning'}"
    assert lines[-1] == f"8 of 8 trials; best {tuned.best.score:.1f}, of trial {tuned.best.number}"

    recipe = load_recipe(tuned.recipe)
    wanted = changed_recipe(workshop.recipe(), tuned.best.values)
    assert recipe == wanted.changed(data=recipe.data)  # which states how the data were read
    with (tmp_path / "tuning" / "trials.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["trial"] for row in rows] == [str(number) for number in range(8)]
    assert [float(row[RATE]) for row in rows] == [trial.values[RATE] for trial in tuned.trials]
    assert (rows[0]["score"], rows[0]["f1@50"], rows[0]["state"]) == ("82.00", "81.00", "finished")
    text = (tmp_path / "tuning" / "results.md").read_text()
    for words in (
        "No features and no labels of the test videos of split 1 were opened.",
        "Videos that split 2 tests on are among those that were used",
        "| trial 0, the recipe as it was | 82.0 | 81.0 | 82.0 | 83.0 |",
        f"| trial {tuned.best.number}, the best | {tuned.best.score:.1f} |",
        "- command: `keyseg.tune`",
        "- commit 0123456789ab",
        "seed 0",
        "8 trials: 8 finished, 0 stopped early, 0 failed; 12 s",
    ):
        assert words in text


def test_a_range_of_whole_numbers_has_no_fractions(stubbed: Any, stub: list[Any], tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(f"proposals.radius: {{low: 1, high: 10}}\n{RATE}: {{low: 0.001, high: 0.1, log: true}}\n")
    stubbed(space=file)
    tried = [values["proposals.radius"] for _, values in stub]
    assert all(isinstance(value, int) for value in tried)
    assert len(set(tried)) > 2
    assert len({values[RATE] for _, values in stub}) == 8


def test_a_recipe_that_nothing_beats_is_the_result(stubbed: Any, workshop: Any) -> None:
    tuned = stubbed(trials=4, set=(*workshop.changes, f"{RATE}=0.002"))
    assert tuned.best is tuned.default
    assert load_recipe(tuned.recipe) == tuned.tuning.recipe


def test_same_seed_same_trials_also_after_an_interruption(
    stubbed: Any, stub: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = [trial.values for trial in stubbed("whole", seed=3).trials]
    assert [trial.values for trial in stubbed("again", seed=3).trials] == whole
    assert [trial.values for trial in stubbed("other", seed=4).trials][1:] != whole[1:]

    measured, calls = tuned_trials.measure, 0

    def interrupted(*arguments: Any) -> Measured:
        nonlocal calls
        calls += 1
        if calls in (1, 4, 5, 8):  # the first trial too, and one twice
            raise KeyboardInterrupt
        return measured(*arguments)

    monkeypatch.setattr(tuned_trials, "measure", interrupted)
    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            stubbed("parts", seed=3)
    tuned = stubbed("parts", seed=3)
    assert [trial.values for trial in tuned.trials] == whole
    assert [trial.number for trial in tuned.trials] == list(range(8))


def test_what_an_ended_trial_left_behind_is_removed(stubbed: Any, tmp_path: Path) -> None:
    stubbed(trials=2)
    (tmp_path / "tuning" / "trial1" / "fold0").mkdir(parents=True)
    stubbed(trials=2)
    assert not (tmp_path / "tuning" / "trial1").exists()


def test_trials_can_be_added_and_are_not_repeated(stubbed: Any, stub: list[Any]) -> None:
    whole = [trial.values for trial in stubbed("whole").trials]
    stub.clear()
    assert len(stubbed(trials=3).trials) == 3
    assert [trial.values for trial in stubbed(trials=8).trials] == whole
    assert len(stub) == 8
    assert len(stubbed(trials=2).trials) == 8
    assert len(stub) == 8


def test_no_trial_but_the_first_starts_without_time(stubbed: Any) -> None:
    assert [trial.number for trial in stubbed(minutes=0).trials] == [0]
    assert len(stubbed(minutes=60, trials=2).trials) == 2


def test_a_trial_that_fails_or_is_stopped_is_no_result(
    stubbed: Any, workshop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = tuned_trials.measure

    def failing(tuning: Any, trial_id: int, index: int, values: Any, callbacks: Any) -> Measured:
        if index == 1:
            return Measured("failed", {}, 0, 1.0, "the loss is not finite")
        if index == 2:
            return Measured("stopped", {"f1@50": 99.0, "edit": 99.0, "acc": 99.0}, 1, 1.0)
        return measured(tuning, trial_id, index, values, callbacks)

    monkeypatch.setattr(tuned_trials, "measure", failing)
    tuned = stubbed(trials=4)
    assert [trial.measured.state for trial in tuned.trials] == ["finished", "failed", "stopped", "finished"]
    assert tuned.best.number in (0, 3)
    rows = (tuned.tuning.folder / "trials.csv").read_text().splitlines()
    assert rows[2].startswith("1,failed,,,,,0,1.0,")
    assert rows[2].endswith(",the loss is not finite")


def test_a_recipe_that_cannot_be_trained_ends_the_tuning(stubbed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuned_trials, "measure", lambda *_: Measured("failed", {}, 0, 1.0, "no memory"))
    with pytest.raises(TrainingError, match="the recipe cannot be trained as it is: no memory"):
        stubbed()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 1}, "seed was 0 and is now 1"),
        ({"split": 2}, "split was 1 and is now 2"),
        ({"epochs": 9}, "optimiser.epochs was 4 and is now 9"),
        ({"set": ("model=asformer",)}, "model was rtk and is now asformer"),
    ],
)
def test_another_tuning_in_the_folder_is_refused(stubbed: Any, options: dict[str, Any], message: str) -> None:
    stubbed(trials=1)
    with pytest.raises(TrainingError, match=message):
        stubbed(trials=1, **options)


def test_a_seed_out_of_range_leaves_no_folder(stubbed: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="each from 0 to"):
        stubbed("seedless", seed=-1)
    assert not (tmp_path / "seedless").exists()


def test_what_is_no_tuning_is_refused(stubbed: Any, tmp_path: Path, workshop: Any) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="is not empty and not a tuning of keyseg"):
        stubbed("full")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "tuning.json").write_text("{}")
    with pytest.raises(DataError, match=r"tuning\.json: expected an object at 'recipe', got nothing"):
        stubbed("damaged")
    data = shutil.copytree(workshop.data, tmp_path / "set")
    (data / "splits" / "train.split1.bundle").write_text("v0.txt\n")
    with pytest.raises(DataError, match="cannot be divided into inner folds"):
        tune(data, out=tmp_path / "one", set=workshop.changes)
    (data / "splits" / "train.split1.bundle").write_text("v0.txt\nv6.txt\n")
    with pytest.raises(DataError, match="split 1 tests on videos that it trains on: v6"):
        tune(data, out=tmp_path / "leak", set=workshop.changes)
    assert not (tmp_path / "one").exists()
    assert not (tmp_path / "leak").exists()


class StubTrial:
    def __init__(self, prune: bool) -> None:
        self.prune, self.reports = prune, dict[int, float]()

    def report(self, value: float, step: int) -> None:
        self.reports[step] = value

    def should_prune(self) -> bool:
        return self.prune


@pytest.mark.parametrize(
    ("epoch", "last", "may_stop", "stopped"),
    [(1, False, True, True), (3, False, True, True), (3, True, True, False), (1, False, False, False)],
)
def test_the_judge_reports_means_and_stops(epoch: int, last: bool, may_stop: bool, stopped: bool) -> None:
    """4 epochs per fold; the second fold has 30 after a first one with 60. Nothing is stopped at its very end."""
    trial, done = StubTrial(prune=True), [{"f1@50": 50.0, "edit": 60.0, "acc": 70.0}]
    judge = Judge(trial, "rtk", done, last=last, may_stop=may_stop)  # type: ignore[arg-type]
    found = {"rtk/f1@50": 20.0, "rtk/edit": 30.0, "rtk/acc": 40.0, "frame-wise/acc": 99.0}
    trainer: Any = SimpleNamespace(callback_metrics={}, max_epochs=4, current_epoch=epoch, should_stop=False)
    judge.on_validation_end(trainer, None)  # type: ignore[arg-type]
    assert trial.reports == {}
    trainer.callback_metrics = found
    judge.on_validation_end(trainer, None)  # type: ignore[arg-type]
    assert trial.reports == {4 + epoch: 45.0}
    assert judge.scores == {"f1@50": 20.0, "edit": 30.0, "acc": 40.0}
    assert (judge.stopped, trainer.should_stop) == (stopped, stopped)


@pytest.mark.slow
def test_without_optuna_the_install_command_is_printed(workshop: Any, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['optuna'] = None\n"
        "from keyseg.cli.main import run\n"
        f"sys.exit(run(['tune', {str(workshop.data)!r}, '--out', {str(tmp_path / 'tuning')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert done.returncode == 2
    assert done.stderr == ('error: tuning needs optuna, which is not installed; run: pip install "keyseg[tune]"\n')
    assert not (tmp_path / "tuning").exists()


@pytest.mark.slow
def test_test_videos_are_never_opened_and_the_measure_is_that_of_the_evaluator(
    workshop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The files of the test videos are gone, and nothing asks for them."""
    data = workshop.write(tmp_path / "set")
    for name in workshop.test:
        (data / "features" / f"{name}.npy").unlink()
        (data / "groundTruth" / f"{name}.txt").unlink()
    opened: list[str] = []
    for name in ("open_features", "stored_shape", "read_annotation"):
        original = getattr(datasets, name)
        monkeypatch.setattr(
            datasets, name, lambda path, *a, _f=original, **o: (opened.append(path.stem), _f(path, *a, **o))[1]
        )
    words = ["tune", str(data), "--out", str(tmp_path / "tuning"), "--trials", "2"]
    words += [word for change in (*workshop.changes, "matching.pace=1") for word in ("--set", change)]
    assert keyseg(words) == 0
    assert set(opened) == set(workshop.train)
    printed = capsys.readouterr()
    assert "| trial 0, the recipe as it was |" in printed.out
    assert "2 of 2 trials; best" in printed.err

    tuned = tuned_trials.tuned_so_far(read_tuning(tmp_path / "tuning"))
    recipe, dataset = tuned.tuning.recipe, tuned.tuning.open_dataset()
    expected = []
    for fold in tuned.tuning.folds():
        assert not set(fold.seen) & set(fold.held_out)
        fit = Fit(dataset, 1, 0, recipe, tmp_path / "oracle")
        place = fit.folder / str(fold.number)
        predictor = train_network(fit, recipe, recipe.decoder(), fold.seen, (), place)[0].predictor
        truth = {name: dataset.annotation(name) for name in fold.held_out}
        found = {
            name: predictor.predict(data / "features" / f"{name}.npy", variant="rtk").segmentation for name in truth
        }
        expected.append(evaluate_labels(truth, found, background=(0,)).to_json())
    for name, value in tuned.default.measured.scores.items():
        assert value == pytest.approx(sum(report[name] for report in expected) / len(expected), abs=1e-3), name
    assert {path.name for path in (tmp_path / "tuning").iterdir()} - {".lock", ".journal.lock"} == {
        "tuning.json",
        "trials.journal",
        "trials.csv",
        "recipe.yaml",
        "results.md",
    }


@pytest.mark.slow
def test_a_trial_worse_than_the_others_is_stopped_and_one_that_diverges_fails(
    workshop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuning = start_tuning(tmp_path / "tuning", workshop.data, workshop.recipe(), 1, 0, None, "keyseg tune")
    trial = tuning.study().ask()
    with monkeypatch.context() as patch:
        patch.setattr(optuna.pruners.MedianPruner, "prune", lambda *_: True)
        stopped = measure(tuning, trial._trial_id, 1, {}, lambda _: ())
    assert (stopped.state, stopped.folds) == ("stopped", 1)
    assert len(tuning.study().trials[0].intermediate_values) == 1  # of the first of the folds
    trial = tuning.study().ask()
    failed = measure(tuning, trial._trial_id, 2, {RATE: 1e30}, lambda _: ())
    assert (failed.state, failed.scores) == ("failed", {})
    assert "not finite" in failed.message
    assert not list(tmp_path.glob("tuning/trial[0-9]*"))


@pytest.mark.slow
def test_trials_side_by_side(workshop: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["tune", str(workshop.data), "--out", str(tmp_path / "tuning"), "--trials", "3", "--jobs", "2"]
    words += [word for change in workshop.changes for word in ("--set", change)]
    assert keyseg(words) == 0
    tuned = tuned_trials.tuned_so_far(read_tuning(tmp_path / "tuning"))
    assert [trial.number for trial in tuned.trials] == [0, 1, 2]
    assert tuned.default.values[RATE] == 0.01
    assert tuned.best.score >= tuned.default.score
    assert yaml.safe_load(tuned.recipe.read_text())["optimiser"]["learning_rate"] == tuned.best.values[RATE]
    assert json.loads((tmp_path / "tuning" / "tuning.json").read_text())["split"] == 1
    assert "3 of 3 trials; best" in capsys.readouterr().err
