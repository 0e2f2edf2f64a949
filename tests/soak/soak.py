"""Many predictions in one process, and what it holds after them; and several processes at once in one folder."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

from keyseg.inference.bundle import save_bundle
from keyseg.inference.folder import predict_files
from keyseg.inference.predictor import Predictor
from keyseg.inference.systems import SYSTEMS
from keyseg.timeline import KeysegError, LabelMap, TimeBase
from keyseg.video.extraction import origin_of
from keyseg.video.extractors import make_extractor

DIMENSION = 8


@dataclass(frozen=True)
class Held:
    """What the process holds. memory: resident bytes."""

    memory: int
    threads: int
    files: int
    children: int
    temporary: int


def held() -> Held:
    """Of this process, as Linux counts it."""
    gc.collect()
    process = Path("/proc/self")
    memory = int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    children = sum(len(path.read_text().split()) for path in process.glob("task/*/children"))
    temporary = len(list(Path(tempfile.gettempdir()).iterdir()))
    return Held(memory, threading.active_count(), len(list((process / "fd").iterdir())), children, temporary)


def bundles(folder: Path) -> dict[str, Path]:
    """Two small bundles: RTK on features of 8 channels, and MS-TCN++ on videos, by `motion`."""
    labels = LabelMap(("background", "cut", "pour"), ("background",))
    motion = origin_of(make_extractor("motion"), Fraction(10))
    made = {}
    for name, dimension, origin, sizes in (
        ("rtk", DIMENSION, None, {"backbone": {"channels": 8, "encoder_layers": 2, "decoder_layers": 2}}),
        ("ms-tcn++", motion.dimension, motion, {"channels": 8, "generator_layers": 2, "refinements": 0}),
    ):
        torch.manual_seed(0)
        system = SYSTEMS[name]
        network = system.network(system.config(**sizes), dimension, len(labels)).eval()
        predictor = Predictor(
            system=name,
            model=network,
            labels=labels,
            timebase=TimeBase(10),
            decoder=system.decoder(),
            origin=origin,
        )
        made[name] = save_bundle(predictor, folder / name, {})
    return made


def inputs(folder: Path) -> dict[str, list[Path]]:
    """Good and bad inputs of each bundle: features and short videos."""
    folder.mkdir()
    random = np.random.default_rng(0)
    features, videos = [], []
    for name, array in {
        "good": random.normal(size=(DIMENSION, 40)).astype(np.float32),
        "long": random.normal(size=(DIMENSION, 900)).astype(np.float16),
        "nan": np.full((DIMENSION, 20), np.nan, np.float32),
        "huge": np.full((DIMENSION, 20), 3e38, np.float32),
        "narrow": np.ones((3, 20), np.float32),
        "texts": np.full((DIMENSION, 20), "x"),
    }.items():
        features.append(folder / f"{name}.npy")
        np.save(features[-1], array)
    features.append(folder / "cut.npy")
    features[-1].write_bytes(features[0].read_bytes()[:-9])
    features.append(folder / "missing.npy")
    film = folder / "film.mp4"
    with av.open(str(film), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        for picture in random.integers(0, 255, (15, 64, 64, 3), np.uint8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    videos += [film, folder / "cut.mp4", folder / "text.mp4"]
    videos[1].write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    videos[2].write_text("no film")
    return {"rtk": features, "ms-tcn++": videos}


def soak(folder: Path, count: int, videos: int = 10) -> Iterator[tuple[int, Held, int]]:
    """Predict `count` times, one input of `videos` a video; after each 20: number, what is held, timelines written.

    Raises AssertionError if a good input failed, a bad one did not, or a result is not that of the first time.
    """
    made, files = bundles(folder / "bundles"), inputs(folder / "inputs")
    good, first, written = {"good", "long", "film"}, {}, 0
    for number in range(count):
        bundle = "ms-tcn++" if number % videos == 0 else "rtk"
        turn = number // videos if bundle == "ms-tcn++" else number
        file = files[bundle][turn % len(files[bundle])]
        out = folder / "out"
        try:
            done: Any = predict_files(
                made[bundle], [file], out=out, force=True, cache=folder / "cache" / str(number % 3), device="cpu"
            )
            text = (out / f"{file.stem}.txt").read_bytes() if not done.failed else b""
        except KeysegError:
            text = b""
        assert bool(text) == (file.stem in good), file
        assert first.setdefault(file, text) == text, file
        written += bool(text)
        (out / f"{file.stem}.txt").unlink(missing_ok=True)
        if (number + 1) % 20 == 0:
            yield number + 1, held(), written


def growth(before: Held, after: Held) -> dict[str, int]:
    """What has become more."""
    return {name: value - asdict(before)[name] for name, value in asdict(after).items()}


def together(folder: Path, verb: str, count: int) -> int:
    """Run one command `count` times at once, on one folder; return how many ended right.

    Raises AssertionError if none did, one failed without a message, the files are not those of one alone, or something
    hidden is left.
    """
    made, film = bundles(folder / "bundles"), str(inputs(folder / "inputs")["ms-tcn++"][0])
    arguments = {
        "predict": ["predict", str(made["ms-tcn++"]), film, "--cache", "cache"],
        "features": ["features", film, "--extractor", "motion", "--fps", "10", "--cache", "cache"],
    }[verb]
    alone = _keyseg([*arguments, "--out", "alone"], folder)
    assert alone.returncode == 0, alone.stderr
    with ThreadPoolExecutor(count) as pool:
        done = list(pool.map(lambda _: _keyseg([*arguments, "--out", "together"], folder), range(count)))
    for one in done:
        assert one.returncode in (0, 1, 2), one.stderr
        assert one.returncode == 0 or "error: " in one.stderr, one.stderr
        assert "Traceback" not in one.stderr, one.stderr
    one_alone, all_together = (
        {path.name: path.read_bytes() for path in (folder / name).rglob("*") if path.suffix != ".lock"}
        for name in ("alone", "together")
    )
    assert all_together == one_alone
    assert not [path for path in folder.rglob(".*") if path.suffix != ".lock"]
    return sum(one.returncode == 0 for one in done)


def _keyseg(arguments: list[str], place: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "keyseg", *arguments]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, encoding="utf-8", check=False)
