"""Time to score every label file of a data set against a copy of itself that is shifted in time.

    python benchmarks/evaluator.py annotations.tar.xz [--folder breakfast/groundTruth] [--shift 25] [--repeat 3]

The archive holds one text file per video with one class name per line. It is unpacked to a temporary folder. The table
gives the seconds for reading and for scoring class names, class ids and segmentations, for all videos and for twice as
many. The fastest repetition counts. Writes benchmarks/results/evaluator.md and evaluator.json.
"""

from __future__ import annotations

import argparse
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from keyseg.metrics import evaluate_labels
from keyseg.timeline import LabelMap, Segmentation
from provenance import provenance, write_results

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
    shifted = {video: rotate(labels, options.shift) for video, labels in names.items()}
    rows = [
        {"labels given as": kind} | score_times(apply(convert, names), apply(convert, shifted), options.repeat)
        for kind, convert in conversions(names).items()
    ]
    table = ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
    table += ["| " + " | ".join(str(cell) for cell in row.values()) + " |" for row in rows]
    frames = sum(map(len, names.values()))
    title = f"Scoring {len(names):,} videos of {frames:,} frames against themselves, shifted by {options.shift} frames"
    note = f"Reading the files: {reading:.2f} s."
    write_results(Path(__file__).parent / "results" / "evaluator", title, table, rows, provenance(), note)


def score_times(reference: Videos, prediction: Videos, repeat: int) -> dict[str, Any]:
    """Seconds for the videos, for the videos with 200 resamplings and for twice the videos; and the scores."""
    once, report = fastest(lambda: evaluate_labels(reference, prediction), repeat)
    resampled, _ = fastest(lambda: evaluate_labels(reference, prediction, bootstrap=200), repeat)
    both = twice(reference), twice(prediction)
    double, _ = fastest(lambda: evaluate_labels(*both), repeat)
    return {
        "seconds": round(once, 3),
        "with 200 resamplings": round(resampled, 3),
        "twice the videos": f"{double / once:.2f}x",
        "acc": round(report.acc, 2),
        "edit": round(report.edit, 2),
        "f1@50": round(report.f1[0.5], 2),
    }


def conversions(names: Videos) -> dict[str, Callable[[list[str]], Any]]:
    """The forms in which labels can be given, by name."""
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
    """The labels some frames later; labels pushed out at the end come in at the start."""
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
