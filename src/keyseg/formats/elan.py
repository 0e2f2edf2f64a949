"""ELAN's .eaf: XML with tiers of annotations in milliseconds, written with pympi.

It is read without pympi, which refuses files without a schema location and some other parts that are optional.
"""

from __future__ import annotations

import re
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.linked_media import file_url, is_sound, linked_path, mime_type, relative_path
from keyseg.formats.text import bounded, choose_tier, edges, interval, number, one_line, video_name
from keyseg.timeline import Annotation, ConfigError, DataError, Interval
from keyseg.timeline.files import read_bytes

_MOST_XML = 64 * 2**20  # bytes of a file
_CONFIDENCE = "confidence"
_DEEPEST = 100  # levels of elements; ELAN writes 5
looks = re.compile("<ANNOTATION_DOCUMENT").search


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """One video: the first of the tiers `settings.tier`, or the only one with annotations.

    The video is the linked one, and times are in it. With `settings.per_subject` all tiers with annotations, or those
    of `settings.tier`, one annotation each; so is the tier of a file that is called VIDEO.TIER, as tracks are written.
    Raises DataError, ConfigError.
    """
    root = _root(path)
    tiers = _tiers(path, root, bool(settings.tier))
    if settings.per_subject:
        choose_tier(path, "tier", list(tiers), settings.tier or list(tiers)[:1])
        chosen = [name for name in tiers if not settings.tier or name in settings.tier]
    else:
        index = choose_tier(path, "tier", list(tiers), settings.tier)
        chosen = [] if index is None else [list(tiers)[index]]
    film = _film(path, root, settings)
    if not any(_annotations(tiers[name]) for name in chosen):
        settings.note("no annotations in it")
    document = _Document(path, root, film, settings)
    return [
        Annotation(
            film.video,
            tuple(document.intervals(name, tiers[name])),
            None,
            settings.fps,
            media=film.media,
            track=name if settings.per_subject or path.stem == f"{film.video}.{name}" else "",
        )
        for name in chosen
    ] or [Annotation(film.video, (), None, settings.fps, media=film.media)]


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """One tier, called like the track if there is one, and a link to the video where its path is known.

    Scores are in a second tier that depends on it, `actions confidence`, whose annotations have no times of their own:
    ELAN shows each below its action, and deletes it with the action; readers of times pass over it.

    Raises ConfigError, DataError, TimelineError.
    """
    (annotation,) = annotations
    from pympi import Elan

    content = Elan.Eaf(author="keyseg")
    content.remove_tier("default")
    tier = one_line(annotation.track or settings.tier, "tier")
    if not tier:
        raise ConfigError("expected the name of a tier, got an empty one")
    content.add_tier(tier)
    if annotation.media:
        media = one_line(annotation.media, "path")
        relative = relative_path(media, settings.folder) if settings.folder else None
        content.add_linked_file(file_url(media), relative, mime_type(media))
    for start, end, label in edges(annotation, 3):
        content.add_annotation(tier, int(start * 1000), int(end * 1000), one_line(label))
    _add_scores(content, tier, annotation)
    with tempfile.TemporaryDirectory() as folder:  # pympi only writes to paths
        target = Path(folder, "annotation.eaf")
        content.to_file(str(target))
        return target.read_text(encoding="utf-8")


def _add_scores(content: Any, tier: str, annotation: Annotation) -> None:
    """A tier with the score of each annotation that has one."""
    if all(interval.score is None for interval in annotation.intervals):
        return
    below = f"{tier} {_CONFIDENCE}"
    content.add_linguistic_type(_CONFIDENCE, constraints="Symbolic_Association", timealignable=False)
    content.add_tier(below, ling=_CONFIDENCE, parent=tier)
    for (start, end, _), action in zip(edges(annotation, 3), annotation.intervals, strict=True):
        if action.score is not None:
            content.add_ref_annotation(below, tier, int((start + end) * 500), f"{action.score:.3g}")


