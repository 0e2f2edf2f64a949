"""keyseg demo: the whole way from videos to timelines, on a data set that is drawn on the spot."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from keyseg.cli.features import FeatureProgress
from keyseg.cli.terminal import say, show
from keyseg.cli.verb import command_line


def demo_verb(*, out: Path = Path("demo"), epochs: int | None = None, force: bool = False) -> int:
    """Draw toy kitchen videos, train RTK on them for half a minute, label unseen videos, write report.html.

    This is the way that your own videos go: video files, features, training, timelines.

    Args:
        out: Folder for the videos, the run, the timelines and the report.
        epochs: Number of epochs, for a shorter or longer training.
        force: Train again in a folder that holds a demo. Without it, an interrupted demo resumes.
    """
    from keyseg.cli.training_progress import show_lines
    from keyseg.toy.demo import run_demo

    started = time.perf_counter()
    result = run_demo(
        out,
        epochs=epochs,
        force=force,
        command=command_line(["demo", "--out", str(out)]),
        say=say,
        extraction=lambda videos: FeatureProgress(videos, quiet=True),
        callbacks=show_lines,
    )
    _print_scores(result.scores)
    show(f"\ndone in {time.perf_counter() - started:.0f} s")
    show(f"report:    {result.report}  <- open it in a browser: the videos play along with their timelines")
    show(f"bundle:    {result.bundle}")
    show(f"timelines: {result.timelines}")
    keyseg = _as_called()
    bundle, video, mine = (quote(str(path)) for path in (result.bundle, result.videos[0], out / "mine"))
    show(f"next:      {keyseg} predict {bundle} {video} --out {mine} --format csv,eaf,vtt")
    show(f"           {keyseg} init DATA --videos VIDEOS --annotations ANNOTATIONS   (your own videos)")
    show(f"           {keyseg} train DATA --out runs/mine")
    return 0


def _as_called() -> str:
    """`keyseg` if the shell finds it, else the path by which this process was started."""
    if shutil.which("keyseg") or not sys.argv[0].endswith("keyseg"):
        return "keyseg"
    try:
        return os.path.relpath(sys.argv[0])
    except ValueError:  # on another drive of Windows
        return sys.argv[0]


def _print_scores(scores: Mapping[str, Mapping[str, float]]) -> None:
    from keyseg.toy.demo import FRAME_CLASSIFIER
    from keyseg.training.tables import SCORES

    show(f"\n{'unseen videos':<28}  F1@10  F1@25  F1@50   Edit    Acc")
    for title, row in scores.items():
        show(f"{title:<28}{''.join(f'{row[name]:>7.1f}' for name in SCORES)}")
    gains = [scores["RTK"][name] - scores[FRAME_CLASSIFIER][name] for name in ("f1@50", "edit", "acc")]
    show("RTK over the classifier of single frames: F1@50 {:+.1f}, Edit {:+.1f}, Acc {:+.1f}".format(*gains))
