"""Program for two processes: each updates the metrics with its videos, all write the combined scores.

Run by test_torch_metrics.py through torch.distributed.run; the argument is the output folder. The videos are split in
two ways: process 0 takes the first five or all seven, process 1 the other two or none.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed
from torchmetrics import MetricCollection

from keyseg.metrics.torch_metrics import FrameAccuracy, SegmentalEdit, SegmentalF1

VIDEOS = 7
PARTS = (5, 7)


def videos():
    """Prediction and target of VIDEOS videos of different lengths, in runs, (T,) ids each."""
    random = np.random.default_rng(5)
    result = []
    for length in random.integers(20, 90, VIDEOS):
        target = np.resize(np.repeat(random.integers(0, 4, 12), random.integers(1, 12, 12)), length)
        prediction = np.where(random.random(length) < 0.9, np.roll(target, 2), 0)
        result.append((torch.from_numpy(prediction), torch.from_numpy(target)))
    return result


def metrics():
    """The three metrics, background id 0 left out."""
    return MetricCollection(
        {
            "acc": FrameAccuracy(),
            "edit": SegmentalEdit(background=(0,)),
            "f1@10": SegmentalF1(0.1, background=(0,)),
            "f1@50": SegmentalF1(0.5, background=(0,)),
        }
    )


def scores(part):
    """Scores of these videos together with those of the other processes."""
    collection = metrics()
    for prediction, target in part:
        collection.update(prediction, target)
    return {name: value.item() for name, value in collection.compute().items()}


def main():
    torch.distributed.init_process_group("gloo")
    rank = torch.distributed.get_rank()
    parts = [videos()[:first] if rank == 0 else videos()[first:] for first in PARTS]
    results = [{"videos": len(part), "scores": scores(part)} for part in parts]
    (Path(sys.argv[1]) / f"{rank}.json").write_text(json.dumps(results))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