@dataclass(frozen=True)
class _Film:
    """The video that an annotation is of: its name, its path, and the seconds that it is ahead of the annotation."""

    video: str
    media: str
    origin: Fraction = Fraction(0)


def _film(path: Path, root: Any, settings: ReadSettings) -> _Film:
    """The linked video that is called like the file, or else the first, among those that are there if that is known."""
    header = root.find("HEADER")
    links = [] if header is None else [dict(link.attrib) for link in header.iter("MEDIA_DESCRIPTOR")]
    if header is not None and not links and header.get("MEDIA_FILE"):  # before version 2.1
        links = [{"MEDIA_URL": header.get("MEDIA_FILE")}]
    units = "milliseconds" if header is None else header.get("TIME_UNITS", "milliseconds")
    if units != "milliseconds":
        raise DataError(f"{path}: expected times in milliseconds, got {units[:40]!r}; save it with ELAN again")
    videos: list[_Film] = []
    sounds: list[_Film] = []
    for link in links:
        media = linked_path(link.get("MEDIA_URL", ""), link.get("RELATIVE_MEDIA_URL", ""), path.parent)
        origin = number(link.get("TIME_ORIGIN", "0"), f"{path}: TIME_ORIGIN of {media[:200]!r}") / 1000
        film = _Film(video_name(media), media, origin)
        (sounds if is_sound(media, link.get("MIME_TYPE", "")) else videos).append(film)
    if not videos:
        if sounds and sounds[0].origin:
            settings.note(
                f"no video is linked; times are those of {sounds[0].media}, {float(sounds[0].origin):g} s later"
            )
        return _Film(path.stem, "", sounds[0].origin if sounds else Fraction(0))
    called = [film for film in videos if _key(film.video) == _key(video_name(path.stem))]
    there = {_key(name) for name in settings.videos}
    usable = [film for film in (*called, *videos) if not there or _key(film.video) in there]
    if not usable and _key(path.stem) in there:
        settings.note(f"it links {videos[0].video}, which is not there, and is taken to be of the video called like it")
        return replace(videos[0], video=path.stem, media="")
    film = (usable or called or videos)[0]
    if len(videos) > 1 and film not in called:
        names = ", ".join(other.video for other in videos if other is not film)
        settings.note(
            f"several videos are linked, and it is read for {film.video} alone; to read it for another, call the file"
            f" like it: {names}"
        )
    return film


def _key(name: str) -> str:
    """A name in the form that is compared."""
    return unicodedata.normalize("NFC", name).casefold()


def _tiers(path: Path, root: Any, empty: bool) -> dict[str, Any]:
    """Tiers by name: those with annotations that have times of their own, or all if `empty`. Raises DataError."""
    tiers: dict[str, Any] = {}
    for tier in root.findall("TIER"):
        name = tier.get("TIER_ID", "")
        if name in tiers:
            raise DataError(f"{path}: two tiers are called {name!r}; rename one of them in ELAN")
        if empty or tier.find("ANNOTATION/ALIGNABLE_ANNOTATION") is not None:
            tiers[name] = tier
    return tiers


def _annotations(tier: Any) -> list[Any]:
    return [child for annotation in tier.findall("ANNOTATION") for child in annotation]


