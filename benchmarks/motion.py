"""Extraction of `motion` features from a 640 x 480 video at 30 frames per second, beside decoding alone, on one core.

python benchmarks/motion.py [--seconds 40] [--fps 15] [--repeats 3]
Times are CPU seconds, including child processes, so that a busy machine matters little. What counts is the ratio to
decoding the whole file in the same run. Writes benchmarks/results/motion.md and .json.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from statistics import median

import av
import numpy as np

from keyseg.video.motion import Motion
from keyseg.video.reading import VideoReader
from provenance import provenance, write_results

RATE, WIDTH, HEIGHT = 30, 640, 480


def write_video(path: Path, seconds: int) -> None:
    """Write an H.264 video of things that move over a textured table, with the noise of a camera."""
    rng = np.random.default_rng(0)
    table = np.kron(rng.integers(60, 160, (30, 40, 3)), np.ones((16, 16, 1))).astype(np.int16)
    thing = rng.integers(0, 250, (120, 120, 3)).astype(np.int16)
    noise = rng.normal(0, 3, (8, HEIGHT, WIDTH, 1)).round().astype(np.int16)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=RATE, options={"preset": "medium", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt, stream.thread_count = WIDTH, HEIGHT, "yuv420p", 1
        for number in range(seconds * RATE):
            picture = table + noise[number % 8]
            for i, speed in enumerate((0.03, 0.07, -0.05)):
                x = int((WIDTH - 120) * (1 + np.cos(speed * number + i)) / 2)
                y = int((HEIGHT - 120) * (1 + np.sin(1.3 * speed * number + i)) / 2)
                picture[y : y + 120, x : x + 120] = np.roll(thing, 40 * i, 1)
            frame = av.VideoFrame.from_ndarray(np.clip(picture, 0, 255).astype(np.uint8), format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def decode(path: Path) -> int:
    """Decode every frame of the file with PyAV on one thread, without converting it."""
    with av.open(str(path)) as file:
        file.streams.video[0].codec_context.thread_count = 1
        return sum(1 for _ in file.decode(video=0))


def processor_seconds(call: Callable[[], int], repeats: int) -> float:
    """Median CPU seconds of a call, including the child processes that it waits for."""
    found = []
    for _ in range(repeats):
        before = os.times()
        call()
        found.append(sum(os.times()[:4]) - sum(before[:4]))
    return median(found)


def main() -> None:
    """Write a video, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=40)
    parser.add_argument("--fps", type=Fraction, default=Fraction(15))
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    motion = Motion()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        write_video(path, options.seconds)
        with VideoReader(path, options.fps, motion.image_size) as reader:
            frames = [frame.image for frame in reader]

        def read() -> int:
            with VideoReader(path, options.fps, motion.image_size) as reader:
                return sum(1 for _ in reader)

        def extract() -> int:
            with VideoReader(path, options.fps, motion.image_size) as reader:
                return sum(map(len, motion.rows(frame.image for frame in reader)))

        calls: dict[str, Callable[[], int]] = {
            "PyAV alone, every picture": lambda: decode(path),
            f"VideoReader, {options.fps} frames per second of 120 x 160": read,
            "motion alone, from memory": lambda: sum(map(len, motion.rows(frames))),
            "VideoReader and motion": extract,
        }
        rows = [
            {"what": what, "frames": call(), "seconds": processor_seconds(call, options.repeats)}
            for what, call in calls.items()
        ]
    base = rows[0]["seconds"]
    table = ["| | frames | frames a second | times real time | beside PyAV alone |", "|---|---|---|---|---|"]
    for row in rows:
        rate, faster = row["frames"] / row["seconds"], options.seconds / row["seconds"]
        table.append(
            f"| {row['what']} | {row['frames']:,} | {rate:,.0f} | {faster:.0f}x | {row['seconds'] / base:.2f} |"
        )
    title = f"Features `motion` of {options.seconds} s of 640 x 480 H.264 at 30 frames per second, one core"
    note = "Frames per second count the frames of the file in the first row, and the sampled frames in the others."
    write_results(Path(__file__).parent / "results" / "motion", title, table, rows, provenance(), note)


if __name__ == "__main__":
    main()
