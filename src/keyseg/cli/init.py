"""keyseg init: a data set from a user's own videos and annotations."""

from __future__ import annotations

import sys
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from keyseg.cli.options import FrameRate, PositiveNumber
from keyseg.timeline import Overlap

Names = Annotated[tuple[str, ...], Parameter(consume_multiple=True, show_default=False)]
Paths = Annotated[tuple[Path, ...], Parameter(consume_multiple=True)]


def init_verb(
    data: Path,
    /,
    *,
    videos: Paths,
    annotations: Paths,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    tier: str | None = None,
    groups: Path | None = None,
    splits: int | None = None,
    fps: FrameRate = Fraction(15),
    background: Names = (),
    overlap: Overlap = "error",
    extractor: str = "motion",
    workers: PositiveNumber = 1,
    cache: Path | None = None,
    damaged: bool = False,
) -> int:
    """Make a data set to train on from your own videos and annotations: features, labels per frame, classes, splits.

    A video and its annotation belong together by name: `day1.mp4` and `day1.eaf`, or rows of a table that name `day1`
    or `day1.mp4`. Files without a partner are reported and left out. After an interruption the same command resumes.

    Parameters
    ----------
    data
        New folder for the data set.
    videos
        Video files, or folders of video files.
    annotations
        Annotation files, or folders of them: ELAN, BORIS, TextGrid, subtitles, tables and more; see keyseg convert.
    from_
        Format of the annotations. Default: detected from their names and contents.
    tier
        Which tier of ELAN or TextGrid files that have several.
    groups
        CSV table with the columns video and group, such as the person in the video: no group is both trained and
        tested on in one split. Default: each video is its own group.
    splits
        Number of train/test splits for cross-validation. Default: 4, or the number of groups if there are fewer.
    fps
        Frames per second of the labels and features, such as 15 or 30000/1001.
    background
        Labels that mean that nothing is done, besides 'background'; their times become background.
    overlap
        Where two labels overlap: error reports both; first keeps the one that starts first; last lets the one that
        starts last interrupt it.
    extractor
        Feature extractor; see keyseg features.
    workers
        Number of videos to process at the same time, each in its own process.
    cache
        Folder that keeps features by the content of the video; see keyseg features.
    damaged
        Accept damaged videos; see keyseg features.
    """
    from keyseg.cli.features import FeatureProgress
    from keyseg.video.user_dataset import init_dataset

    with FeatureProgress(len(videos)) as shown:
        made = init_dataset(
            data,
            videos,
            annotations,
            from_format=from_,
            tier=tier,
            groups=groups,
            splits=splits,
            fps=fps,
            background=background,
            overlap=overlap,
            extractor=extractor,
            workers=workers,
            cache=cache,
            damaged=damaged,
            report=partial(print, "note:", file=sys.stderr),
            notify=shown,
        )
    size = f"{made.videos} videos, {made.frames:,} frames at {made.fps} fps, {made.classes} classes"
    print(f"{data}: {size}, {made.splits} splits")
    print(f"next: keyseg check {data}; keyseg train {data} --split all --out runs/{data.resolve().name}")
    return 0
