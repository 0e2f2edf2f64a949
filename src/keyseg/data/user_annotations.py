"""A user's annotations, matched to the videos that they name."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import takewhile
from operator import eq
from pathlib import Path

from keyseg.data.input_names import input_name
from keyseg.formats import FORMATS, AnnotationOptions, find_sources, read_with_rate
from keyseg.formats.conversion import file_name
from keyseg.formats.table_of_formats import unused_options
from keyseg.formats.tables import read_columns
from keyseg.formats.text import VIDEO_SUFFIXES, distinguishing_depth, path_parts, video_name
from keyseg.timeline import Annotation, DataError
from keyseg.timeline.failures import INPUT_ERRORS, Failures, reason_with

_Report = Callable[[str], None]


@dataclass(frozen=True)
class UserAnnotation:
    """A timeline of a video. file: where it comes from. frame_labels: number of labels, in a file with one label per
    frame, else None."""

    annotation: Annotation
    file: Path
    frame_labels: int | None = None

    @property
    def spelled(self) -> str:
        """The video as the file names it, with folders if it has them."""
        media = self.annotation.media
        return media if video_name(media) == self.annotation.video.rpartition("/")[2] else self.annotation.video

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders of the video that the file names."""
        return path_parts(self.annotation.media)[:-1]


class VideoNames:
    """Video files by name, `day1` for day1.mp4; files of one name in two folders are called P01_cam1 and P02_cam1, by
    the folders that distinguish them.

    Upper and lower case, and Unicode forms, make no difference, since they make none to files on Windows and macOS.
    Raises DataError where two names are equal.
    """

    def __init__(self, videos: Iterable[Path]) -> None:
        alike: dict[str, list[Path]] = defaultdict(list)
        for path in videos:
            alike[_key(input_name(path))].append(path)
        self.files: dict[str, Path] = {}
        self._folders: dict[str, list[str]] = {}  # of each file, from the last on, in the form that is compared
        self._known: dict[str, dict[str, None]] = defaultdict(dict)  # the names of the files that may be called so
        taken: dict[str, Path] = {}
        for paths in alike.values():
            folders = [path.resolve().parent.parts for path in paths]
            depth = distinguishing_depth(folders)
            for path, above in zip(paths, folders, strict=True):
                name = unicodedata.normalize("NFC", "_".join((*above[len(above) - depth :], input_name(path))))
                if other := taken.get(_key(name)):
                    raise DataError(f"{other} and {path} would both be called {name}; rename one of the files")
                taken[_key(name)] = self.files[name] = path
                self._folders[name] = [_key(folder) for folder in reversed(above)]
                for spelling in (name, path.name, path.stem, input_name(path)):
                    self._known[_key(spelling)][name] = None

    def find(self, spelled: str, where: str, folders: Sequence[str] = (), beside: Path | None = None) -> str | None:
        """The name of the video that a file calls `spelled`, a name or a path; None if there is none.

        Of several, the one whose folders agree most with `folders` from the last on, then with the folder `beside`.
        Raises DataError at `where` if that leaves a choice.
        """
        last = "".join(path_parts(spelled)[-1:])
        known = self._known.get(_key(last)) or self._known.get(_key(video_name(last))) or {}
        near = () if beside is None else beside.resolve().parts
        scores = {name: (self.agreement(name, folders), self.agreement(name, near)) for name in known}
        highest = max(scores.values(), default=(0, 0))
        best = [name for name, score in scores.items() if score == highest]
        if len(best) > 1:
            paths = " or ".join(str(self.files[name]) for name in best[:2])
            raise DataError(f"{where}: {spelled!r} may be {paths}; name it with its folder, as in P01/cam1.mp4")
        return best[0] if best else None

    def agreement(self, name: str, folders: Sequence[str]) -> int:
        """How many of the folders agree with those of a video, from the last on."""
        alike = map(eq, self._folders[name], map(_key, reversed(folders)))
        return sum(1 for _ in takewhile(bool, alike))


def _key(name: str) -> str:
    """A name in the form that is compared."""
    return unicodedata.normalize("NFC", name).casefold()


