"""keyseg convert: annotations and timelines between the files of many tools."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from keyseg.cli.options import Background, FrameRate, PositiveNumber
from keyseg.timeline import Overlap


def convert_verb(
    source: Annotated[Path, Parameter(name="IN")],
    target: Annotated[Path, Parameter(name="OUT")],
    /,
    *,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    to: str | None = None,
    fps: FrameRate | None = None,
    frames: PositiveNumber | None = None,
    overlap: Overlap = "error",
    tier: str | None = None,
    background: Background = None,
    force: bool = False,
) -> int:
    """Convert annotations and timelines from the files of one tool to those of another.

    For example: `keyseg convert session.eaf session.txt --fps 30`. Times stay exact to the frame.

    Parameters
    ----------
    source
        File with annotations, or a folder of such files.
    target
        File, whose suffix tells the format, or a folder that gets one file per video.
    from_
        Format of the source: txt, recog, csv, tsv, json, activitynet, epic, vtt, srt, eaf, boris, audacity, textgrid,
        labelstudio, rttm, otio or edl. Default: detected from the file's name and content.
    to
        Format of the target, one of the same. Default: detected from the suffix of OUT; for a folder, the format of
        the source.
    fps
        Annotation frames per second, such as 15 or 30000/1001. Needed where a format counts frames, such as txt, json
        or edl, and the source does not contain the rate.
    frames
        Length of the video in frames, where the source does not contain it. Default: the end of the last action.
    overlap
        Where two actions overlap and the target allows one label at a time: error reports them; first keeps the one
        that starts first; last lets the one that starts last interrupt it.
    tier
        Which of several tiers of ELAN or Praat, tracks of OpenTimelineIO, or subjects of BORIS.
    background
        Names of classes that are not actions; gaps between actions get the first one. none for no such class. Default:
        the class 'background'.
    force
        Overwrite existing files.
    """
    from keyseg.formats.conversion import convert

    written = convert(
        source,
        target,
        from_format=from_,
        to_format=to,
        fps=fps,
        frames=frames,
        overlap=overlap,
        tier=tier,
        background=background,
        force=force,
        report=partial(print, "note:", file=sys.stderr),
    )
    print(*written, sep="\n")
    return 0
