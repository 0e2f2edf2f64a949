"""The BORIS loop: init, train, predict a project, correct it as BORIS does, and init on old and new together."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from keyseg.formats import annotations_text
from keyseg.formats.frame_labels import read_frame_labels
from keyseg.timeline import Annotation, Interval
from moving_square import pictures

NAMES = ("ann 1", "ann 2", "bob.1", "bob.2")


@pytest.fixture
def home(make_clip: Callable[..., Path], tmp_path: Path) -> Path:
    """videos/ of four recordings, one project about all of them, and a new recording in new/."""
    right, left = Interval(Fraction(8, 10), 2, "go right"), Interval(Fraction(26, 10), Fraction(38, 10), "go left")
    known = []
    for number, name in enumerate(NAMES):
        film = make_clip(tmp_path / "videos" / f"{name}.mp4", pictures(number))
        known.append(Annotation(name, (right, left), Fraction(46, 10), Fraction(10), media=str(film)))
    (tmp_path / "all.boris").write_text(annotations_text("boris-project", known), encoding="utf-8")
    make_clip(tmp_path / "new" / "tea 1.mp4", pictures(4))
    return tmp_path


def correct(path: Path) -> None:
    """Other times, a behaviour more, and what BORIS adds when it saves a project."""
    project = json.loads(path.read_text(encoding="utf-8"))
    behaviours = project["behaviors_conf"]
    new = {**behaviours["0"], "code": "wave", "key": "w", "description": "with a hand", "category": "play"}
    project["behaviors_conf"] = {**behaviours, str(len(behaviours)): new}
    project["behavioral_categories"] = ["play"]
    ((_, observation),) = project["observations"].items()
    times = {"go_right": (0.7, 1.9), "wave": (1.9, 2.1), "go_left": (2.5, 3.7)}
    events = [[time, "", label, "", "", 10 * time] for label, span in times.items() for time in span]
    observation["events"] = sorted(events, key=lambda event: event[0])
    observation["media_info"]["cut_off"] = {}
    path.write_text(json.dumps(project, indent=None), encoding="utf-8")


def test_the_boris_loop(home: Path, keyseg: Any, options: tuple[str, ...]) -> None:
    base = ("--fps", 10, "--cache", home / "cache")
    answer = keyseg("init", home / "data", "--videos", home / "videos", "--annotations", home / "all.boris", *base)
    assert answer.code == 0, answer.err
    assert sorted(path.stem for path in (home / "data" / "groundTruth").iterdir()) == sorted(NAMES)
    assert keyseg("train", home / "data", "--out", home / "run", *options).code == 0
    bundle, out = home / "run" / "split1" / "seed0" / "bundle", home / "corrected"
    answer = keyseg(
        *("predict", bundle, home / "new", "--out", out, "--cache", home / "cache"),
        *("--format", "boris-project,boris"),
    )
    assert answer.code == 0, answer.err
    ((_, observation),) = json.loads((out / "tea 1.boris").read_text())["observations"].items()
    assert [media for media in observation["file"].values() if media] == [[str(home / "new" / "tea 1.mp4")]]

    correct(out / "tea 1.boris")
    (out / "tea 1.boris.csv").unlink()
    films = ("--videos", home / "videos", home / "new", "--annotations", home / "all.boris", out)
    answer = keyseg("init", home / "second", *films, *base)
    assert answer.code == 0, answer.err
    wanted = ["background"] * 46
    for start, end, label in ((7, 19, "go_right"), (19, 21, "wave"), (25, 37, "go_left")):
        wanted[start:end] = [label] * (end - start)
    assert read_frame_labels(home / "second" / "groundTruth" / "tea 1.txt") == wanted
    assert len(list((home / "second" / "groundTruth").iterdir())) == 5
    assert keyseg("train", home / "second", "--out", home / "again", *options).code == 0