def read_user_annotations(
    paths: Iterable[Path],
    videos: VideoNames,
    fmt: str | None,
    options: AnnotationOptions,
    fps: Fraction,
    report: _Report,
) -> list[UserAnnotation]:
    """The annotations of all files, and of the folders' files that can be read or are named after a video.

    A file of unknown format is left out, unless it is all that is named after a video. fps: of files without a rate.
    report: called with a note about files that are left out, with the reason, and about those whose frames are counted
    at `fps`. Raises DataError.
    """
    result: list[UserAnnotation] = []
    seen: set[Path] = set()
    counted: list[str] = []  # names of files
    formats: set[str] = set()
    failures = Failures()
    unknown: dict[Path, DataError] = {}
    for path in paths:
        sources = find_sources(path, fmt)
        unknown |= {file: error for file, error in sources.left_out.items() if error}
        others = [
            file.name
            for file, error in sources.left_out.items()
            if not error and file.suffix.lower() not in VIDEO_SUFFIXES
        ]
        formats.update(sources.formats.values())
        for file, form in sources.formats.items():
            if file.resolve() in seen:
                continue
            seen.add(file.resolve())
            try:
                annotations, needed = _read(file, form, options, fps, report, videos)
            except INPUT_ERRORS as error:
                if path == file or _named_after(file, form, videos):
                    failures.add(file, error)  # all at once, since a data set without them would be another one
                else:
                    report(f"left out: {reason_with(file, error)}")
                continue
            if needed and form not in ("txt", "recog", "frames"):  # their lengths are checked; frames has its own note
                counted.append(file.name)
            for annotation in annotations:
                frames = int((annotation.duration_seconds or 0) * fps) if form in ("txt", "recog") else None
                result.append(UserAnnotation(annotation, file, frames))
        if others:
            report(f"no annotations, left out: {_listed(others)}")
    annotated = {_video_of(one, videos) for one in result} if unknown else set()
    for file, reason in unknown.items():
        name = _named_after(file, "", videos)
        if name is None or name in annotated:
            report(f"left out: {reason}")
        else:
            failures.add(file, DataError(f"{reason}; or move it elsewhere if it is no annotation"))
    failures.raise_unless(not failures.reasons)
    if unused := unused_options(formats, options):
        report(f"{', '.join(unused)}: of no use with {', '.join(sorted(formats))}")
    if counted:
        report(f"no frame rate in {_listed(counted)}; frames are counted at {fps} per second, see --fps")
    return result


def _named_after(file: Path, form: str, videos: VideoNames) -> str | None:
    """The name of the video that an annotation file is called after, such as day1.boris.csv; None if there is none."""
    suffix = FORMATS[form].suffix if form else ""
    whole = file.name[: -len(suffix)] if suffix and file.name.lower().endswith(suffix.lower()) else file.stem
    return videos.find(whole, str(file), beside=file.parent) or videos.find(file.stem, str(file), beside=file.parent)


def _read(
    file: Path, form: str, options: AnnotationOptions, fps: Fraction, report: _Report, videos: VideoNames
) -> tuple[list[Annotation], bool]:
    """The annotations of a file, with its own frame rate if it has one, and whether `fps` was needed."""
    there = [path.stem for path in videos.files.values()]
    return read_with_rate(file, fps, fmt=form, options=options, videos=there, note=report)


def _video_of(user: UserAnnotation, videos: VideoNames) -> str | None:
    """The name of a timeline's video; None if there is none. Raises DataError where name and link name two."""
    where, beside = str(user.file), user.file.parent
    name = videos.find(user.spelled, where, user.folders, beside)
    linked = videos.find(user.annotation.media, where, user.folders, beside) if user.annotation.media else None
    if name and linked and name != linked:
        raise DataError(
            f"{_place(user)} is called like {videos.files[name]}, but its video is {videos.files[linked]}; rename"
            " it, or leave out one of the videos"
        )
    return name or linked


@dataclass(frozen=True)
class Pair:
    """A timeline and its video. video: its name in VideoNames."""

    video: str
    user: UserAnnotation


def pair(videos: VideoNames, annotations: Sequence[UserAnnotation], report: _Report) -> dict[str, Pair]:
    """The timelines of videos by name, sorted: the name of the video, or `VIDEO.TRACK` if the timeline is of a track.

    report: called with a note about videos and annotations without a partner, and about a video in another folder than
    the file says. Raises DataError where two annotations are of one video, and on fewer than two pairs.
    """
    sources: dict[str, dict[tuple[Path | None, str], list[UserAnnotation]]] = defaultdict(lambda: defaultdict(list))
    orphans = []
    for user in annotations:
        name = _video_of(user, videos)
        if name is None:
            orphans.append(user)
        else:
            several = bool(user.annotation.track)  # the tracks of a video may be in several files
            sources[name][(None, user.spelled) if several else (user.file, user.annotation.video)].append(user)
    matched: dict[str, list[UserAnnotation]] = {}
    for name, of_name in sources.items():
        best, *others = sorted(of_name.values(), key=lambda users: -videos.agreement(name, users[0].folders))
        matched[name] = list(best)
        for users in others:
            other = users[0]
            if other.folders and videos.agreement(name, other.folders) < videos.agreement(name, best[0].folders):
                orphans += users
                continue
            tracks = {user.annotation.track for user in (*matched[name], *users)}
            if "" in tracks or len(tracks) < len(matched[name]) + len(users):
                raise DataError(_clash(best[0], other, videos.files[name]))
            matched[name] += users  # tracks in files of their own
    alone = set(videos.files) - set(matched)
    for names, what in (
        (alone, "videos have no annotation"),
        ({u.spelled for u in orphans}, "annotations have no video"),
    ):
        if names:
            report(f"left out, {len(names)} {what}: {_listed(names)}")
    if len(matched) < 2:
        named = {user.spelled for user in annotations}
        raise DataError(
            f"{len(matched)} of {len(videos.files)} videos have an annotation of the same name, and at least 2 are"
            f" needed; videos: {', '.join(sorted(videos.files)[:5])}; annotations: {', '.join(sorted(named)[:5])}"
        )
    _report_other_folders(videos, matched, report)
    return _by_track(matched)


