"""keyseg reproduce: the table and the figures from the command line."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from keyseg.cli.main import run
from keyseg.data.folders import claimed
from keyseg.reproduction import figures
from keyseg.training import running
from keyseg.training.recipe import load_recipe
from keyseg.training.run import start_run

PUBLISHED = "as-published"
PNG = b"\x89PNG\r\n\x1a\n"
ASFORMER = ("network.channels=8", "network.encoder_layers=2", "network.decoder_layers=2", "network.decoders=1")
SMALL: dict[str, tuple[str, ...]] = {
    "ms-tcn++": (
        "network.channels=8",
        "network.generator_layers=3",
        "network.refinements=1",
        "network.refinement_layers=2",
    ),
    "bcn": (
        "network.channels=8",
        "network.cascade_stages=2",
        "network.layers=2",
        "network.fusion_channels=8",
        "network.barrier={channels: 8, dilations: [1, 2]}",
        "barrier.epochs=1",
        "barrier.frozen_epochs=0",
    ),
    "asformer": ASFORMER,
    "asformer-extra": ASFORMER,
}
TITLES = (
    "MS-TCN++",
    "BCN",
    "ASFormer",
    "ASFormer + extra",
    "frame-wise backbone (argmax of its frame classifier)",
    "RTK without rules (argmax of its action heatmaps)",
    "RTK without refinement",
    "RTK",
)


class Made(NamedTuple):
    """A table of all systems as published, and the output of the command that made it. Tests must not change it."""

    folder: Path
    code: int
    out: str
    err: str

    @property
    def runs(self) -> Path:
        return self.folder / PUBLISHED

    @property
    def block(self) -> dict[str, Any]:
        """The only part of the table."""
        part: dict[str, Any] = json.loads((self.folder / "table1.json").read_text())["blocks"][PUBLISHED]
        return part


def prepared(folder: Path, data: Path, system: str) -> None:
    """A run of a tiny network that is not trained yet, as if keyseg train was interrupted at the start."""
    recipe = load_recipe(None, (f"model={system}", "optimiser.epochs=1", *SMALL[system]))
    start_run(folder / PUBLISHED / system, data, recipe, (1,), (0,), f"keyseg train {data.name} --model {system}")


@pytest.fixture(scope="module")
def made(kitchen: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("made") / "table1"
    shutil.copytree(trained, folder / PUBLISHED / "rtk")
    for system in SMALL:
        prepared(folder, kitchen, system)
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        words = ["reproduce", "table1", str(kitchen), "--out", str(folder), "--terms", PUBLISHED]
        patch.setattr(sys, "argv", ["keyseg", *words])
        code = run(words)
    return Made(folder, code, out.getvalue(), err.getvalue())


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """No training may start from here on."""

    def fails(*_: Any) -> Any:
        raise AssertionError("a training started")

    monkeypatch.setattr(running, "run_fit", fails)


def first_cells(text: str) -> list[str]:
    """First cell of each row of the first table."""
    rows = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)[0].splitlines()
    return [row.split("|")[1].strip() for row in rows[2:]]


# Help and wrong usage.


def test_help_names_the_table_and_the_figures(keyseg: Any) -> None:
    for arguments in (("reproduce",), ("reproduce", "--help")):
        answer = keyseg(*arguments)
        assert (answer.code, answer.err) == (0, "")
        for name, words in {
            "ablations": "Tables of what each part of RTK contributes",
            "table1": "Table 1: train and score RTK and the systems",
            "fig1": "Figure 1: the rule-based re-assembly",
            "fig2": "Figure 2: timelines of a test video",
            "fig3": "Figure 3: the permutation loss",
        }.items():
            assert re.search(rf"│ {name} +{words}", answer.out), name


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fig4",), 'Unknown command "fig4". Did you mean "fig3"?'),
        (("tabel1", "data"), 'Unknown command "tabel1". Did you mean "table1"?'),
        (("table1",), "DATA"),
        (
            ("table1", "KITCHEN", "--models", "rtk", "asfomer"),
            "no system 'asfomer' (did you mean 'asformer'?); known: ms-tcn++,",
        ),
        (("table1", "KITCHEN", "--epochs", "0"), "--epochs takes a number >= 1, got 0"),
        (("table1", "KITCHEN", "--split", "one"), "error: --split: expected a split's number, several as 1,2, or all;"),
        (("table1", "KITCHEN", "--seed", "-1"), "expected at least one seed, each from 0 to 2**32 - 1, got [-1]"),
        (("table1", "KITCHEN", "--seed", "many"), "many"),
        (("table1", "KITCHEN", "--terms", "fair"), '"fair"'),
        (("fig1",), "--out"),
        (("fig1", "--out", "x.bmp"), "x.bmp: a figure is saved as .png, .svg, .pdf, got suffix '.bmp'"),
        (("fig1", "--out", "x.png", "--no-force"), "--no-force"),
        (("fig2", "KITCHEN", "--out", "x.png"), "--video"),
        (("fig2", "KITCHEN", "--video", "tea_004", "--out", "x"), "x: a figure is saved as .png, .svg, .pdf, got"),
        (("fig2", "KITCHEN", "--video", "tea_004", "--out", "x.png", "--frames", "0"), "--frames takes a number >= 1"),
        (("fig3", "KITCHEN", "--out", "x.jpg"), "x.jpg: a figure is saved as .png, .svg, .pdf, got suffix '.jpg'"),
        (("fig3", "KITCHEN", "--out", "x.png", "--epochs", "0"), "--epochs takes a number >= 1, got 0"),
    ],
)
def test_wrong_usage_is_code_2_and_nothing_is_trained(
    arguments: tuple[str, ...],
    words: str,
    kitchen: Path,
    keyseg: Any,
    untrained: None,
    tmp_path: Path,
    monkeypatch: Any,
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = keyseg("reproduce", *(kitchen if word == "KITCHEN" else word for word in arguments))
    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err
    assert list(tmp_path.rglob("*.png")) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("table1", "nowhere"),
        ("fig3", "nowhere", "--out", "x.png"),
    ],
)
def test_a_data_set_that_is_not_there_is_named(
    arguments: tuple[str, ...], keyseg: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = keyseg("reproduce", *arguments)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("error: nowhere: no such folder; expected a data set")
    assert list(tmp_path.iterdir()) == []


# Table 1.


def test_table1_prints_what_it_writes(made: Made, kitchen: Path) -> None:
    assert made.code == 0
    text = (made.folder / "table1.md").read_text()
    assert made.out == f"{text}\ntables: {made.folder / 'table1.md'}, table1.tex, table1.json\n"
    assert text.startswith(f"# Table 1 on {kitchen.name}\n")
    assert first_cells(text) == list(TITLES)
    assert list(made.block["rows"]) == [*SMALL, "frame-wise", "rtk-no-rules", "rtk-no-refinement", "rtk"]
    assert (made.folder / "table1.tex").read_text().count(r"\\") == 2 + len(TITLES)
    assert str(kitchen.parent) not in text


def test_table1_shows_progress_of_trainings_and_uses_finished_ones(made: Made, trained: Path) -> None:
    assert made.err.count("split 1 seed 0: epoch 1/1") == 3
    assert "as-published/asformer split 1 seed 0: epoch 1/1" in made.err
    assert made.err.count("split 1 seed 0: epoch 2/2") == 1  # BCN; RTK, also of two epochs, was finished
    config = Path("split1/seed0/bundle/config.json")
    assert (made.runs / "rtk" / config).read_bytes() == (trained / config).read_bytes()


def test_table1_says_how_a_run_differs_from_the_shipped_recipe(made: Made) -> None:
    origin = made.block["runs"]["ms-tcn++"]
    assert origin["recipe"] == "defaults of ms-tcn++"
    assert origin["differs from the recipe"] == [
        "network.channels 8 for 64",
        "network.generator_layers 3 for 11",
        "network.refinements 1 for 3",
        "network.refinement_layers 2 for 10",
        "optimiser.epochs 1 for 100",
    ]
    line = next(line for line in made.out.splitlines() if line.startswith("- As published, MS-TCN++:"))
    assert "recipe defaults of ms-tcn++ except for network.channels 8 for 64; network.gene" in line
    assert "`keyseg train kitchen --model ms-tcn++`" in line


def test_table1_again_trains_nothing_and_gives_the_same(
    made: Made, kitchen: Path, keyseg: Any, untrained: None
) -> None:
    assert keyseg("reproduce", "table1", kitchen, "--out", made.folder, "--terms", PUBLISHED) == (0, made.out, "")


def test_models_are_chosen_and_listed_in_the_order_of_the_supplement(
    made: Made, kitchen: Path, keyseg: Any, untrained: None, tmp_path: Path
) -> None:
    folder = shutil.copytree(made.folder, tmp_path / "table1")
    options = ("--terms", PUBLISHED, "--models", "rtk", "asformer")
    answer = keyseg("reproduce", "table1", kitchen, "--out", folder, *options)
    assert (answer.code, answer.err) == (0, "")
    assert first_cells(answer.out) == ["ASFormer", *TITLES[-4:]]


def test_options_go_to_new_runs(kitchen: Path, keyseg: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """A new run has the shipped recipe, scaled to the epochs. Nothing is trained here, so no table is made."""
    monkeypatch.setattr("keyseg.reproduction.comparison.run_all", lambda *_: None)
    together: list[tuple[int, int]] = []
    monkeypatch.setattr(
        "keyseg.reproduction.comparison.run_side_by_side",
        lambda runs, callbacks, jobs: together.append((len(runs), jobs)),
    )
    options = ("--models", "ms-tcn++", "bcn", "--split", "1", "--seed", "3", "1", "--epochs", "20", "--jobs", "3")
    answer = keyseg("reproduce", "table1", kitchen, "--out", tmp_path / "out", *options)
    assert (answer.code, answer.out) == (0, "")
    assert together == [(4, 3)]  # both systems on both terms, so that all processes are busy to the end
    runs = {
        path.parent.relative_to(tmp_path / "out").as_posix(): json.loads(path.read_text())
        for path in (tmp_path / "out").rglob("run.json")
    }
    assert sorted(runs) == [
        f"{terms}/{system}" for terms in (PUBLISHED, "equal-terms") for system in ("bcn", "ms-tcn++")
    ]
    for place, found in runs.items():
        assert found["recipe"]["matching"]["fit"] is place.startswith("equal-terms")
        assert (found["splits"], found["seeds"]) == ([1], [3, 1])
        assert found["recipe"]["optimiser"]["epochs"] == 20
        assert found["command"] == "keyseg reproduce table1 kitchen --out out " + " ".join(options)
    assert runs["equal-terms/bcn"]["recipe"]["barrier"]["epochs"] == 50  # 100 with 40 of the rest, as shipped


def test_a_command_that_cannot_finish_the_table_says_so(kitchen: Path, keyseg: Any, tmp_path: Path) -> None:
    for system in ("ms-tcn++", "asformer"):
        prepared(tmp_path, kitchen, system)
    options = ("--terms", PUBLISHED, "--models", "ms-tcn++", "asformer")
    command = ("reproduce", "table1", kitchen, "--out", tmp_path, *options)
    with claimed(tmp_path / PUBLISHED / "ms-tcn++/split1/seed0") as mine:
        assert mine
        answer = keyseg(*command)
    assert (answer.code, answer.out) == (0, "")
    assert answer.err.endswith("\nother commands are still training; the last one to finish writes the table\n")
    assert answer.err.count("epoch 1/1") == 1  # the other system was trained meanwhile
    assert list(tmp_path.glob("table1.*")) == []
    answer = keyseg(*command)
    assert first_cells(answer.out) == ["MS-TCN++", "ASFormer"]
    assert answer.err.count("epoch 1/1") == 1


def test_an_interrupt_says_how_to_resume(kitchen: Path, keyseg: Any, tmp_path: Path, monkeypatch: Any) -> None:
    prepared(tmp_path, kitchen, "ms-tcn++")

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "run_fit", interrupted)
    answer = keyseg("reproduce", "table1", kitchen, "--out", tmp_path, "--models", "ms-tcn++", "--terms", PUBLISHED)
    assert answer == (130, "", "interrupted; progress is saved; run the same command to resume\n")


# Figures.


def test_ablations_print_what_they_write_and_train_nothing(
    made: Made, untrained: None, keyseg: Any, tmp_path: Path
) -> None:
    result = keyseg("reproduce", "ablations", str(made.runs / "rtk"), "--out", str(tmp_path / "parts"))
    assert result.code == 0, result.err
    written = (tmp_path / "parts" / "ablations.md").read_text()
    assert written in result.out
    assert first_cells(written)[0] == "RTK"
    rows = json.loads((tmp_path / "parts" / "ablations.json").read_text())["rows"]
    assert set(rows) >= {"rtk", "rtk-no-refinement", "rtk-no-rules", "frame-wise"}


def test_ablations_refuse_what_is_not_a_run_of_rtk(made: Made, keyseg: Any, tmp_path: Path) -> None:
    result = keyseg("reproduce", "ablations", str(made.runs / "asformer"), "--out", str(tmp_path / "parts"))
    assert result.code != 0
    assert "only a run of rtk can be taken apart, and this is a run of asformer" in result.err
    missing = keyseg("reproduce", "ablations", str(tmp_path / "nowhere"), "--out", str(tmp_path / "parts"))
    assert missing.code != 0
    assert "nowhere" in missing.err
    assert not (tmp_path / "parts").exists()


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_fig1_needs_no_data(suffix: str, keyseg: Any, tmp_path: Path) -> None:
    file = tmp_path / "figures" / f"fig1.{suffix}"
    assert keyseg("reproduce", "fig1", "--out", file) == (0, f"{file}\n", "")
    content = file.read_bytes()
    assert content.startswith({"png": PNG, "svg": b"<?xml", "pdf": b"%PDF"}[suffix])
    answer = keyseg("reproduce", "fig1", "--out", file)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"error: {file} exists already; give another path, or force to overwrite it\n"
    file.write_bytes(b"")
    assert keyseg("reproduce", "fig1", "--out", file, "--force").code == 0
    assert file.read_bytes() == content


def test_fig2_shows_a_test_video_of_the_table(made: Made, kitchen: Path, keyseg: Any, tmp_path: Path) -> None:
    file = tmp_path / "fig2.png"
    command = ("reproduce", "fig2", kitchen, "--video", "tea_004", "--runs", made.runs, "--out", file)
    assert keyseg(*command) == (0, f"{file}\n", "")
    assert file.read_bytes().startswith(PNG)


def test_fig2_draws_systems_boxes_and_key_frames(
    made: Made, kitchen: Path, keyseg: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """Key frames come from the middles of equal parts; boxes mark where only RTK is right."""
    asked: list[float] = []
    drawn: dict[str, Any] = {}

    def read_key_frames(file: Path, seconds: list[float]) -> list[tuple[float, Any]]:
        assert file == Path("tea.mp4")
        asked.extend(seconds)
        return [(at, np.full((4, 6, 3), number, np.uint8)) for number, at in enumerate(seconds)]

    def differing_ranges(*of: Any) -> list[tuple[int, int]]:
        drawn["boxes are of"] = of
        return [(20, 50)]

    def plot_timelines(rows: Any, labels: Any, timebase: Any, **options: Any) -> Any:
        drawn.update(options, rows=rows, labels=labels, timebase=timebase)
        return original(rows, labels, timebase, **options)

    original = figures.viz.plot_timelines
    monkeypatch.setattr(figures, "read_key_frames", read_key_frames)
    monkeypatch.setattr(figures.viz, "differing_ranges", differing_ranges)
    monkeypatch.setattr(figures.viz, "plot_timelines", plot_timelines)
    options = ("--out", tmp_path / "fig2.svg", "--file", "tea.mp4", "--frames", "4")
    assert keyseg("reproduce", "fig2", kitchen, "--video", "tea_004", "--runs", made.runs, *options).code == 0

    rows = dict(drawn["rows"])
    assert list(rows) == ["ground truth", "RTK", "RTK without refinement", "ASFormer", "MS-TCN++"]
    truth = rows["ground truth"]
    names = (kitchen / "groundTruth" / "tea_004.txt").read_text().split()
    assert drawn["labels"].decode(truth.to_frames()) == names
    for title, system in (("RTK", "rtk"), ("ASFormer", "asformer"), ("MS-TCN++", "ms-tcn++")):
        predicted = (made.runs / system / "split1/seed0/predictions/tea_004.txt").read_text().split()
        assert drawn["labels"].decode(rows[title].to_frames()) == predicted
    assert drawn["boxes"] == [(20, 50)]
    assert drawn["boxes are of"] == (truth, rows["RTK"], [rows["ASFormer"], rows["MS-TCN++"]])
    middles = [int(len(names) * part / 8) for part in (1, 3, 5, 7)]
    assert [frame for frame, _ in drawn["key_frames"]] == middles
    assert [int(image[0, 0, 0]) for _, image in drawn["key_frames"]] == [0, 1, 2, 3]
    assert asked == [float(drawn["timebase"].start_seconds(frame)) for frame in middles]
    assert drawn["title"] == "kitchen: tea_004"


def test_fig2_refuses_a_file_that_is_there_before_it_reads_anything(
    made: Made, kitchen: Path, keyseg: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    def fails(*_: Any) -> Any:
        raise AssertionError("runs were read")

    monkeypatch.setattr("keyseg.reproduction.timelines.video_rows", fails)
    file = tmp_path / "fig2.png"
    file.write_text("mine")
    answer = keyseg("reproduce", "fig2", kitchen, "--video", "tea_004", "--runs", made.runs, "--out", file)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"error: {file} exists already; give another path, or force to overwrite it\n"
    assert file.read_text() == "mine"
    monkeypatch.undo()
    command = ("reproduce", "fig2", kitchen, "--video", "tea_004", "--runs", made.runs, "--out", file, "--force")
    assert keyseg(*command).code == 0
    assert file.read_bytes().startswith(PNG)


def test_fig2_says_what_is_missing(made: Made, kitchen: Path, keyseg: Any, tmp_path: Path) -> None:
    command = ("reproduce", "fig2", kitchen, "--out", tmp_path / "fig2.png")
    answer = keyseg(*command, "--video", "tea_004", "--runs", tmp_path)
    assert (answer.code, answer.out) == (1, "")
    assert f"{tmp_path / 'rtk'}: no run here; train the systems first: keyseg reproduce table1 DATA" in answer.err
    answer = keyseg(*command, "--video", "tea_000", "--runs", made.runs)
    assert (answer.code, answer.out) == (1, "")
    assert "no split of this run tests on a video 'tea_000'; it tests on sandwich_005, tea_004\n" in answer.err
    assert not (tmp_path / "fig2.png").exists()


def test_fig3_trains_what_is_missing_and_draws_both(
    trained: Path, kitchen: Path, keyseg: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    drawn: dict[str, Any] = {}
    original = figures.viz.plot_curves

    def plot_curves(curves: Any, **options: Any) -> Any:
        drawn.update(options, curves=curves)
        return original(curves, **options)

    monkeypatch.setattr(figures.viz, "plot_curves", plot_curves)
    shutil.copytree(trained, tmp_path / "fig3" / "stopped")
    file = tmp_path / "fig3.png"
    command = ("reproduce", "fig3", kitchen, "--runs", tmp_path / "fig3", "--out", file)
    answer = keyseg(*command)
    assert (answer.code, answer.out) == (0, f"{file}\n")
    assert answer.err.count("split 1 seed 0: epoch 2/2") == 1  # the other one was there
    assert file.read_bytes().startswith(PNG)
    assert drawn["marks"] == {"matching joins": 1.0}
    assert drawn["title"] == "kitchen: permutation loss"
    assert {name: epochs for name, (epochs, _) in drawn["curves"].items()} == {
        "gradient stopped": [1.0],
        "gradient flows": [1.0],
    }
    answer = keyseg(*command)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"error: {file} exists already; give another path, or force to overwrite it\n"
    content = file.read_bytes()
    assert keyseg(*command, "--force") == (0, f"{file}\n", "")
    assert file.read_bytes() == content


def test_fig3_refuses_a_file_that_is_there_before_it_trains(
    kitchen: Path, keyseg: Any, untrained: None, tmp_path: Path
) -> None:
    file = tmp_path / "fig3.svg"
    file.write_text("mine")
    answer = keyseg("reproduce", "fig3", kitchen, "--runs", tmp_path / "runs", "--out", file)
    assert (answer.code, answer.out) == (2, "")
    assert "exists already" in answer.err
    assert not (tmp_path / "runs").exists()
