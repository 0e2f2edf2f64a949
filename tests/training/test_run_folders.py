"""Run folders: what may be made, resumed or deleted, by one process or by several."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from keyseg.data import Dataset
from keyseg.data.folders import claimed
from keyseg.timeline import ConfigError, DataError, OutputExistsError, TrainingError
from keyseg.training import fit as fits
from keyseg.training import running
from keyseg.training.run import read_run, start_run
from keyseg.training.scoring import evaluate_run


def test_another_recipe_or_data_set_is_refused_by_name(workshop: Any, finished: Any, tmp_path: Path) -> None:
    folder = finished.folder
    with pytest.raises(TrainingError, match=r"another recipe: optimiser.epochs was 4 and is now 5; repeat its options"):
        workshop.start(folder, "optimiser.epochs=5", resume=True)
    with pytest.raises(
        TrainingError, match=r"network.backbone.channels was 8 and is now 10; losses.keep was 1.0 and is now 2.0"
    ):
        workshop.start(folder, "losses.keep=2", "network.backbone.channels=10", resume=True)
    other = workshop.write(tmp_path / "other")
    with pytest.raises(TrainingError, match=r"was trained on .*set, not on .*other; choose another --out"):
        workshop.start(folder, data=other, resume=True)


def test_what_is_there_is_not_overwritten(workshop: Any, tmp_path: Path) -> None:
    run = workshop.start(tmp_path / "run")
    with pytest.raises(OutputExistsError, match="holds a run; use --resume to continue it or --force to delete it"):
        workshop.start(tmp_path / "run")
    mark = tmp_path / "run" / "mark"
    mark.touch()
    workshop.start(tmp_path / "run", resume=True)
    assert mark.exists()
    workshop.start(tmp_path / "run", seeds=(7,), force=True)
    assert not mark.exists()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["seeds"] == [7]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").touch()
    for options in ({}, {"resume": True}, {"force": True}):
        with pytest.raises(OutputExistsError, match="mine is not empty and not a run of keyseg; choose another --out"):
            workshop.start(tmp_path / "mine", **options)
    assert (tmp_path / "mine" / "letter.txt").exists()
    assert run.splits == (1,)


@pytest.mark.parametrize("seeds", [(-1,), (2**32,), ()])
def test_seeds_out_of_range_are_refused(seeds: Sequence[int], workshop: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected at least one seed, each from 0 to 2\*\*32 - 1, got \["):
        workshop.start(tmp_path / "run", seeds=seeds)
    assert not (tmp_path / "run").exists()


def test_what_a_kill_left_while_a_run_was_replaced_is_removed(workshop: Any, tmp_path: Path) -> None:
    """Between the two renames: the old run under one hidden name, the new one under another."""
    workshop.start(tmp_path / "run", seeds=(3,))
    (tmp_path / "run").rename(tmp_path / ".run.1.former")
    (tmp_path / ".run.1.partial").mkdir()
    run = workshop.start(tmp_path / "run", seeds=(7,))
    assert run.seeds == (7,)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_splits_are_those_there_are_each_once(workshop: Any, tmp_path: Path) -> None:
    run = workshop.start(tmp_path / "all", splits=(), seeds=(3, 1, 3))
    assert (run.splits, run.seeds) == ((1, 2), (3, 1))
    assert [(fit.split, fit.seed, fit.folder.name) for fit in run.fits()][:2] == [(1, 3, "seed3"), (1, 1, "seed1")]
    assert workshop.start(tmp_path / "twice", splits=(2, 2)).splits == (2,)
    with pytest.raises(DataError, match="no split 5; there are splits 1, 2"):
        workshop.start(tmp_path / "five", splits=(5,))
    assert not (tmp_path / "five").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"recipe": {}, "data": 3}'])
def test_a_damaged_run_file_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(DataError, match=r"run\.json.*(a run|at .recipe.)"):
        read_run(tmp_path)
    (tmp_path / "run.json").write_bytes(b"\xff\xff")
    with pytest.raises(DataError, match=r"run\.json.*(a run|at .recipe.)"):
        read_run(tmp_path)
    with pytest.raises(DataError, match="no run here; expected a folder that keyseg train --out made"):
        read_run(tmp_path / "elsewhere")


def test_scoring_a_run_that_is_not_finished_says_so(workshop: Any, tmp_path: Path) -> None:
    run = workshop.start(tmp_path / "run")
    with pytest.raises(DataError, match=r"this training is not finished; continue with keyseg train .* --resume"):
        evaluate_run(run)


def test_side_processes_write_nothing_and_refuse_nothing(
    workshop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of processes started by torchrun the first makes the folder, sooner or later than the others look at it."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    early = workshop.start(tmp_path / "run")
    assert not (tmp_path / "run").exists()
    monkeypatch.setenv("RANK", "0")
    main = workshop.start(tmp_path / "run")
    with pytest.raises(OutputExistsError):
        workshop.start(tmp_path / "run")
    with pytest.raises(ConfigError, match="other processes may be using; delete it by hand first"):
        workshop.start(tmp_path / "run", force=True)
    written = (tmp_path / "run" / "run.json").read_bytes()
    monkeypatch.setenv("RANK", "1")
    assert workshop.start(tmp_path / "run") == early == main
    assert workshop.start(tmp_path / "run", seeds=(4,), resume=True).seeds == (0, 4)
    assert (tmp_path / "run" / "run.json").read_bytes() == written


def test_a_training_that_another_command_does_is_left_to_it(
    workshop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = workshop.start(tmp_path / "run")
    (fit,) = run.fits()
    with claimed(fit.folder) as mine:
        assert mine
        assert workshop.finish(run)["splits"] == []
        monkeypatch.setenv("WORLD_SIZE", "2")  # the others of torchrun would wait for this one for ever
        with pytest.raises(TrainingError, match="another command is training this; wait for it"):
            workshop.finish(run)
    assert not (fit.folder / "last.ckpt").exists()


def test_tables_are_written_after_each_training_and_again_only_after_something_more(
    workshop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    untrained = {"split1/seed0", "split1/seed1"}

    def trained(_run: Any, fit: Any, _callbacks: Any) -> bool:
        found = fit.name in untrained
        untrained.discard(fit.name)
        done.extend([fit.name] if found else [])
        return found

    monkeypatch.setattr(running, "run_one", trained)
    monkeypatch.setattr(running, "save_ensemble", lambda _run: done.append("ensemble"))
    monkeypatch.setattr(running, "write_cards", lambda _run: done.append("cards"))
    monkeypatch.setattr(running, "summarise", lambda _run: done.append("tables") or {"splits": [1]})
    run = workshop.start(tmp_path / "run", seeds=(0, 1))
    workshop.finish(run)
    assert done == ["split1/seed0", "tables", "split1/seed1", "tables", "cards"]
    done.clear()
    workshop.finish(run)  # what was trained by another command is in the tables
    assert done == ["cards", "tables"]
    done.clear()
    untrained.add("split1/seed1")
    workshop.finish(run.model_copy(update={"ensemble": True}))
    assert done == ["split1/seed1", "tables", "ensemble", "cards", "tables"]


def test_more_processes_than_test_videos_are_refused(
    workshop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fits, "_trainer", lambda *_: SimpleNamespace(global_rank=0, world_size=3))
    with pytest.raises(TrainingError, match="3 processes cannot share 2 test videos; start fewer"):
        workshop.finish(workshop.start(tmp_path / "run"))


def test_a_data_set_that_is_not_there_is_named_before_anything_is_made(workshop: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: no such folder"):
        start_run(tmp_path / "run", tmp_path / "nowhere", workshop.recipe(), (1,), (0,), "keyseg train")
    assert not (tmp_path / "run").exists()
    assert Dataset.open(workshop.data).splits == (1, 2)