@dataclass(frozen=True)
class _Document:
    """Times and annotations of a file."""

    path: Path
    root: Any
    film: _Film
    settings: ReadSettings

    @cached_property
    def _times(self) -> dict[str | None, str | None]:
        """The times of slots, by their names."""
        return {slot.get("TIME_SLOT_ID"): slot.get("TIME_VALUE") for slot in self.root.iter("TIME_SLOT")}

    @cached_property
    def _known(self) -> dict[str | None, Any]:
        """The annotations of all tiers, by their names."""
        return {item.get("ANNOTATION_ID"): item for tier in self.root.findall("TIER") for item in _annotations(tier)}

    def intervals(self, name: str, tier: Any) -> Iterator[Interval]:
        """The annotations of a tier in seconds of the video. Raises DataError."""
        for item in _annotations(tier):
            label = " ".join((item.findtext("ANNOTATION_VALUE") or "").split("\n")).strip()
            where = f"{self.path}: tier {name!r}"
            times = [self._times.get(slot, "") for slot in _slots(item, self._known)]
            if "" in times:
                raise DataError(f"{where}: {label[:80]!r} refers to a time or annotation that is missing")
            if None in times:
                raise DataError(f"{where}: {label[:80]!r} has no times; choose the parent tier with --tier")
            start, end = (number(time, where) / 1000 + self.film.origin for time in times)
            yield from self._interval(start, end, label, where)

    def _interval(self, start: Fraction, end: Fraction, label: str, where: str) -> Iterator[Interval]:
        """The interval, cut at the start of the video if that is allowed; none if nothing is left."""
        lenient, shown = self.settings.lenient, f"{label[:80]!r} at {float(start):g} s"
        if lenient and not label:
            self.settings.note(f"{where}: an annotation without a label at {float(start):g} s is left out")
            return
        if start < 0 and lenient:
            what = "left out" if end <= 0 else "cut"
            self.settings.note(f"{where}: {shown} begins before {self.film.video}, and is {what}")
            start = Fraction(0)
            if end <= 0:
                return
        if start < 0 and self.film.origin < 0:
            raise DataError(
                f"{where}: {shown} begins before {self.film.video}, whose TIME_ORIGIN is"
                f" {float(self.film.origin):g} s; cut it with --lenient"
            )
        yield interval(bounded(start, where), bounded(end, where), label, where)


def _slots(item: Any, known: dict[str | None, Any]) -> tuple[str | None, str | None]:
    """The names of an annotation's time slots, or of those of the one that it refers to; None where there are none.

    The references on the way are made to lead there at once, so that long chains of them are followed once.
    """
    passed = []
    while item is not None and item.tag == "REF_ANNOTATION":
        passed.append(item.get("ANNOTATION_REF"))
        item = known.pop(passed[-1], None)  # a circle ends so
    known.update(dict.fromkeys(passed, item))
    return (None, None) if item is None else (item.get("TIME_SLOT_REF1"), item.get("TIME_SLOT_REF2"))


def _shallow_tree(path: Path) -> Any:
    """What makes the tree, and refuses elements in elements in elements, which exhaust the stack of who walks them."""
    from xml.etree.ElementTree import Element, TreeBuilder

    class Tree(TreeBuilder):
        depth = 0

        def start(self, tag: str, attributes: dict[str, str], /) -> Element:
            self.depth += 1
            if self.depth > _DEEPEST:
                raise DataError(f"{path}: more than {_DEEPEST} elements inside one another; it is no ELAN annotation")
            return super().start(tag, attributes)

        def end(self, tag: str, /) -> Element:
            self.depth -= 1
            return super().end(tag)

    return Tree()


def _root(path: Path) -> Any:
    """The root of the XML, which may have no document type and no entities. Raises DataError."""
    from defusedxml.ElementTree import DefusedXMLParser

    content = read_bytes(path, "an ELAN annotation", most=_MOST_XML)
    try:
        parser = DefusedXMLParser(target=_shallow_tree(path), forbid_dtd=True)
        parser.feed(content)
        root = parser.close()
    except (SyntaxError, ValueError, LookupError) as error:  # not XML, refused by defusedxml, or of unknown encoding
        reason = (
            str(error)
            if isinstance(error, SyntaxError)
            else f"{type(error).__name__}: it declares a document type or entities"
        )
        raise DataError(f"{path}: not an ELAN annotation ({reason})") from error
    if root.tag != "ANNOTATION_DOCUMENT":
        raise DataError(f"{path}: expected an ELAN annotation, got XML of {root.tag[:80]!r}")
    if root.find("TIME_ORDER") is None:
        raise DataError(f"{path}: not a complete ELAN annotation (it has no TIME_ORDER); save it with ELAN again")
    return root
