"""Decoding a video for feature extraction: keyseg's reader, with its process and pipe, beside a bare PyAV loop.

python benchmarks/video_decoding.py [--seconds 40] [--repeats 3]
The clip is 640 x 480 at 25 frames per second, made by ffmpeg (H.264 with B-frames, and noise to give the decoder work).
Everything runs on one core. Times are CPU seconds, including the decoding process, so that other work on the machine
matters little. The two loops take turns and the fastest run of each counts. Writes
benchmarks/results/video_decoding.md and .json.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av

from keyseg.video.reading import VideoReader, probe
from provenance import provenance, write_results

RATE = 25
SOURCE = "testsrc2=size=640x480:rate=25"


def make_clip(path: Path, seconds: int) -> None:
    """Make a clip with moving shapes and some noise."""
    encode = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "26", "-bf", "2", "-pix_fmt", "yuv420p"]
    source = ["-f", "lavfi", "-i", f"{SOURCE}:duration={seconds}", "-vf", "noise=alls=6:allf=t"]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *source, *encode, str(path)], check=True)


def bare(path: Path, fps: int, size: tuple[int, int] | None) -> int:
    """Number of frames that a bare loop in this process converts: every (25 / fps)-th."""
    shown = 0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        height, width = size or (None, None)
        for place, frame in enumerate(container.decode(stream)):
            if place % (RATE // fps) == 0:
                rgb = frame.reformat(width, height, "rgb24", interpolation="AREA", threads=1)
                shown += rgb.to_ndarray().shape[0] > 0
    return shown


def ours(path: Path, fps: int, size: tuple[int, int] | None) -> int:
    """Number of frames that the reader gives."""
    with VideoReader(path, Fraction(fps), size) as reader:
        return sum(1 for _ in reader)


def processor_seconds() -> float:
    """CPU seconds of this process and of the child processes that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def fastest(ways: list[Callable[[], int]], repeats: int) -> list[float]:
    """CPU seconds of the fastest run of each; they take turns, so that a busy moment of the machine affects all."""
    best = [float("inf")] * len(ways)
    for _ in range(repeats):
        for place, way in enumerate(ways):
            started = processor_seconds()
            way()
            best[place] = min(best[place], processor_seconds() - started)
    return best


def main() -> None:
    """Make the clip, time both loops at several rates and sizes, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rows, pictures = [], options.seconds * RATE
    table = [
        "| frames per second | size | PyAV alone, s | keyseg, s | ratio | pictures per second | times real time |",
        "|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        make_clip(path, options.seconds)
        (start,) = fastest([lambda: probe(path).width], options.repeats)
        for fps, size in [(25, None), (25, (224, 224)), (5, None), (5, (224, 224))]:
            arguments = (path, fps, size)
            assert bare(*arguments) == ours(*arguments) == options.seconds * fps
            alone, reader = fastest([lambda a=arguments: bare(*a), lambda a=arguments: ours(*a)], options.repeats)
            name = "original" if size is None else f"{size[0]} x {size[1]}"
            rows.append({"fps": fps, "size": name, "pyav_seconds": alone, "reader_seconds": reader})
            speeds = f"{pictures / reader:,.0f} | {options.seconds / reader:.1f}"
            table.append(f"| {fps} | {name} | {alone:.2f} | {reader:.2f} | {reader / alone:.2f} | {speeds} |")
    title = f"Decoding {options.seconds} s of 640 x 480 at 25 frames per second (H.264), one core, one thread"
    note = f"CPU seconds. Those of the reader include the start of its process, {start:.2f} s for any video."
    write_results(Path(__file__).parent / "results" / "video_decoding", title, table, rows, provenance(), note)


if __name__ == "__main__":
    main()
