"""The toy kitchen as videos: short H.264 films in the layout of a data set, without features.

The scripts are those of `keyseg.toy.kitchen_features`: video i of a seed follows the same one in both. A single picture
shows little; the order of movements and what happened before show the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from keyseg.data.folders import claimed
from keyseg.formats.frame_labels import write_frame_labels
from keyseg.timeline import ConfigError, DataError, OutputExistsError
from keyseg.timeline.files import is_empty, read_text, whole_file, write_text
from keyseg.toy.acting import Act, Layout, plan, play
from keyseg.toy.grammar import check_counts, video_script, write_split
from keyseg.toy.scene import HEIGHT, WIDTH, Look, Scene
from keyseg.video.extractor import Image
from keyseg.video.workers import worker_pool

FPS = 10

_FRAMES_PER_STEP = (1.5, 2.0)  # at 2, a step of the grammar, videos would be longer
_VISITS_PER_SECOND = 0.06
_VISIT_FRAMES = (6, 16)
_ABOUT = "toy-videos.json"
_ENCODER = {"preset": "ultrafast", "crf": "28"}


@dataclass(frozen=True)
class ToyVideo:
    """A video to draw: its name, the acts of a script, and the seed of everything random."""

    name: str
    acts: tuple[Act, ...]
    seed: tuple[int, int]

    @property
    def labels(self) -> list[str]:
        """The annotator's class of each frame."""
        return [act.label for act in self.acts for _ in range(act.frames)]

    def frames(self) -> Iterator[Image]:
        """The pictures in order, (180, 240, 3) uint8 RGB; the same ones in every call."""
        rng = np.random.default_rng([*self.seed, 1])
        layout = Layout(rng)
        scene = Scene(layout, Look(rng), rng)
        total = sum(act.frames for act in self.acts)
        visits, shakes, flicker = _visits(total, rng), _shakes(total, rng), rng.uniform(0.3, 1.2)
        for i, pose in enumerate(play(self.acts, layout, rng, FPS)):
            yield scene.frame(pose, rng, shakes[i], visits.get(i), flicker * i)


def toy_video(index: int, seed: int = 0) -> ToyVideo:
    """Video `index` of a toy kitchen, which does not depend on the counts. Recipes take turns.

    >>> video = toy_video(0)
    >>> video.name, len(video.labels)
    ('tea_000', 351)
    """
    name, script, rng = video_script(index, seed)
    ends = np.round(np.cumsum([step.duration for step in script]) * rng.uniform(*_FRAMES_PER_STEP)).astype(int)
    return ToyVideo(name, plan(script, np.diff(ends, prepend=0).tolist(), rng), (seed, index))


def write_toy_videos(root: Path, *, videos: int = 32, test_videos: int = 8, seed: int = 0, workers: int = 2) -> Path:
    """Draw `videos` toy videos, of which the last `test_videos` are the test set; return `root`.

    Files, in the common layout of action segmentation data: `videos/VIDEO.mp4` (10 frames per second),
    `groundTruth/VIDEO.txt` (one label per frame), `mapping.txt`, `splits/train.split1.bundle` and
    `splits/test.split1.bundle`, the bundles last. Each is written whole or not at all, and an interrupted call resumes
    when it is repeated. workers: number of drawing processes; several ones import the main module, so a script must
    guard its calls with `if __name__ == "__main__"`. Raises OutputExistsError if `root` holds anything else,
    ConfigError as `check_counts`.
    """
    check_counts(videos, test_videos, seed)
    if workers < 1:
        raise ConfigError(f"workers must be at least 1, got {workers}")
    about = json.dumps({"videos": videos, "test_videos": test_videos, "seed": seed}) + "\n"
    _check_ours(root, about)
    with claimed(root) as free:
        if not free:
            raise ConfigError(
                f"{root}: another process is drawing toy videos here; wait for it, or choose another folder"
            )
        write_text(root / _ABOUT, about)
        for partial in (root / "videos").glob(".*.partial"):
            partial.unlink()
        toy_videos = [toy_video(index, seed) for index in range(videos)]
        _draw_all(root, toy_videos, workers)
        write_split(root, [video.name for video in toy_videos], test_videos)
    return root


