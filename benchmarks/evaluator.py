"""How long it takes to score every label file of a data set against a copy of itself, shifted in time.

    python benchmarks/evaluator.py annotations.tar.xz [--folder breakfast/groundTruth] [--shift 25] [--repeat 3]

The archive holds one text file a video, a class name a line. It is unpacked to a temporary folder. Prints seconds for
reading, and for scoring from class names, from class ids and from segmentations, for all videos and for twice as many;
of several repetitions the fastest. It reports and asserts nothing.
"""

from __future__ import annotations

import argparse
import platform
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keyseg.metrics import evaluate
from keyseg.timeline import LabelMap, Segmentation

Videos = Mapping[str, Any]


def main() -> None:
    """Unpack, read, score, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--folder", default="breakfast/groundTruth", help="folder of label files in the archive")
    parser.add_argument("--shift", type=int, default=25, help="frames by which the prediction is shifted")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions, of which the fastest is printed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        with tarfile.open(options.archive) as archive:
            archive.extractall(place, filter="data")
        reading, names = fastest(lambda: read_videos(Path(place) / options.folder), options.repeat)
    print(f"{platform.platform()}, Python {platform.python_version()}, numpy {np.__version__}")
    print(f"{len(names)} videos, {sum(map(len, names.values()))} frames, shifted by {options.shift}")
    print(f"read                      {reading:7.3f} s")
    shifted = {video: rotate(labels, options.shift) for video, labels in names.items()}
    for kind, convert in conversions(names).items():
        report_scoring(kind, apply(convert, names), apply(convert, shifted), options.repeat)


def report_scoring(kind: str, reference: Videos, prediction: Videos, repeat: int) -> None:
    """Print seconds for the videos, for the same with 200 resamplings, and for twice the videos."""
    once, report = fastest(lambda: evaluate(reference, prediction), repeat)
    resampled, _ = fastest(lambda: evaluate(reference, prediction, bootstrap=200), repeat)
    both = twice(reference), twice(prediction)
    double, _ = fastest(lambda: evaluate(*both), repeat)
    print(
        f"score {kind:19s} {once:7.3f} s; with 200 resamplings {resampled:.3f} s; twice the videos {double:.3f} s",
        end="",
    )
    print(f" ({double / once:.2f} x); acc {report.acc:.2f}, edit {report.edit:.2f}, f1@50 {report.f1[0.5]:.2f}")


def conversions(names: Videos) -> dict[str, Callable[[list[str]], Any]]:
    """The forms in which labels can be given, by what to call them."""
    labels = LabelMap(tuple(sorted(set().union(*map(set, names.values())))))
    return {
        "class names": list,
        "class ids": labels.encode,
        "segmentations": lambda video: Segmentation.from_frames(labels.encode(video)),
    }


def read_videos(folder: Path) -> dict[str, list[str]]:
    """Video name -> class name of each frame."""
    return {path.stem: path.read_text(encoding="utf-8").split() for path in sorted(folder.glob("*.txt"))}


def rotate(labels: list[str], frames: int) -> list[str]:
    """The labels some frames later; those pushed out at the end come in at the start."""
    start = -frames % len(labels)
    return labels[start:] + labels[:start]


def twice(videos: Videos) -> dict[str, Any]:
    """Every video a second time under another name."""
    return dict(videos) | {f"{video} again": labels for video, labels in videos.items()}


def apply(convert: Callable[[list[str]], Any], videos: Videos) -> dict[str, Any]:
    """Convert the labels of every video."""
    return {video: convert(labels) for video, labels in videos.items()}


def fastest(task: Callable[[], Any], repeat: int) -> tuple[float, Any]:
    """Seconds of the fastest run, and what the task returned."""
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        result = task()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


if __name__ == "__main__":
    main()
