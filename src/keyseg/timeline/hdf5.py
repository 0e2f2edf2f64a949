"""Data sets of HDF5 files, without what HDF5 would fetch from other files."""

from __future__ import annotations

from typing import Any

from keyseg.timeline.errors import DataError


def stored_array(group: Any, name: str) -> Any:
    """The data set `name` of an h5py group, not yet read. Raises DataError if it is missing, or is in another file."""
    where = f"{group.file.filename}: {group.name}"
    link = group.get(name, getlink=True)
    if hasattr(link, "filename"):
        raise DataError(f"{where}: {name} is in another file, {link.filename}; export it all to one file")
    found = group.get(name)
    if getattr(found, "shape", None) is None or found.file.filename != group.file.filename:
        raise DataError(f"{where}: no data set {name} in it; export it again")
    if found.external or found.is_virtual:
        raise DataError(f"{where}: {name} refers to another file; export it all to one file")
    return found
