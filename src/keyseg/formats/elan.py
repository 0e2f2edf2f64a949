"""ELAN's .eaf: XML with tiers of annotations in milliseconds, read and written with pympi."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.text import choose_tier, edges, interval, one_line, seconds
from keyseg.timeline import Annotation, DataError

_TIER = "actions"
looks = re.compile("<ANNOTATION_DOCUMENT").search


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """One video: the tier `settings.tier`, or the only one with annotations. Raises DataError, ConfigError."""
    content = _parsed(path)
    names = [name for name in content.get_tier_names() if settings.tier or content.tiers[name][0]]
    index = choose_tier(path, "tier", names, settings.tier)
    if index is None:
        return [Annotation(path.stem, (), None, settings.fps)]
    where = f"{path}: tier {names[index]!r}"
    try:
        rows = content.get_annotation_data_for_tier(names[index])
    except Exception as error:  # annotations that refer to nothing, or to each other
        raise DataError(f"{where}: damaged ({type(error).__name__}: {error}); save it with ELAN again") from error
    intervals = []
    for start, end, label, *_ in rows:
        if start is None or end is None:
            raise DataError(f"{where}: {label[:80]!r} has no times; choose the parent tier with --tier")
        intervals.append(interval(seconds(f"{start}e-3", where), seconds(f"{end}e-3", where), label, where))
    return [Annotation(path.stem, tuple(intervals), None, settings.fps)]


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """One tier, `actions`. Raises DataError, TimelineError."""
    (annotation,) = annotations
    from pympi import Elan

    content = Elan.Eaf(author="keyseg")
    content.remove_tier("default")
    content.add_tier(_TIER)
    for start, end, label in edges(annotation, 3):
        content.add_annotation(_TIER, int(start * 1000), int(end * 1000), one_line(label))
    with tempfile.TemporaryDirectory() as folder:  # pympi only writes to paths
        target = Path(folder, "annotation.eaf")
        content.to_file(str(target))
        return target.read_text(encoding="utf-8")


def _parsed(path: Path) -> Any:
    """pympi's object. pympi's own parser expands entities, so it only gets files without any."""
    from defusedxml import ElementTree
    from pympi import Elan

    try:
        root = ElementTree.fromstring(path.read_bytes(), forbid_dtd=True)
    except OSError as error:
        raise DataError(f"{path}: cannot read it ({error}); it should hold an ELAN annotation") from error
    except (SyntaxError, ValueError, LookupError) as error:  # not XML, refused by defusedxml, or of unknown encoding
        reason = (
            str(error)
            if isinstance(error, SyntaxError)
            else f"{type(error).__name__}: it declares a document type or entities"
        )
        raise DataError(f"{path}: not an ELAN annotation ({reason})") from error
    if root.tag != "ANNOTATION_DOCUMENT":
        raise DataError(f"{path}: expected an ELAN annotation, got XML of {root.tag!r}")
    try:
        return Elan.Eaf(str(path.resolve()), suppress_version_warning=True)
    except Exception as error:  # pympi raises anything on a missing attribute or a wrong number
        raise DataError(
            f"{path}: not a complete ELAN annotation ({type(error).__name__}: {error}); save it with ELAN again"
        ) from error
