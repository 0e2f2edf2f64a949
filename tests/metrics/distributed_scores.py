"""Program for two processes: each scores its own videos, all print what the metrics then compute together.

Run by test_torch_metrics.py through torch.distributed.run; the argument is the folder that results are written to. The
videos are shared out twice: process 0 takes the first five or all seven, process 1 the other two or none.
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
    found = []
    for length in random.integers(20, 90, VIDEOS):
        target = np.resize(np.repeat(random.integers(0, 4, 12), random.integers(1, 12, 12)), length)
        prediction = np.where(random.random(length) < 0.9, np.roll(target, 2), 0)
        found.append((torch.from_numpy(prediction), torch.from_numpy(target)))
    return found


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
    """What the metrics compute from these videos, together with those of other processes."""
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
