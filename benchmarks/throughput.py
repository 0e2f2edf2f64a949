"""Hours of video per hour of one core, and of one GPU, and what 1,000 and 1,000,000 hours of video would take.

python benchmarks/throughput.py [--minutes 10] [--device cuda]
The video is drawn (H.264, 640 x 480, 30 frames per second). `features`: `motion` at 15 fps, from the file, decoding
included. `predict`: timelines of features that are there, by an RTK of the default sizes with random weights. Both are
the public functions, in one process with one thread, after a first short video that loads what is loaded once. A core
hour is an hour of processor time of the process and those that it starts. With --device cuda, predict is measured again
by the clock, since the processor waits. Writes benchmarks/results/throughput.md and .json.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported

import torch

import keyseg
from keyseg.inference.folder import predict_files
from provenance import provenance, write_results
from video_prediction import write_bundle, write_video

UNITS = {"core": 64, "GPU": 8}  # of a machine
DAY, HOURS = 24, (1_000, 1_000_000)


def processor_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def seconds(action: Callable[[], object]) -> tuple[float, float]:
    """Of the processor and by the clock."""
    processor, clock = processor_seconds(), time.perf_counter()
    action()
    return processor_seconds() - processor, time.perf_counter() - clock


def measured(folder: Path, minutes: int, devices: list[str]) -> list[dict[str, object]]:
    """Hours of video per hour of work, one row for each kind of work."""
    write_bundle(folder / "bundle")
    for name, length in (("first", 1), ("long", minutes)):
        write_video(folder / f"{name}.mp4", length)
    kinds: dict[str, Callable[[str], object]] = {
        "features": lambda name: keyseg.features(
            folder / f"{name}.mp4", out=folder / "features", cache=folder / f"cache {name}"
        )
    }
    for device in devices:
        kinds[f"predict on {device}"] = lambda name, device=device: predict_files(
            folder / "bundle", [folder / "features" / f"{name}.npy"], out=folder / f"{name} {device}", device=device
        )
    rows: list[dict[str, object]] = []
    for kind, action in kinds.items():
        action("first")
        processor, clock = seconds(lambda action=action: action("long"))
        spent = clock if kind.endswith("cuda") else processor
        rows.append({"work": kind, "hours per hour": 60 * minutes / spent, "processor": processor, "clock": clock})
    return rows


def feature_bytes(folder: Path, minutes: int) -> float:
    """Bytes of the features of an hour of video with their sidecar."""
    return sum((folder / "features" / f"long{end}").stat().st_size for end in (".npy", ".json")) * 60 / minutes


def unit_of(row: dict[str, object]) -> str:
    """What does the work of a row."""
    return "GPU" if str(row["work"]).endswith("cuda") else "core"


def main() -> None:
    """Draw, measure, extrapolate, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        devices = ["cpu"] + ["cuda"] * (options.device == "cuda")
        rows = measured(Path(name), options.minutes, devices)
        size = feature_bytes(Path(name), options.minutes)
    origin = provenance()
    table = ["| work | of one | hours of video per hour | seconds per hour of video |", "|---|---|---|---|"]
    for row in rows:
        speed = float(str(row["hours per hour"]))
        table.append(f"| {row['work']} | {unit_of(row)} | {speed:,.0f} | {3600 / speed:.1f} |")
    table += ["", "| hours of video | work | hours of one machine | machines to need a day | bytes of features |"]
    table += ["|---|---|---|---|---|"]
    for hours in HOURS:
        for row in rows:
            needed = hours / float(str(row["hours per hour"])) / UNITS[unit_of(row)]
            shown = f"{hours * size / 1e9:,.0f} GB" if row["work"] == "features" else ""
            table.append(f"| {hours:,} | {row['work']} | {needed:,.2f} | {-(-needed // DAY):,.0f} | {shown} |")
    note = (
        f"A machine has {UNITS['core']} cores or {UNITS['GPU']} GPUs. Extrapolated from one video in proportion to its"
        " length; fetching videos, shared disks and starting processes are not included."
    )
    if options.device == "cuda":
        origin["GPU"] = torch.cuda.get_device_name()
    title = (
        f"Throughput: {options.minutes} minutes of video, 640 x 480 at 30 fps, motion features at 15 fps, one thread"
    )
    write_results(Path(__file__).parent / "results" / "throughput", title, table, rows, origin, note)


if __name__ == "__main__":
    main()
