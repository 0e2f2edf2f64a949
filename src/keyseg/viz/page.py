"""The report: one HTML file with scores, timelines, figures and their provenance."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from types import MappingProxyType
from typing import TYPE_CHECKING

from keyseg.timeline import LabelMap, TimeBase
from keyseg.viz.colours import class_colours
from keyseg.viz.figures import refuse_existing, render, write_whole
from keyseg.viz.page_bars import colour_rules, legend_block, video_block
from keyseg.viz.page_player import (
    KeyFrame,
    check_key_frames,
    check_size,
    embedded,
    embedded_address,
    key_frame_row,
    player_block,
    relative_address,
)
from keyseg.viz.rows import Row, check_rows, occurring_ids

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = {"f1@10": "F1@10", "f1@25": "F1@25", "f1@50": "F1@50", "edit": "Edit", "acc": "Acc"}


@dataclass(frozen=True, slots=True)
class VideoTimeline:
    """One video: its name and one (name, segmentation) row per system, the ground truth first.

    video: a file to play beside the rows, or None. key_frames: (seconds, image) in order of time, as `read_key_frames`
    returns them, for example at the times of `key_frame_times`; they carry the labels of the first row.
    """

    name: str
    rows: tuple[Row, ...]
    video: Path | None = None
    key_frames: tuple[KeyFrame, ...] = ()


def write_report(
    path: str | Path,
    *,
    title: str,
    introduction: str,
    scores: Mapping[str, Mapping[str, float]],
    videos: Sequence[VideoTimeline],
    labels: LabelMap,
    timebase: TimeBase,
    linked: bool = False,
    figures: Mapping[str, Figure] = MappingProxyType({}),
    provenance: Mapping[str, str] = MappingProxyType({}),
    force: bool = False,
) -> Path:
    """Write one HTML file, which loads nothing from the network, and return its path.

    scores: in percent, by system and measure, as `Report.to_json` names them; NaN for a missing one. figures: by
    caption. provenance: where the numbers come from, such as command, version and seed, by name.
    A section without content is left out. linked: the page plays the video files where they lie, by their relative
    paths, and they are not read. Otherwise they are part of the page, so they must be small and in a format that
    browsers play. Raises TimelineError if rows, video and key frames do not fit together, DataError on a video that
    cannot be part of the page, OutputExistsError if the file exists and `force` is not set.
    """
    path = Path(path)
    refuse_existing(path, force)
    size, blocks, players = 0, [], 0
    for video in videos:
        total = timebase.start_seconds(check_rows(video.rows, labels, f"video {video.name!r}"))
        check_key_frames(video.name, video.key_frames, total)
        player = strip = ""
        if video.video is not None:
            players += 1
            if linked:
                address = relative_address(video.video, path)
            else:
                content = embedded(video.video, total)
                size += len(content)
                check_size(f"the {players} videos of this page have", size)
                address = embedded_address(content)
            player = player_block(video.name, address, video.rows)
        if video.key_frames:
            strip = key_frame_row(video.key_frames, video.rows[0], labels, timebase, bool(player))
        blocks.append(video_block(video.name, video.rows, labels, timebase, player=player, key_frames=strip))
    shown = occurring_ids([row for video in videos for row in video.rows])
    sections = {
        "Scores": _scores(scores) if scores else "",
        "Timelines": "\n".join([legend_block(shown, labels), *blocks]) if videos else "",
        "Figures": "\n".join(map(_figure, figures, figures.values())),
        "Provenance": _provenance(provenance) if provenance else "",
    }
    style = _resource("report.css") + _resource("player.css") + colour_rules(shown, class_colours(labels))
    script = _resource("report.js") + (_resource("player.js") if players else "")
    page = Template(_resource("report.html")).substitute(
        title=escape(title),
        policy=_policy(style, script, "'self' file:" if linked else "data:"),
        introduction=escape(introduction),
        style=style,
        sections="\n".join(
            f'<section id="{name.lower()}">\n<h2>{name}</h2>\n{body}\n</section>'
            for name, body in sections.items()
            if body
        ),
        script=script,
    )
    return write_whole(path, page.encode("utf-8", errors="replace"))


def policy_of(page: bytes) -> str:
    """The Content-Security-Policy that a report states, for a server to send with it."""
    found = re.search(rb'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    assert found is not None, "not a report"
    return found[1].decode()


def _policy(style: str, script: str, media: str) -> str:
    """What a browser lets the page do: use this style and run this script, by their content, and nothing else."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; base-uri 'none';"
        f" form-action 'none'; img-src data:; media-src {media}"
    )


def _resource(name: str) -> str:
    return resources.files("keyseg.viz").joinpath(name).read_text(encoding="utf-8")


def _scores(scores: Mapping[str, Mapping[str, float]]) -> str:
    # Scores that print the same are equally good, so the best is taken from the rounded values.
    rounded = [[round(row[measure], 1) for measure in _COLUMNS] for row in scores.values()]
    best = [max((v for v in column if not math.isnan(v)), default=math.nan) for column in zip(*rounded, strict=True)]
    head = "".join(f'<th scope="col">{name}</th>' for name in ("System", *_COLUMNS.values()))
    lines = []
    for system, values in zip(scores, rounded, strict=True):
        cells = "".join(_score_cell(value, top) for value, top in zip(values, best, strict=True))
        lines.append(f'<tr><th scope="row">{escape(system)}</th>{cells}</tr>')
    return (
        '<div class="wide"><table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n" + "\n".join(lines) + "\n</tbody>\n</table></div>\n"
        "<p>Percent; the best value of a column is bold.</p>"
    )


def _score_cell(value: float, best: float) -> str:
    if math.isnan(value):
        return "<td>–</td>"
    return f"<td><b>{value:.1f}</b></td>" if value == best else f"<td>{value:.1f}</td>"


def _figure(caption: str, figure: Figure) -> str:
    # An image of its own, so that ids in one SVG cannot collide with those in another.
    data, text = base64.b64encode(render(figure, "svg")).decode("ascii"), escape(caption)
    return f'<figure><img alt="{text}" src="data:image/svg+xml;base64,{data}"><figcaption>{text}</figcaption></figure>'


def _provenance(provenance: Mapping[str, str]) -> str:
    rows = "\n".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in provenance.items())
    return f"<dl>\n{rows}\n</dl>"
