"""Timelines as files that other tools open."""

from keyseg.formats.timelines import FORMATS, read_timeline, timeline_text

__all__ = ["FORMATS", "read_timeline", "timeline_text"]
