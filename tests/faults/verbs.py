"""The verbs that write, each with a small input: what it needs, and how it is run again after a fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import workshop

TIMELINE = "take\ntake\npour\npour\npour\nstir\n"
TINY = [
    word
    for change in (
        *(change for change in workshop.TINY if not change.startswith("optimiser.epochs")),
        "optimiser.epochs=1",
        "matching.join_epoch=0",
    )
    for word in ("--set", change)
]


@dataclass(frozen=True)
class Verb:
    """A command with paths below a folder. needs: what lies there before. again: what continues it; the same command
    where there is nothing. earlier: a file that is replaced, of which the old or the new content is there at any time.
    """

    command: Callable[[Path], Sequence[str | Path]]
    needs: Callable[[Path], None]
    again: Callable[[Path], Sequence[str | Path]] | None = None
    earlier: Sequence[str] = ()
    ignored: Sequence[str] = field(default=())


def _timelines(place: Path) -> None:
    (place / "in").mkdir()
    for name in ("a", "b"):
        (place / "in" / f"{name}.txt").write_text(TIMELINE)


def _converted(place: Path) -> None:
    _timelines(place)
    (place / "out").mkdir()
    for name in ("a", "b"):
        (place / "out" / f"{name}.csv").write_text("old")


def _tracks(place: Path) -> None:
    (place / "videos").mkdir()
    random = np.random.default_rng(3)
    for name in ("a", "b"):
        steps = random.normal(size=(40, 4)).cumsum(0).round(2)
        rows = [f"{i},{x},{y},0.9,{u},{v},0.9" for i, (x, y, u, v) in enumerate(steps)]
        head = ["scorer,s,s,s,s,s,s", "bodyparts,nose,nose,nose,tail,tail,tail", "coords" + ",x,y,likelihood" * 2]
        (place / "videos" / f"{name}.csv").write_text("\n".join([*head, *rows]) + "\n")


def _with_features(place: Path) -> None:
    _tracks(place)
    (place / "out").mkdir()
    for name in ("a", "b"):
        np.save(place / "out" / f"{name}.npy", np.zeros((3, 3)))


def _annotated(place: Path) -> None:
    _tracks(place)
    (place / "sheets").mkdir()
    for name in ("a", "b"):
        (place / "sheets" / f"{name}.csv").write_text("start,end,label\n0,1.2,take\n1.2,2.5,pour\n")


def _stated(place: Path) -> None:
    _annotated(place)
    (place / "set").mkdir()
    (place / "set" / "dataset.yaml").write_text("# ours\nfps: 10\n")


def _features(place: Path, *more: str) -> list[str | Path]:
    return [
        *("features", place / "videos", "--extractor", "poses", "--track-fps", "10", "--out", place / "out"),
        *("--cache", place / "cache", *more),
    ]


def _init(place: Path) -> list[str | Path]:
    return [
        *("init", place / "set", "--videos", place / "videos", "--annotations", place / "sheets"),
        *("--extractor", "poses", "--track-fps", "10", "--cache", place / "cache"),
    ]


def _data_set(place: Path) -> None:
    workshop.Workshop(place / "set").write(place / "set")


def _train(place: Path, *more: str) -> list[str | Path]:
    return ["train", place / "set", "--out", place / "run", *TINY, *more]


VERBS: dict[str, Verb] = {
    "convert": Verb(
        lambda place: ["convert", place / "in", place / "out", "--to", "csv", "--fps", "2"],
        _timelines,
        lambda place: ["convert", place / "in", place / "out", "--to", "csv", "--fps", "2", "--force"],
    ),
    "convert --force": Verb(
        lambda place: ["convert", place / "in", place / "out", "--to", "csv", "--fps", "2", "--force"],
        _converted,
        earlier=("out/a.csv", "out/b.csv"),
    ),
    "features": Verb(_features, _tracks),
    "features --force": Verb(lambda place: _features(place, "--force"), _with_features, earlier=("out/a.npy",)),
    "init": Verb(_init, _annotated),
    "init into a folder": Verb(_init, _stated),
    "train": Verb(_train, _data_set, lambda place: _train(place, "--resume")),
}
