"""Timelines of the studio as files of other tools, and such files as annotations of its videos."""

from __future__ import annotations

import io
import re
import secrets
import unicodedata
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain, count
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from keyseg.data.input_names import input_name
from keyseg.formats import FORMATS, WriteSettings, annotations_text, read_annotations
from keyseg.formats.format import Format
from keyseg.studio.exchange import annotation_of
from keyseg.studio.rows import PREDICTION, SavedRow, Video
from keyseg.timeline import Annotation, DataError, KeysegError, Overlap
from keyseg.timeline.files import write_bytes

_SUFFIX = r"(\.[A-Za-z0-9_-]{1,20})?"
_NOT_IN_NAMES = r'[\x00-\x1f\x7f<>:"|?*\\]'


def written(video: Video, row: SavedRow, fmt: str) -> bytes:
    """A timeline as the content of a file. Raises ConfigError, DataError and TimelineError, as `keyseg convert`."""
    settings = WriteSettings(
        fps=video.fps, frames=video.frames, folder=Path(), predicted=row.name.startswith(PREDICTION), spaces=True
    )
    media = PurePosixPath(video.path).name  # beside the file, and no place of this machine
    annotation = replace(annotation_of(video, row), media=media)
    content = annotations_text(fmt, [annotation], settings)
    return content.encode() if isinstance(content, str) else content


def archive(timelines: Iterable[tuple[Video, SavedRow]], fmt: str) -> bytes:
    """A zip of one file per timeline, in the folders of the videos. Raises as `written`, with the video's name."""
    buffer, names = io.BytesIO(), set[str]()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for video, row in timelines:
            try:
                content = written(video, row, fmt)
            except KeysegError as error:
                raise DataError(f"{video.path}: {error}") from error
            place = re.sub(_NOT_IN_NAMES, "_", PurePosixPath(video.path).with_suffix("").as_posix())
            spellings = chain([place], (f"{place} ({number})" for number in count(2)))
            name = next(name for one in spellings if (name := one + FORMATS[fmt].suffix).casefold() not in names)
            names.add(name.casefold())
            file.writestr(name, content)
    return buffer.getvalue()


def read_upload(
    name: str, content: bytes, folder: Path, videos: Sequence[Video], overlap: Overlap = "error"
) -> list[tuple[Annotation, str]]:
    """The annotations of an uploaded file, and the name of the video of each.

    name: of the file as the client has it, of which only the suffix is believed. folder: for a file while it is read.
    videos: that may be meant; counted frames are theirs. Raises DataError and ConfigError.
    """
    own = PurePosixPath(name.replace("\\", "/")).name
    suffix = next((one.suffix for one in _by_suffix() if own.lower().endswith(one.suffix)), None)
    if suffix is None:
        match = re.search(_SUFFIX + r"\Z", own)
        suffix = match[0] if match else ""
    stem, unlike = own[: len(own) - len(suffix)], f"upload-{secrets.token_hex(8)}"
    rates = {video.fps for video in videos if _same_name(video, stem)} or {video.fps for video in videos}
    fps = rates.pop() if len(rates) == 1 else None
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as place:
        path = Path(place) / f"{unlike}{suffix}"
        write_bytes(path, content)
        try:
            found = read_annotations(path, fps=fps, videos=[input_name(Path(video.path)) for video in videos])
        except KeysegError as error:
            raise type(error)(str(error).replace(str(path), own).replace(unlike, stem)) from error
    named = [(replace(one, video=stem) if one.video == unlike else one) for one in found]
    return [(one.resolved(overlap), one.name) for one in named]


def video_named(name: str, videos: Sequence[Video]) -> Video:
    """The video of this name, with or without its folders. Raises DataError unless there is exactly one."""
    found = [video for video in videos if _same_name(video, name)]
    if len(found) == 1:
        return found[0]
    several = ", ".join(video.path for video in found[:3])
    raise DataError(
        f"{name}: {'several videos have this name: ' + several if found else 'no video of the folder has this name'};"
        " open the video and import the file there"
    )


def _same_name(video: Video, name: str) -> bool:
    path = PurePosixPath(video.path)
    wanted = unicodedata.normalize("NFC", name)
    return wanted in {
        unicodedata.normalize("NFC", one)
        for one in (video.path, path.name, path.with_suffix("").as_posix(), input_name(Path(video.path)))
    }


def _by_suffix() -> list[Format]:
    return sorted(FORMATS.values(), key=lambda one: -len(one.suffix))
