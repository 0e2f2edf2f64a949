"""Feature files: both orientations, three float types, ambiguity, damage, and pickles that never run."""

import os
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.data.feature_files import check_finite, detect_axes, first_bad_step, open_features, stored_shape
from keyseg.timeline import DataError

T, D = 13, 7
PLANTED = np.arange(T * D, dtype=np.float32).reshape(T, D)


def save(path, array):
    np.save(path, array)
    return path


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
@pytest.mark.parametrize("fortran", [False, True])
@pytest.mark.parametrize("axes", ["DT", "TD"])
def test_any_layout_opens_as_steps_by_channels(axes, dtype, fortran, tmp_path):
    array = np.asarray(PLANTED.T if axes == "DT" else PLANTED, dtype, order="F" if fortran else "C")
    path = save(tmp_path / "v.npy", array)
    for orientation in ("auto", axes):
        features = open_features(path, orientation=orientation, dimension=D)
        np.testing.assert_array_equal(features, PLANTED)


def test_the_view_is_mapped_and_read_only(tmp_path):
    features = open_features(save(tmp_path / "v.npy", PLANTED.T), dimension=D)
    assert isinstance(features, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        features[0, 0] = 1


@pytest.mark.parametrize(
    ("shape", "dimension", "message"),
    [
        ((7, 7), 7, r"shape \(7, 7\) fits the expected 7 channels both ways; set orientation to 'DT' or 'TD'"),
        ((7, 13), None, r"shape \(7, 13\) does not say which axis is time; set orientation"),
        ((7, 13), 11, "fits the expected 11 channels neither way; set orientation"),
    ],
)
def test_axes_that_nothing_decides(shape, dimension, message, tmp_path):
    path = save(tmp_path / "v.npy", np.zeros(shape, np.float32))
    with pytest.raises(DataError, match=message):
        open_features(path, dimension=dimension)


def test_orientation_settles_a_square(tmp_path):
    square = np.arange(49, dtype=np.float32).reshape(7, 7)
    path = save(tmp_path / "v.npy", square)
    np.testing.assert_array_equal(open_features(path, orientation="TD", dimension=7), square)
    np.testing.assert_array_equal(open_features(path, orientation="DT", dimension=7), square.T)


def test_another_dimension_than_the_expected_one(tmp_path):
    path = save(tmp_path / "v.npy", PLANTED)
    message = rf"v.npy: expected {T} channels, got {D} \(shape \({T}, {D}\) read as \(T, D\)\); set orientation"
    with pytest.raises(DataError, match=message):
        open_features(path, dimension=T, orientation="TD")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 3), np.int64), "expected float16, float32 or float64, got int64; save it again as float32"),
        (np.zeros((2, 3), np.complex64), "expected float16, float32 or float64, got complex64"),
        (np.zeros((2, 3), bool), "got bool"),
        (np.zeros((2, 3), np.longdouble), "expected float16, float32 or float64"),
        (np.zeros(6, np.float32), r"expected two axes, .* got shape \(6,\)"),
        (np.zeros((1, 2, 3), np.float32), r"got shape \(1, 2, 3\)"),
        (np.float32(1), r"got shape \(\)"),
        (np.zeros((7, 0), np.float32), r"no features in it, its shape is \(7, 0\)"),
    ],
)
def test_arrays_of_another_kind(array, message, tmp_path):
    path = save(tmp_path / "v.npy", array)
    with pytest.raises(DataError, match=message) as caught:
        open_features(path, orientation="DT")
    assert str(caught.value).startswith(f"{path}: ")


