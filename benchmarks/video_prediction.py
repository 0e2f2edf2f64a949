"""From a video file to a timeline: time and peak memory of `keyseg predict BUNDLE VIDEO.mp4`, by video length.

python benchmarks/video_prediction.py [--minutes 1 10]
The video is drawn (H.264, 640 x 480, 30 frames per second). The bundle holds an RTK of the default sizes with random
weights, for `motion` features at 15 fps. Memory is the proportional set size of all processes of the command together,
sampled 20 times per second. Writes benchmarks/results/video_prediction.md and .json.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

from keyseg.inference.bundle import save_bundle
from keyseg.inference.decoders import KeypointDecoder
from keyseg.inference.predictor import Predictor
from keyseg.models.rtk import RTK, RTKConfig
from keyseg.timeline import LabelMap
from keyseg.video.extraction import origin_of
from keyseg.video.extractors import make_extractor
from provenance import provenance, write_results

CLASSES, RATE, SECONDS = 19, 30, 20


def write_video(path: Path, minutes: int) -> None:
    """Write a video of something that moves over a texture: some seconds are drawn, then repeated packet by packet."""
    rng = np.random.default_rng(0)
    ground = np.repeat(np.repeat(rng.integers(60, 190, (60, 80, 3), dtype=np.uint8), 8, 0), 8, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        packets = []
        for i in range(SECONDS * RATE):
            picture = ground.copy()
            x, y = int(260 + 200 * np.sin(i / 17)), int(180 + 120 * np.cos(i / 29))
            picture[y : y + 90, x : x + 90] = (230, 180, 150)
            packets += stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24"))
        packets += stream.encode()
        content = [(packet.pts, packet.dts, packet.is_keyframe, bytes(packet)) for packet in packets]
        tick = Fraction(1, RATE) / packets[0].time_base
        for repeat in range(minutes * 60 // SECONDS):
            later = int(repeat * SECONDS * RATE * tick)
            for pts, dts, is_keyframe, data in content:
                packet = av.Packet(data)
                packet.stream, packet.time_base = stream, packets[0].time_base
                packet.pts, packet.dts, packet.is_keyframe = pts + later, dts + later, is_keyframe
                container.mux(packet)


def write_bundle(folder: Path) -> None:
    """Save an RTK with random weights that reads motion features."""
    torch.manual_seed(0)
    extractor = make_extractor("motion")
    origin = origin_of(extractor, Fraction(15))
    labels = LabelMap(tuple(f"action{i}" for i in range(CLASSES)))
    model = RTK(RTKConfig(), origin.dimension, CLASSES).eval()
    predictor = Predictor(
        system="rtk",
        model=model,
        labels=labels,
        timebase=origin.timebase,
        decoder=KeypointDecoder(),
        orientation="TD",
        origin=origin,
    )
    save_bundle(predictor, folder, {})


def measured(command: list[str]) -> tuple[float, float]:
    """Seconds and peak GiB of a command, with all its processes."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
    peak, ended = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.05):
            peak = max(peak, sum(_proportional_kib(pid) for pid in _family(process.pid)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    seconds = time.perf_counter() - started
    ended.set()
    watcher.join()
    if code:
        raise SystemExit(f"{' '.join(command)} ended with {code}")
    return seconds, peak / 2**20


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(member for child in children for member in _family(int(child)))]


def _proportional_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def main() -> None:
    """Draw, predict, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 10])
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_bundle(folder / "bundle")
        for minutes in options.minutes:
            video = folder / f"{minutes}.mp4"
            write_video(video, minutes)
            command = [sys.executable, "-m", "keyseg", "predict", str(folder / "bundle"), str(video)]
            command += ["--out", str(folder / "out"), "--cache", str(folder / "cache"), "--format", "csv,eaf,vtt"]
            seconds, peak = measured(command)
            again, _ = measured([*command, "--force"])
            rows.append({"minutes": minutes, "seconds": seconds, "again": again, "peak_gib": peak})
    table = ["| video, minutes | seconds | times real time | seconds with cached features | peak memory, GiB |"]
    table.append("|---|---|---|---|---|")
    for row in rows:
        speed = 60 * row["minutes"] / row["seconds"]
        cells = f"{row['seconds']:.1f} | {speed:.0f} | {row['again']:.1f} | {row['peak_gib']:.2f}"
        table.append(f"| {row['minutes']} | {cells} |")
    title = "keyseg predict of a video file, 640 x 480 at 30 fps, motion features at 15 fps, one thread"
    write_results(Path(__file__).parent / "results" / "video_prediction", title, table, rows, provenance())


if __name__ == "__main__":
    main()
