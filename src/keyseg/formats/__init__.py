"""Timelines as files that other tools open, and annotations of other tools as timelines.

`FORMATS` has them all; docs/formats.md describes them.
"""

from keyseg.formats.catalog import FORMATS
from keyseg.formats.files import (
    annotations_text,
    format_named,
    format_of,
    format_to_write,
    name_fits,
    read_annotations,
    read_timeline,
    timeline_bytes,
    timeline_text,
)
from keyseg.formats.format import Format, Reading, Writing
from keyseg.formats.sources import Sources, find_sources

__all__ = [
    "FORMATS",
    "Format",
    "Reading",
    "Sources",
    "Writing",
    "annotations_text",
    "find_sources",
    "format_named",
    "format_of",
    "format_to_write",
    "name_fits",
    "read_annotations",
    "read_timeline",
    "timeline_bytes",
    "timeline_text",
]
