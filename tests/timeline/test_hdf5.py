"""HDF5 files are tried in a process of its own: one that hangs, fills the memory or crashes is a message."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType

import pytest

from keyseg.timeline import DataError
from keyseg.timeline.hdf5 import try_hdf5

pytest.importorskip("h5py")

READERS = """
import ctypes
from keyseg.timeline import DataError

def passes(path, *more):
    path.with_name("passed").write_text(repr(more))

def hangs(path):
    while True:
        pass

def fills(path):
    bytearray(2**30)

def crashes(path):
    ctypes.string_at(0)

def fails(path):
    raise KeyError("no such object")

def refuses(path):
    raise DataError("ours")
"""


@pytest.fixture
def readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    (tmp_path / "hdf5_readers.py").write_text(READERS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    return importlib.reload(importlib.import_module("hdf5_readers"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "a.h5").write_bytes(b"a small file")
    return tmp_path / "a.h5"


def test_a_file_that_can_be_read_is_read_with_the_arguments(readers: ModuleType, path: Path) -> None:
    try_hdf5(readers.passes, path, ("tier",), 3)
    assert path.with_name("passed").read_text() == "(('tier',), 3)"


@pytest.mark.parametrize("name", ["hangs", "crashes"])
def test_what_kills_the_process_is_a_message(name: str, readers: ModuleType, path: Path) -> None:
    with pytest.raises(DataError, match=r"a.h5: the library of HDF5 did not get through it within 0.5 s"):
        try_hdf5(getattr(readers, name), path)


def test_far_more_memory_than_a_file_of_its_size_is_refused(readers: ModuleType, path: Path) -> None:
    with pytest.raises(OSError, match="it needs far more memory than a file of its size"):
        try_hdf5(readers.fills, path)


def test_errors_of_the_library_are_told_and_ours_left_to_the_caller(readers: ModuleType, path: Path) -> None:
    with pytest.raises(OSError, match="KeyError: 'no such object'"):
        try_hdf5(readers.fails, path)
    try_hdf5(readers.refuses, path)
