"""The player of the report: a video inside the page, key frames, and what the script needs to keep them in step."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from fractions import Fraction
from html import escape
from pathlib import Path
from urllib.parse import quote

from keyseg.timeline import DataError, LabelMap, Segmentation, TimeBase, TimelineError
from keyseg.video.decode_client import open_file
from keyseg.video.extractor import Image
from keyseg.video.protocol import VideoInfo
from keyseg.video.reading import probe
from keyseg.viz.clock import axis_time
from keyseg.viz.rows import Row, check_image

MOST_BYTES = 20_000_000  # all videos of a page together: a browser holds the page in memory

_PLAYED = {"mp4": ("h264", "vp9", "av1"), "webm": ("vp8", "vp9", "av1")}
_CONVERT = "ffmpeg -i IN -vf scale=-2:240 -c:v libx264 -crf 28 -pix_fmt yuv420p -an -movflags +faststart OUT.mp4"
# The timeline may end this much after the video: sound, rounding and a lost last frame can add up to it.
_SLACK_SECONDS = 1

KeyFrame = tuple[float, Image]


def key_frame_times(segmentation: Segmentation, timebase: TimeBase, *, most: int = 24) -> list[float]:
    """The middle of each segment in seconds, for `read_key_frames`; of the `most` longest ones if there are more.

    >>> key_frame_times(Segmentation.from_frames([0] * 20 + [1] * 10), TimeBase(Fraction(10)))
    [1.0, 2.5]
    """
    longest = sorted(segmentation, key=lambda segment: -segment.length)[:most]
    return sorted(float((segment.start_frame + segment.length // 2) / timebase.fps) for segment in longest)


def unplayable(info: VideoInfo) -> str:
    """Why browsers do not play a video, and what to do; empty if they do."""
    kind = "mp4" if "mp4" in info.container else info.container.split(",")[-1]
    if info.codec in _PLAYED.get(kind, ()) and info.pixel_format == "yuv420p":
        return ""
    return (
        "browsers play h264 in mp4, and vp8, vp9 and av1 in webm, all as yuv420p; this is"
        f" {info.codec}, {info.pixel_format}, in {kind}; convert it with: {_CONVERT}"
    )


def too_short(info: VideoInfo, total: Fraction) -> str:
    """What is wrong if a timeline of `total` seconds ends over a second after the pictures; empty if it does not."""
    if not info.declared_seconds or total <= info.declared_seconds + _SLACK_SECONDS:
        return ""
    return (
        f"the video ends at {float(info.declared_seconds):.2f} s, its timeline at {float(total):.2f} s;"
        " does the timeline belong to this video, and is its frame rate right?"
    )


def embedded(path: Path, total: Fraction) -> bytes:
    """The content of a video that browsers play and that lasts at least `total` seconds.

    Raises DataError if there is no such file, browsers do not play it, or it is larger than a page may be;
    TimelineError if the timeline is empty, or ends more than a second after the video.
    """
    if total == 0:
        raise TimelineError(f"{path}: the timeline of this video has no frames, so nothing can play; leave it out")
    with open_file(path) as file:
        check_size(f"{path} has", path.stat().st_size)
        info = probe(path)
        if reason := unplayable(info):
            raise DataError(f"{path}: {reason}")
        if reason := too_short(info, total):
            raise TimelineError(f"{path}: {reason}")
        return file.read()


def embedded_address(content: bytes) -> str:
    """A video's content as an address that a page holds in itself."""
    kind = "mp4" if content[4:8] == b"ftyp" else "webm"
    return f"data:video/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def relative_address(video: Path, page: Path) -> str:
    """Where a page finds a video file: a relative address, or that of the file where it is on another drive.

    >>> relative_address(Path("videos/my tea.mp4"), Path("pages/tea.html"))
    '../videos/my%20tea.mp4'
    """
    whole = video.parent.resolve() / video.name
    try:
        relative = Path(os.path.relpath(whole, page.parent.resolve()))
    except ValueError:  # Windows
        return whole.as_uri()
    # With the dot a colon in the name does not end a scheme.
    place = relative.as_posix() if relative.parts[0] == ".." else f"./{relative.as_posix()}"
    return quote(os.fsencode(place))


def check_size(what_has: str, size: int) -> None:
    """Raise DataError, which starts with `what_has`, if `size` bytes of video are more than a page may hold."""
    if size > MOST_BYTES:
        raise DataError(
            f"{what_has} {size / 1e6:.1f} MB, and a page holds {MOST_BYTES / 1e6:.0f} MB of video: leave some videos"
            f" out, or shrink them with: {_CONVERT}"
        )


def check_key_frames(name: str, key_frames: Sequence[KeyFrame], total: Fraction) -> None:
    """Raise TimelineError if a key frame lies outside the video or is not an image (H, W, 3) of uint8."""
    for seconds, image in key_frames:
        if not 0 <= seconds < total:
            raise TimelineError(
                f"video {name!r}: a key frame is at {seconds:g} s, but the timeline goes from 0 to {float(total):g} s"
            )
        check_image(image, f"video {name!r}, key frame at {seconds:g} s")


def player_block(name: str, address: str, rows: Sequence[Row]) -> str:
    """The video with its controls, and a list with the label of each row at the moment that is shown."""
    now = "".join(
        f'<li><span class="who">{escape(row)}</span><i class="swatch"></i><b class="what"></b></li>' for row, _ in rows
    )
    return (
        f'<div class="player">\n<video controls playsinline preload="auto" aria-label="{escape(name)}"'
        f' src="{escape(address)}"></video>\n'
        f'<div class="beside"><p class="time"></p>\n<ul class="now">{now}</ul>\n'
        '<p class="keys">Click a bar to jump there. Keys: space plays and pauses, ← and → move by a second, comma and'
        " full stop by a frame, Home and End to the start and the end.</p></div>\n</div>"
    )


def key_frame_row(key_frames: Sequence[KeyFrame], row: Row, labels: LabelMap, timebase: TimeBase, seeks: bool) -> str:
    """Thumbnails with their time and the label of `row`; they are buttons if there is a video to seek in."""
    frames = row[1].length
    total = float(timebase.start_seconds(frames))
    tag, kind = ("button", ' type="button"') if seeks else ("span", "")
    cells = []
    for seconds, image in key_frames:
        # The tolerance: a time such as 1.1 s is slightly less than the start of its frame.
        at = min(int(seconds * float(timebase.fps) + 1e-6), frames - 1)
        label = int(row[1].at(at))
        data = base64.b64encode(jpeg(image)).decode("ascii")
        cells.append(
            f'<{tag}{kind} class="frame" data-frame="{at}"><img alt="" src="data:image/jpeg;base64,{data}">'
            f'<span class="when">{axis_time(seconds, total, 1, unit=True)} <i class="swatch c{label}"></i>'
            f"{escape(labels.names[label])}</span></{tag}>"
        )
    whose = f"key frames, labels of {escape(row[0])}"
    group = f'<div class="strip" role="group" aria-label="{whose}">{"".join(cells)}</div>'
    return f'<div class="row"><span class="name">{whose}</span>{group}</div>'


def jpeg(image: Image) -> bytes:
    """An image (H, W, 3) uint8 RGB as JPEG."""
    from matplotlib.image import imsave

    buffer = io.BytesIO()
    imsave(buffer, image, format="jpeg")
    return buffer.getvalue()
