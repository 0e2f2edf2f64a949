"""Timelines as files that other tools open, and annotations of other tools as timelines.

`FORMATS` lists all formats; docs/formats.md describes them.
"""

from keyseg.formats.annotation_files import annotations_text, read_annotations, timeline_text
from keyseg.formats.format import AS_IT_IS, AnnotationOptions, WriteSettings
from keyseg.formats.one_grid import on_one_grid, read_with_rate
from keyseg.formats.table_of_formats import FORMATS, find_sources, format_named, format_to_write

__all__ = [
    "AS_IT_IS",
    "FORMATS",
    "AnnotationOptions",
    "WriteSettings",
    "annotations_text",
    "find_sources",
    "format_named",
    "format_to_write",
    "on_one_grid",
    "read_annotations",
    "read_with_rate",
    "timeline_text",
]