def _clash(one: UserAnnotation, other: UserAnnotation, video: Path) -> str:
    """What to do about two annotations of a video."""
    if one.annotation.media == other.annotation.media and one.file == other.file:
        both = f"{one.annotation.video!r} and {other.annotation.video!r} in {one.file} are both of {video}"
        return f"{both}; keep one of them, or separate subjects with --tier or --per-subject"
    return (
        f"{_place(one)} and {_place(other)} may both be of {video}; leave one of them out, or name the folders of both"
        " videos"
    )


def _place(user: UserAnnotation) -> str:
    return f"{user.spelled!r} in {user.file}"


def _report_other_folders(videos: VideoNames, matched: Mapping[str, Sequence[UserAnnotation]], report: _Report) -> None:
    """Note which videos are in another folder than the annotation says, if the folders of others agree."""
    named = {name: users[0] for name, users in matched.items() if users[0].folders}
    elsewhere = [name for name, user in named.items() if not videos.agreement(name, user.folders)]
    if len(elsewhere) < len(named):
        for name in sorted(elsewhere):
            what = f"{_place(named[name])} is taken to be {videos.files[name]}, the only video of this name"
            report(f"{what}; leave it out if it is another")


def _by_track(matched: Mapping[str, Sequence[UserAnnotation]]) -> dict[str, Pair]:
    """Each timeline by its name. Raises DataError where two names are equal or cannot be the name of a file."""
    pairs: dict[str, Pair] = {}
    taken: dict[str, UserAnnotation] = {}
    for video in sorted(matched):
        for user in sorted(matched[video], key=lambda user: user.annotation.track):
            track = user.annotation.track
            name = f"{video}.{track}" if track else video
            if file_name(name) != name:
                raise DataError(f"{user.file}: {name!r} cannot be the name of a file; rename {track!r}")
            if other := taken.get(_key(name)):
                raise DataError(
                    f"{other.file} and {user.file} both hold a timeline that would be called {name}; rename one"
                )
            taken[_key(name)], pairs[name] = user, Pair(video, user)
    return pairs


def check_frame_labels(annotations: Mapping[str, UserAnnotation], frames: Mapping[str, int], fps: Fraction) -> None:
    """Raise DataError where a file with one label per frame and its video differ by more than one frame."""
    for name, user in annotations.items():
        if user.frame_labels is not None and abs(user.frame_labels - frames[name]) > 1:
            raise DataError(
                f"{user.file}: {user.frame_labels} labels, but the video has {frames[name]} frames at {fps} frames per"
                " second; is --fps the rate of these labels?"
            )


def read_groups(path: Path, videos: VideoNames, names: Collection[str]) -> dict[str, str]:
    """The group of each video in `names`, from a CSV table with the columns video and group.

    Raises DataError with file and line.
    """
    groups: dict[str, str] = {}
    for row, where in read_columns(path, "a CSV table with the columns video and group", ("video", "group")):
        video, group = row["video"], row["group"]
        if not video or not group:
            raise DataError(f"{where}: expected a video and its group, got {video!r}, {group!r}")
        name = videos.find(video, where, path_parts(video)[:-1]) or video  # it need not be there
        if groups.setdefault(name, group) != group:
            raise DataError(f"{where}: an earlier line puts {name} in group {groups[name]}; delete one of the two")
    missing = sorted(set(names) - set(groups))
    if missing:
        raise DataError(f"{path}: no group for {', '.join(missing[:10])} ({len(missing)} videos); add a line for each")
    return {name: groups[name] for name in names}


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)[:10]) + (" ..." if len(names) > 10 else "")