def write_video(path: Path, frames: Iterator[Image]) -> None:
    """Write frames (H, W, 3) uint8 as an H.264 MP4 that browsers play; the file appears whole or not at all."""
    import av

    try:
        # With the index in front, a browser can jump to any time before the whole file is loaded.
        with (
            whole_file(path) as partial,
            av.open(str(partial), "w", format="mp4", options={"movflags": "+faststart"}) as container,
        ):
            stream = container.add_stream("libx264", rate=FPS, options=_ENCODER)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            stream.gop_size = 2 * FPS
            stream.codec_context.thread_count = 1
            for i, image in enumerate(frames):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = i, Fraction(1, FPS)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    except (av.FFmpegError, OSError) as error:
        raise DataError(
            f"{path}: cannot write the video ({error}); check the free space and your permissions, then run it again:"
            " finished videos are kept"
        ) from error


def _check_ours(root: Path, about: str) -> None:
    """Raise OutputExistsError unless the folder is new, empty, or holds the same toy videos or some of them."""
    if not root.exists() or (root.is_dir() and is_empty(root)):
        return
    try:
        existing = read_text(root / _ABOUT, "what the toy videos are")
    except DataError:
        raise OutputExistsError(
            f"{root} is not empty and holds no toy videos; they are only written into a new or empty folder"
        ) from None
    if existing != about:
        raise OutputExistsError(
            f"{root} holds other toy videos, {existing.strip()}, not {about.strip()}; choose another folder"
        )


def _draw_all(root: Path, videos: Sequence[ToyVideo], workers: int) -> None:
    missing = [video for video in videos if not all(path.is_file() for path in _paths(root, video))]
    if workers == 1 or len(missing) < 2:
        for video in missing:
            _draw(root, video)
        return
    try:
        with worker_pool(min(workers, len(missing))) as pool:
            for done in as_completed([pool.submit(_draw, root, video) for video in missing]):
                done.result()
    except BrokenProcessPool as error:
        raise DataError(
            f"{root}: a process that draws toy videos ended; run it again: finished videos are kept. If that does not"
            ' help, use workers=1; in a script, call this below `if __name__ == "__main__":`'
        ) from error


def _paths(root: Path, video: ToyVideo) -> tuple[Path, Path]:
    return root / "videos" / f"{video.name}.mp4", root / "groundTruth" / f"{video.name}.txt"


def _draw(root: Path, video: ToyVideo) -> None:
    path, labels = _paths(root, video)
    write_video(path, video.frames())
    write_frame_labels(labels, video.labels)


def _shakes(frames: int, rng: np.random.Generator) -> Sequence[complex]:
    """The offset of the camera in each frame, in whole pixels, changing by at most one at a time."""
    steps = rng.choice([-1, 0, 1], p=[0.06, 0.88, 0.06], size=(frames, 2))
    away = np.cumsum(steps, axis=0)
    # Folded at 2 pixels, so that it never drifts away: ... 1, 2, 1, 0, -1, -2, -1 ...
    near = np.abs((away - 2) % 8 - 4) - 2
    return [complex(x, y) for x, y in near.tolist()]


def _visits(frames: int, rng: np.random.Generator) -> dict[int, complex]:
    """Frames in which someone else's hand reaches into the corner, and its position."""
    positions: dict[int, complex] = {}
    for start in np.flatnonzero(rng.random(frames) < _VISITS_PER_SECOND / FPS).tolist():
        length = int(rng.integers(*_VISIT_FRAMES))
        to = complex(rng.uniform(185, 225), rng.uniform(20, 60))
        for i in range(length):
            positions[start + i] = 262 - 30j + np.sin(np.pi * (i + 0.5) / length) * (to - (262 - 30j))
    return positions
