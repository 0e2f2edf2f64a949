"""The version of this package; no other file states it."""

__version__ = "0.2.0"