class Trap:
    """Unpickling one of these makes a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_a_pickle_is_refused_and_never_run(tmp_path):
    sprung = tmp_path / "sprung"
    raw = tmp_path / "raw.npy"
    raw.write_bytes(pickle.dumps(Trap(str(sprung))))
    objects = tmp_path / "objects.npy"
    np.save(objects, np.array([[Trap(str(sprung))]], object), allow_pickle=True)
    for path in (raw, objects):
        with pytest.raises(DataError, match=r"cannot map it as a .npy array .*pickled.*save it again"):
            open_features(path, orientation="DT")
    assert not sprung.exists()
    np.load(objects, allow_pickle=True)  # the trap is a real one
    assert sprung.exists()


def test_files_that_are_not_arrays(tmp_path):
    with pytest.raises(DataError, match=r"gone.npy: no such feature file"):
        open_features(tmp_path / "gone.npy", dimension=D)
    (tmp_path / "empty.npy").touch()
    np.savez(tmp_path / "zip.npz", PLANTED)
    (tmp_path / "zip.npz").rename(tmp_path / "zip.npy")
    (tmp_path / "text.npy").write_text("0.1 0.2\n")
    for name in ("empty", "zip", "text"):
        with pytest.raises(DataError, match=f"{name}.npy: cannot map it as a .npy array"):
            open_features(tmp_path / f"{name}.npy", dimension=D)
    with pytest.raises(DataError, match="not a file"):
        open_features(tmp_path, dimension=D)


@settings(max_examples=150, deadline=None)
@given(cut=st.integers(0, 60), at=st.integers(0, 127), byte=st.integers(0, 255), truncate=st.booleans())
def test_damage_raises_data_error_or_leaves_an_array(cut, at, byte, truncate, tmp_path_factory):
    path = save(tmp_path_factory.mktemp("damage") / "v.npy", PLANTED)
    raw = bytearray(path.read_bytes())
    raw[at] = byte
    path.write_bytes(raw[: len(raw) - 1 - cut] if truncate else raw)
    try:
        features = open_features(path, orientation="TD")
    except DataError:
        return
    assert features.ndim == 2
    assert features.size > 0
    first_bad_step(features)


def test_a_file_cut_off_by_one_byte(tmp_path):
    path = save(tmp_path / "v.npy", PLANTED)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="it may be cut off"):
        open_features(path, orientation="TD")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("axes", ["DT", "TD"])
@pytest.mark.parametrize("chunk", [1, 5, 1 << 22])
def test_the_first_bad_step_is_found_in_any_layout_and_chunk(axes, value, chunk, tmp_path, monkeypatch):
    monkeypatch.setattr("keyseg.data.feature_files._CHUNK", chunk)
    array = PLANTED.copy()
    array[11, 0] = array[4, 6] = value
    path = save(tmp_path / "v.npy", array.T if axes == "DT" else array)
    features = open_features(path, dimension=D)
    assert first_bad_step(features) == 4
    with pytest.raises(DataError, match=r"v.npy: NaN or infinite value at step 4; extract"):
        check_finite(path, features)
    assert first_bad_step(features[:4]) is None


def test_values_that_are_infinite_only_as_float32_are_found_too():
    array = np.zeros((3, 2))
    array[2, 1] = 1e39
    assert first_bad_step(array) == 2


def test_detecting_the_axes_of_a_folder():
    assert detect_axes([((D, T), T)]) == ("DT", D)
    assert detect_axes([((T, D), T)]) == ("TD", D)
    assert detect_axes([((D, T), None), ((D, 11), None)]) == ("DT", D)
    assert detect_axes([((T, D), 99), ((11, D), 99)]) == ("TD", D)
    # A square decides nothing, the next file does.
    assert detect_axes([((D, D), D), ((D, T), T)]) == ("DT", D)
    # Already sampled, one column per three labels.
    assert detect_axes([((D, T), 3 * T - 1)], sample_rate=3) == ("DT", D)
    assert detect_axes([((D, T), T + 2)], tolerance=2) == ("DT", D)
    assert detect_axes([((D, T), 99), ((D, T), 98)]) is None
    assert detect_axes([((D, T), T)], orientation="TD") == ("TD", T)
    assert detect_axes([], orientation="TD") is None
    assert detect_axes([]) is None


def with_header(header: str | bytes, data: int = 64, version: int = 1, length: int | None = None) -> bytes:
    """A .npy file of this header, which may claim another length."""
    text = header if isinstance(header, bytes) else header.encode()
    size = len(text) if length is None else length
    return b"\x93NUMPY" + bytes((version, 0)) + size.to_bytes(2 if version == 1 else 4, "little") + text + bytes(data)


def of_shape(shape: str, descr: str = "'<f4'", order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}\n"


HOSTILE_HEADERS = {
    "10^18 values": with_header(of_shape("(1000000000000000000, 4)")),
    "2^64 values": with_header(of_shape("(4611686018427387904, 4)")),
    "10^30 values": with_header(of_shape(f"({10**30}, 4)")),
    "5,000 digits": with_header(of_shape(f"({'9' * 5000}, 4)")),
    "negative": with_header(of_shape("(-4, 4)")),
    "both negative": with_header(of_shape("(-4, -4)")),
    "no steps": with_header(of_shape("(0, 4)")),
    "nested": with_header(of_shape("((4, 4), 4)")),
    "a list": with_header(of_shape("[4, 4]")),
    "truth values": with_header(of_shape("(True, 16)")),
    "70 axes": with_header(of_shape("(" + "1, " * 70 + ")")),
    "an order that is none": with_header(of_shape("(4, 4)", order="None")),
    "objects": with_header(of_shape("(4, 4)", "'|O'")),
    "fields": with_header(of_shape("(4, 4)", "[('a', '<f4')]")),
    "field of a negative size": with_header(of_shape("(4, 4)", "[('a', '<f4', (-1,))]")),
    "nested fields": with_header(of_shape("(4, 4)", "[" * 50 + "]" * 50)),
    "texts": with_header(of_shape("(2, 2)", "'<U4'")),
    "times": with_header(of_shape("(2, 4)", "'<M8[ns]'")),
    "long double": with_header(of_shape("(2, 2)", "'<f16'")),
    "unary minus": with_header(b"-" * 9000 + b"1"),
    "brackets": with_header(b"(" * 9000),
    "keys of two types": with_header("{1: 2, 'descr': '<f4'}"),
    "a list as key": with_header("{[]: 1}"),
    "a set": with_header("{1, 2}"),
    "an expression": with_header("__import__('os').mkdir('executed')"),
    "header of 1 GB": with_header(of_shape("(4, 4)"), version=2, length=1 << 30),
    "version 9": with_header(of_shape("(4, 4)"), version=9),
    "no data": with_header(of_shape("(4, 4)"), data=0),
    "one byte less": with_header(of_shape("(4, 4)"), data=63),
    "ends in the header": with_header(of_shape("(4, 4)"))[:40],
    "ends in the length": b"\x93NUMPY\1",
}


@pytest.mark.parametrize("content", HOSTILE_HEADERS.values(), ids=HOSTILE_HEADERS)
def test_headers_that_lie_are_refused_in_a_short_message(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "v.npy"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"^.*v\.npy: ") as caught:
        stored_shape(path)
    assert len(str(caught.value)) < len(str(path)) + 400
    assert "\n" not in str(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == ["v.npy"]


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("descr", ["'<f4'", "'>f4'"])
@pytest.mark.parametrize("data", [64, 100])
def test_headers_of_any_version_and_byte_order_are_read(version, descr, data, tmp_path):
    path = tmp_path / "v.npy"
    path.write_bytes(with_header(of_shape("(4, 4)", descr), data, version))
    assert stored_shape(path) == (4, 4)
