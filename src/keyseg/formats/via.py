"""Video projects of VIA 3, the VGG Image Annotator: JSON with temporal segments of files, described by attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from keyseg.formats.flaws import SegmentRow, checked
from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.text import choose_tier, edges, one_line, seconds, video_name
from keyseg.timeline import Annotation, DataError
from keyseg.timeline.files import json_text
from keyseg.timeline.json_text import need, read_json

_HOLDS = "a project of VIA 3"
_TEXT, _CHECKBOX, _SELECT, _VIDEO, _LOCAL, _ADDRESS = 1, 2, 4, 4, 1, 2  # as VIA numbers types and places
_SEGMENT = "FILE1_Z2_XY0"  # what attributes of temporal segments describe


def looks(text: str) -> bool:
    """The keys of a project; version 2 has others."""
    return text.lstrip().startswith("{") and all(f'"{key}"' in text for key in ("project", "attribute", "view", "file"))


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """The views with one video or sound file, also those without segments.

    A label is the value of an attribute of temporal segments: the one that `settings.tier` names, or the only one that
    is used. With `settings.per_subject` each attribute is a track. Times are seconds. Raises DataError, ConfigError.
    """
    _, content = read_json(path, _HOLDS, settings.encoding, exact=True)
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected an object, {_HOLDS}, got {repr(content)[:80]}")
    parts = {key: need(content, key, dict, str(path)) for key in ("attribute", "file", "view", "metadata")}
    segments = list(_segments(path, parts["metadata"], settings))
    attributes = {
        key: need(value, "aname", str, f"{path}: attribute {key}") for key, value in _entries(path, parts, "attribute")
    }
    undefined = {key for *_, values, _ in segments for key in values} - attributes.keys()
    if undefined:
        names = ", ".join(repr(key[:40]) for key in sorted(undefined)[:5])
        settings.note(f"labels of attributes that the file does not define ({names}) are left out")
    used = [key for key in attributes if any(key in values for *_, values, _ in segments)]
    if settings.tier or not settings.per_subject:
        index = choose_tier(path, "attribute", [attributes[key] for key in used], settings.tier)
        used = [] if index is None else used[index : index + 1]
    lost = next((segment for segment in segments if segment[0] not in parts["view"]), None)
    if lost is not None:
        raise DataError(f"{lost[-1]}: there is no view {lost[0][:40]!r}")
    annotations = []
    for vid, view in _entries(path, parts, "view"):
        media = _media(path, view, parts["file"], f"{path}: view {vid}")
        for key in (*used,) or (None,):
            name = video_name(media)
            rows = () if key is None else _rows(name, segments, vid, key, parts["attribute"])
            items = checked(rows, settings).get(name, ())
            track = attributes[key] if settings.per_subject and key is not None else ""
            annotations.append(Annotation(name, tuple(items), None, settings.fps, (), media, track))
    return annotations


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """One view per video and one attribute, a list of the labels to select from; seconds have six decimals.

    VIA asks for the file of each video, unless its address starts with http. Raises DataError, TimelineError.
    """
    labels = sorted({one_line(label) for annotation in annotations for label in annotation.labels})
    options = {str(index): label for index, label in enumerate(labels)}
    ids = {label: index for index, label in options.items()}
    files: dict[str, Any] = {}
    views: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for count, annotation in enumerate(annotations, 1):
        vid, media = str(count), annotation.media
        online = media.startswith(("http://", "https://"))
        name = PurePosixPath(media.replace("\\", "/")).name if video_name(media) == annotation.video else ""
        files[vid] = {"fid": count, "fname": name or annotation.video, "type": _VIDEO}
        files[vid] |= {"loc": _ADDRESS if online else _LOCAL, "src": media if online else ""}
        views[vid] = {"fid_list": [count]}
        for start, end, label in edges(annotation, 6):
            z = [float(start), float(end)]
            metadata[f"{vid}_{len(metadata):08d}"] = {
                "vid": vid, "flg": 0, "z": z, "xy": [], "av": {"1": ids[one_line(label)]}
            }  # fmt: skip
    project = {"pid": "__VIA_PROJECT_ID__", "rev": "__VIA_PROJECT_REV_ID__"}
    project |= {"rev_timestamp": "__VIA_PROJECT_REV_TIMESTAMP__", "pname": "keyseg", "creator": "keyseg"}
    attribute = {"aname": settings.tier, "anchor_id": _SEGMENT, "type": _SELECT, "desc": "", "options": options}
    content = {
        "project": {**project, "created": 0, "data_format_version": "3.1.1", "vid_list": list(views)},
        "config": {
            "file": {"loc_prefix": dict.fromkeys("1234", "")},
            "ui": {"file_content_align": "center", "file_metadata_editor_visible": True},
        },
        "attribute": {"1": attribute | {"default_option_id": ""}},
        "file": files,
        "view": views,
        "metadata": metadata,
    }
    return json_text(content)


_Segment = tuple[str, Any, Any, Mapping[str, Any], str]


def _segments(path: Path, metadata: Mapping[str, Any], settings: ReadSettings) -> Iterator[_Segment]:
    """View, start, end, values of attributes and place of each temporal segment and mark; regions are noted."""
    regions = unlabelled = 0
    for key, entry in metadata.items():
        where = f"{path}: metadata {key[:40]}"
        if not isinstance(entry, dict):
            raise DataError(f"{where}: expected an object, got {repr(entry)[:80]}")
        z, xy = need(entry, "z", list, where), entry.get("xy") or []
        regions += bool(xy)
        if xy or not z:
            continue  # a region in a frame, or a description of the whole file
        if len(z) > 2:
            raise DataError(f"{where}: expected start and end, got {len(z)} times")
        values = need(entry, "av", dict, where)
        unlabelled += not values
        yield _view_id(entry, where), z[0], z[-1], values, where
    if regions:
        settings.note(f"{regions} regions in frames are left out; only temporal segments are read")
    if unlabelled:
        settings.note(f"{unlabelled} temporal segments without a label are left out")


def _view_id(entry: Mapping[str, Any], where: str) -> str:
    vid = entry.get("vid")
    if isinstance(vid, bool) or not isinstance(vid, str | int):
        raise DataError(f"{where}: expected the id of a view at 'vid', got {repr(vid)[:80]}")
    return str(vid)


def _entries(path: Path, parts: Mapping[str, dict[str, Any]], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, value in parts[name].items():
        if not isinstance(value, dict):
            raise DataError(f"{path}: {name} {key[:40]}: expected an object, got {repr(value)[:80]}")
        yield key, value


def _media(path: Path, view: Mapping[str, Any], files: Mapping[str, Any], where: str) -> str:
    """The address of a view's only file, or its name where VIA does not know the address."""
    held = need(view, "fid_list", list, where)
    if len(held) != 1:
        raise DataError(f"{where}: expected one file, got {len(held)}; views of several files are not videos")
    file = files.get(str(held[0]))
    if not isinstance(file, dict):
        raise DataError(f"{where}: there is no file {str(held[0])[:40]!r}")
    source = file.get("src")
    # The content of a file that is stored inline is its source.
    address = source if isinstance(source, str) and file.get("loc") in (2, 3) else ""
    return address or need(file, "fname", str, where)


def _rows(
    video: str, segments: Sequence[_Segment], vid: str, key: str, attributes: Mapping[str, Any]
) -> Iterator[SegmentRow]:
    """The segments of a view with the labels that an attribute gives."""
    for view, start, end, values, where in segments:
        if view != vid or key not in values:
            continue
        begins, ends = seconds(start, where), seconds(end, where)
        for label in _labels(values[key], attributes[key], where):
            yield SegmentRow(video, begins, ends, label, where)


def _labels(value: Any, attribute: Mapping[str, Any], where: str) -> list[str]:
    """The labels that a value stands for: a text, or one or several of the options by their ids."""
    if not isinstance(value, str):
        raise DataError(f"{where}: expected a text, or the id of an option, got {repr(value)[:80]}")
    if attribute.get("type") == _TEXT or not value:  # nothing is selected
        return [value]
    options = need(attribute, "options", dict, where)
    ids = value.split(",") if attribute.get("type") == _CHECKBOX else [value]
    for name in ids:
        if not isinstance(options.get(name), str):
            raise DataError(f"{where}: the attribute has no option {name[:40]!r}; save the project with VIA again")
    return [options[name] for name in ids]
