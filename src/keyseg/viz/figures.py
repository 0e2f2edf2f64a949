"""Saving figures: by suffix, whole or not at all, the same bytes each time; nothing is overwritten unasked."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from keyseg.timeline import ConfigError, OutputExistsError, nearest
from keyseg.timeline.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Each format with the metadata to leave out: matplotlib would write the time, its version and its home page.
_NO_METADATA = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_PNG_DPI = 200
# Ids in SVG are salted by a global setting of matplotlib, which one thread at a time may hold.
_SALT_LOCK = threading.Lock()


def save_figure(figure: Figure, path: str | Path, *, force: bool = False) -> Path:
    """Write a figure as PNG, SVG or PDF, by the suffix of `path`, and return the path.

    Folders are created, the file appears whole or not at all, and a figure gives the same bytes each time.
    Raises ConfigError on another suffix, OutputExistsError if the file exists and `force` is not set.
    """
    path = Path(path)
    return write_whole(path, render(figure, figure_kind(path, force=force)))


def figure_kind(path: Path, *, force: bool = False) -> str:
    """`png`, `svg` or `pdf`, by the suffix. Raises as `save_figure` does: call it before long work for a figure.

    >>> figure_kind(Path("runs/curves.svg"))
    'svg'
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in _NO_METADATA:
        known = ", ".join(f".{known}" for known in _NO_METADATA)
        raise ConfigError(
            f"{path}: a figure is saved as {known}, got suffix {path.suffix!r}{nearest(kind, tuple(_NO_METADATA))}"
        )
    refuse_existing(path, force)
    return kind


def render(figure: Figure, kind: str) -> bytes:
    """The bytes of a figure in a format: `png`, `svg` or `pdf`."""
    import matplotlib

    buffer = io.BytesIO()
    with _SALT_LOCK, matplotlib.rc_context({"svg.hashsalt": "keyseg"}):
        figure.savefig(buffer, format=kind, dpi=_PNG_DPI, metadata=_NO_METADATA[kind])
    return buffer.getvalue()


def refuse_existing(path: Path, force: bool) -> None:
    """Raise OutputExistsError if `path` exists and `force` is not set."""
    if path.exists() and not force:
        raise OutputExistsError(f"{path} exists already; give another path, or force to overwrite it")


def write_whole(path: Path, data: bytes) -> Path:
    """Write a whole file and return its path. Raises ConfigError if it cannot be written."""
    try:
        write_bytes(path, data)
    except (PermissionError, FileExistsError, NotADirectoryError, IsADirectoryError) as error:  # not a full disk
        reason = error.strerror or error
        raise ConfigError(f"{path}: cannot write here ({reason}); give a path in a writable folder") from error
    return path
