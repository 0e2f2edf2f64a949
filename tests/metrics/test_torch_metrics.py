"""The torchmetrics classes agree with the plain functions, in one process and in two."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torchmetrics import MetricCollection

from keyseg.metrics.accuracy import frame_accuracy
from keyseg.metrics.edit import edit_score
from keyseg.metrics.segmental_f1 import segmental_f1
from keyseg.metrics.torch_metrics import FrameAccuracy, SegmentalEdit, SegmentalF1
from keyseg.timeline import DataError

PROGRAM = Path(__file__).parent / "distributed_scores.py"


@pytest.fixture(scope="module")
def program():
    spec = importlib.util.spec_from_file_location("distributed_scores", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def plain_scores(videos):
    prediction, target = ([side.numpy() for side in sides] for sides in zip(*videos, strict=True))
    return {
        "acc": frame_accuracy(target, prediction),
        "edit": edit_score(target, prediction, background=(0,)),
        "f1@10": segmental_f1(target, prediction, overlap=0.1, background=(0,)),
        "f1@50": segmental_f1(target, prediction, overlap=0.5, background=(0,)),
    }


def test_one_process_agrees_with_the_plain_functions(program):
    videos = program.videos()
    expected = plain_scores(videos)
    assert program.scores(videos) == pytest.approx(expected, rel=0, abs=1e-9)
    assert all(0 < score < 100 for score in expected.values())


@pytest.mark.slow
def test_two_processes_with_unequal_parts_agree_with_one(program, tmp_path):
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    run = subprocess.run(
        [sys.executable, *launch, str(PROGRAM), str(tmp_path)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    results = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)]
    assert [[result["videos"] for result in part] for part in results] == [[5, 7], [2, 0]]
    expected = program.scores(program.videos())
    for result in (*results[0], *results[1]):
        assert result["scores"] == pytest.approx(expected, rel=0, abs=1e-9)
    assert program.scores(program.videos()[:5]) != pytest.approx(expected, rel=0, abs=1e-9)


def test_a_metric_can_be_used_again_after_reset(program):
    metric = SegmentalF1(0.1, background=(0,))
    first, second = program.videos()[:2]
    metric.update(*first)
    alone = metric.compute()
    metric.update(*second)
    assert metric.compute() != alone
    metric.reset()
    metric.update(*first)
    assert metric.compute() == alone


def test_forward_scores_one_video_and_still_adds_it(program):
    """`metric(prediction, target)`, as training loops call it."""
    metric = FrameAccuracy()
    first, second = program.videos()[:2]
    metric(*first)
    assert metric(*second).item() == pytest.approx(plain_scores([second])["acc"])
    assert metric.compute().item() == pytest.approx(plain_scores([first, second])["acc"])


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_without_videos_or_frames_the_scores_are_100():
    empty = torch.zeros(0, dtype=torch.int64)
    for metric in (FrameAccuracy(), SegmentalEdit(), SegmentalF1()):
        assert metric.compute().item() == 100
        metric.reset()
        metric.update(empty, empty)
        assert metric.compute().item() == 100


def test_prediction_comes_first():
    """Both segments of class 1 take the same reference segment; with the sides exchanged each has one of its own."""
    prediction = torch.tensor([1] * 4 + [0] + [1] * 9)
    target = torch.tensor([1] * 10 + [0] * 2 + [1] * 2)
    metric = SegmentalF1(0.1, background=(0,))
    assert (metric(prediction, target), metric(target, prediction)) == (50, 100)


def test_metrics_in_a_collection_that_agree_on_the_first_video_stay_apart():
    collection = MetricCollection({f"f1@{overlap}": SegmentalF1(overlap / 100) for overlap in (10, 50)})
    same = torch.tensor([0, 0, 1, 1])
    collection.update(same, same)
    collection.update(torch.tensor([0, 0, 0, 0, 0, 1]), torch.tensor([0, 1, 1, 1, 1, 1]))
    assert {name: score.item() for name, score in collection.compute().items()} == {"f1@10": 100, "f1@50": 50}


def test_unequal_lengths_are_refused():
    with pytest.raises(DataError, match="expected 3, got 2"):
        FrameAccuracy().update(torch.tensor([0, 1]), torch.tensor([0, 1, 1]))
