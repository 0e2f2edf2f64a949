"""Runs of parts of a data set become one table; a copy of a data set loses its order and nothing else."""

from __future__ import annotations

import importlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a benchmark by name."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


def test_a_shuffled_copy_moves_whole_segments_of_training_videos(benchmark: Any, tmp_path: Path) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy"
    labels = np.repeat(["a", "b", "a", "c", "d", "b"], [3, 1, 4, 2, 5, 6])
    for folder in ("groundTruth", "splits", "features"):
        (data / folder).mkdir(parents=True)
    for name, subset in (("one", "train"), ("two", "test")):
        (data / f"groundTruth/{name}.txt").write_text("\n".join(labels) + "\n", encoding="utf-8")
        np.save(data / f"features/{name}.npy", np.arange(21)[None])
        (data / f"splits/{subset}.split3.bundle").write_text(f"{name}.txt\n", encoding="utf-8")
    benchmark("shuffled_dataset").shuffle_dataset(data, 3, copy)
    order = np.load(copy / "features/one.npy")[0]
    assert (copy / "groundTruth/one.txt").read_text(encoding="utf-8").split() == labels[order].tolist()
    starts = [0, 3, 4, 8, 10, 15, 21]
    assert [order[0], *order[1:][np.diff(order) != 1]] != starts[:-1]
    for start, end in pairwise(starts):  # each segment is there, in one piece
        place = order.tolist().index(start)
        assert order[place : place + end - start].tolist() == list(range(start, end))
    assert (copy / "groundTruth/two.txt").read_bytes() == (data / "groundTruth/two.txt").read_bytes()
    assert np.load(copy / "features/two.npy")[0].tolist() == list(range(21))


def finished(folder: Path, split: int, seed: int, matched: float, data: str = "toy") -> Path:
    """A run of RTK with all scores 50 without the match, `matched` with it; inner folds promised two points."""
    name = f"split{split}/seed{seed}"
    measures = ("f1@10", "f1@25", "f1@50", "edit", "acc")
    run = {
        "system": "rtk",
        "data": data,
        "splits": [split],
        "seeds": [seed],
        "epochs": 30,
        "cost": {name: {"machine": "one", "keyseg": "1"}},
        "chosen": {
            name: {
                "mixed_segments": 0.3,
                "rules": {"action_threshold": 0.15, "boundary_threshold": 0.05, "frame_weight": 1.0},
                "match": {"weights": {}, "plain": [1, 1, 1], "matched": [3, 3, 3]},
            }
        },
        "by_split": {
            "rtk": {name: dict.fromkeys(measures, matched)},
            "rtk-no-refinement": {name: dict.fromkeys(measures, 50.0)},
        },
    }
    folder.mkdir()
    (folder / "results.json").write_text(json.dumps(run), encoding="utf-8")
    return folder


def test_runs_are_merged_by_seed(benchmark: Any, tmp_path: Path) -> None:
    scores = {(1, 0): 60.0, (2, 0): 70.0, (1, 1): 50.0, (2, 1): 64.0}
    folders = [finished(tmp_path / f"{split}-{seed}", split, seed, value) for (split, seed), value in scores.items()]
    module = benchmark("merged_runs")
    row = module.merged(module.read_runs(folders))["rtk"]
    assert row["edit"] == 61
    assert row["edit sd"] == pytest.approx(8**0.5 * 2)  # of 65 and 57
    again, other = (finished(tmp_path / name, 1, 0, 1.0, data) for name, data in (("again", "toy"), ("other", "toys")))
    with pytest.raises(ValueError, match="more than one run has"):
        module.read_runs([*folders, again])
    with pytest.raises(ValueError, match="several data sets"):
        module.read_runs([finished(tmp_path / "third", 3, 0, 1.0), other])


def test_copies_for_each_split_are_one_data_set(benchmark: Any, tmp_path: Path) -> None:
    module = benchmark("merged_runs")
    names = ("toy-shuffled1", "toy-shuffled2")
    folders = [finished(tmp_path / name, int(name[-1]), 0, 60.0, name) for name in names]
    assert module.dataset_of(module.read_runs(folders)) == "toy-shuffled"


@pytest.mark.parametrize(("scores", "worse"), [((49.2, 50.0), True), ((49.0, 50.5), False), ((60.0, 60.0), False)])
def test_never_worse_says_what_is_worse_on_average(
    benchmark: Any, tmp_path: Path, scores: tuple[float, float], worse: bool
) -> None:
    folders = [finished(tmp_path / str(split), split, 0, value) for split, value in enumerate(scores, 1)]
    module = benchmark("never_worse")
    rows = module.split_rows(module.read_runs(folders))
    kept = ("mixed", "rules", "match", "promised edit")
    first = {key: value for key, value in rows["split1/seed0"].items() if key in kept}
    assert first == {"mixed": 0.3, "rules": "0.15, 0.05, 1", "match": "off", "promised edit": 2}
    found = module.mean_difference(rows)
    assert found["edit"] == pytest.approx(sum(scores) / 2 - 50)
    assert ("makes F1@50 and Edit and Acc worse by more than 0.3" in module.verdict(found)) is worse
