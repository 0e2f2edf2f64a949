"""Tracks in all layouts that DeepLabCut and SLEAP write give the same positions; damage is named with its line."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyseg.data.input_names import input_name
from keyseg.timeline import ConfigError, DataError, KeysegError
from keyseg.video.find_videos import find_videos, one_a_name, tracks_inside
from keyseg.video.pose_tracks import Point, holds_tracks, read_tracks
from video.pose_files import (
    NETWORK,
    walks,
    write_dlc_csv,
    write_dlc_h5,
    write_sleap_csv,
    write_sleap_h5,
)

h5py = pytest.importorskip("h5py")
POINTS = tuple(Point(animal, part) for animal in ("rat1", "rat2") for part in ("nose", "neck", "tail"))


@pytest.fixture
def walk():
    positions = walks(12)
    positions[3:5, 0, 1] = np.nan
    positions[7, 1] = np.nan
    return positions


LAYOUTS = {
    "dlc.csv": write_dlc_csv,
    "dlc spreadsheet.csv": lambda path, walk: write_dlc_csv(path, walk, separator=";", decimal=","),
    "dlc bom.csv": lambda path, walk: write_dlc_csv(path, walk, encoding="utf-8-sig"),
    "dlc.h5": write_dlc_h5,
    "dlc fixed.h5": lambda path, walk: write_dlc_h5(path, walk, fixed=True),
    "sleap.h5": write_sleap_h5,
    "sleap-io.h5": lambda path, walk: write_sleap_h5(path, walk, axes=("frame", "track", "node", "xy")),
    "sleap odd.h5": lambda path, walk: write_sleap_h5(path, walk, axes=("node", "frame", "xy", "track")),
    "sleap.csv": write_sleap_csv,
    "sleap video.csv": lambda path, walk: write_sleap_csv(path, walk, video="day1.mp4"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_gives_the_same_tracks(name, walk, tmp_path):
    tracks = read_tracks(LAYOUTS[name](tmp_path / name, walk))
    assert tracks.points == POINTS
    assert tracks.positions.dtype == np.float32
    assert holds_tracks(tmp_path / name)
    np.testing.assert_array_equal(tracks.positions, walk.reshape(12, 6, 2).astype(np.float32))


@pytest.mark.parametrize("write", [write_dlc_csv, write_dlc_h5, lambda *a, **k: write_dlc_h5(*a, **k, fixed=True)])
def test_one_animal_of_deeplabcut_has_three_header_rows(write, tmp_path):
    walk = walks(5, ("one",))
    path = tmp_path / ("a.csv" if write is write_dlc_csv else "a.h5")
    tracks = read_tracks(write(path, walk, ("one",), single=True))
    assert tracks.points == tuple(Point("animal", part) for part in ("nose", "neck", "tail"))
    np.testing.assert_array_equal(tracks.positions, walk[:, 0].astype(np.float32))


def test_one_animal_of_sleap_has_no_track(tmp_path):
    walk = walks(5, ("",))
    for tracks in (
        read_tracks(write_sleap_csv(tmp_path / "a.csv", walk, ("",))),
        read_tracks(write_sleap_h5(tmp_path / "a.h5", walk, ())),
    ):
        assert {point.animal for point in tracks.points} == {"animal"}
        np.testing.assert_array_equal(tracks.positions, walk[:, 0].astype(np.float32))


def test_points_of_low_likelihood_are_missing(tmp_path):
    walk = walks(3)
    likelihood = np.ones(walk.shape[:3])
    likelihood[0, 0, 0], likelihood[1, 0, 1], likelihood[2, 1, 2] = 0.599, 0.6, np.nan
    for tracks in (
        read_tracks(write_dlc_csv(tmp_path / "a.csv", walk, likelihood=likelihood)),
        read_tracks(write_dlc_h5(tmp_path / "a.h5", walk, likelihood=likelihood)),
    ):
        assert np.argwhere(np.isnan(tracks.positions[..., 0])).tolist() == [[0, 0], [2, 5]]
    # SLEAP leaves out what it does not see, and its scores are on another scale: 0.4 in these files.
    assert not np.isnan(read_tracks(write_sleap_csv(tmp_path / "b.csv", walk)).positions).any()


def test_a_row_belongs_to_the_frame_that_it_names(walk, tmp_path):
    for tracks in (
        read_tracks(write_dlc_csv(tmp_path / "a.csv", walk, first=4)),
        read_tracks(write_dlc_h5(tmp_path / "a.h5", walk, first=4)),
        read_tracks(write_dlc_h5(tmp_path / "b.h5", walk, first=4, fixed=True)),
    ):
        assert tracks.positions.shape == (16, 6, 2)
        assert np.isnan(tracks.positions[:4]).all()
        np.testing.assert_array_equal(tracks.positions[4:], walk.reshape(12, 6, 2).astype(np.float32))


def test_infinite_coordinates_and_single_ones_are_missing(tmp_path):
    walk = walks(3)
    walk[0, 0, 0, 0], walk[1, 0, 1, 1] = np.inf, np.nan
    tracks = read_tracks(write_dlc_csv(tmp_path / "a.csv", walk))
    assert np.isnan(tracks.positions[0, 0]).all()
    assert np.isnan(tracks.positions[1, 1]).all()
    assert np.isnan(tracks.positions).sum() == 4


@pytest.mark.parametrize(
    ("name", "video"),
    [
        (f"day1{NETWORK}.csv", "day1"),
        (f"day 1.b{NETWORK}_el_filtered.h5", "day 1.b"),
        ("day1DLC_HrnetW32_ratsMay5shuffle2_snapshot_100.h5", "day1"),
        ("day1DeepCut_resnet50_ratsMay5shuffle1_5000.csv", "day1"),
        ("day1_superanimal_quadruped_hrnet_w32.h5", "day1"),
        ("labels.v001.000_day1.analysis.h5", "day1"),
        ("day1.mp4.predictions.000_day1.analysis.csv", "day1"),
        ("day1.predictions.analysis.h5", "day1"),
        ("day1.mp4.csv", "day1"),
        ("day1.1.csv", "day1.1"),
        ("cage.002_day1.csv", "cage.002_day1"),
        ("rats_DLC_day1.csv", "rats_DLC_day1"),
        (f"day1{NETWORK}.mp4", f"day1{NETWORK}"),
    ],
)
def test_features_are_called_like_the_video_that_was_tracked(name, video):
    assert input_name(Path(name)) == video


def test_tracks_in_a_folder_are_found_beside_other_tables(walk, tmp_path):
    write_dlc_csv(tmp_path / f"day1{NETWORK}.csv", walk)
    write_dlc_h5(tmp_path / f"day1{NETWORK}.h5", walk)
    write_dlc_h5(tmp_path / f"day2{NETWORK}.h5", walk)
    (tmp_path / "people.csv").write_text("video,group\n")
    (tmp_path / "day1.mp4").write_text("")
    (tmp_path / "empty.csv").write_text("")
    assert [path.name for path in tracks_inside(tmp_path)] == [f"day1{NETWORK}.csv", f"day2{NETWORK}.h5"]
    write_dlc_csv(tmp_path / f"day1{NETWORK}_filtered.csv", walk)
    with pytest.raises(DataError, match="would both be called day1; rename one of them, or leave one out"):
        one_a_name(find_videos([tmp_path], tracks=True))
    (tmp_path / "other").mkdir()
    with pytest.raises(DataError, match="no tracks in this folder"):
        find_videos([tmp_path / "other"], tracks=True)


HEAD = "scorer,n,n\nbodyparts,a,a\ncoords,x,y\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no frames in it"),
        ("a,b\n1,2\n", ":1: not tracks; expected the header of DeepLabCut"),
        (HEAD, "no frames in it"),
        ("scorer,n\nbodyparts,a\n", "no frames in it"),
        ("scorer,n\ncolour,a\ncoords,x\n", ":2: expected the header rows"),
        ("scorer,n\nbodyparts,a,b\nbodyparts,a\n", ":3: expected the header rows"),
        ("scorer,n,n\ncoords,x,y\n0,1,2\n", "header rows have different lengths"),
        ("scorer,n,n\nbodyparts,a,a\ncoords,x,x\n", "x of a of animal is in it twice"),
        ("scorer,n,n\nbodyparts,a,b\ncoords,x,y\n", "no x or no y of a of animal"),
        ("scorer,n,n,n\nbodyparts,a,a,a\ncoords,x,y,z\n", "three-dimensional tracks in column 4"),
        (HEAD + "0,1,2\n1,1\n", ":5: expected 3 cells, got 2"),
        (HEAD + "0,1,2\n0,1,2\n", "frame 0 is in it twice"),
        (HEAD + "0,1,two\n", ":4: expected a number, got 'two'"),
        (HEAD + "labeled-data/day1/img01.png,1,2\n", ":4: expected the number of a frame, got 'labeled-data"),
        (HEAD + "-1,1,2\n", ":4: expected the number of a frame"),
        (HEAD + "99999999999,1,2\n", "expected frame numbers below 20,000,000"),
        (HEAD + "0,1,2\n" + "9" * 400 + ",1,2\n", ":5: expected the number of a frame"),
        ("track,frame_idx,a.x,a.y\n", "no frames in it"),
        ("track,frame_idx,a.x,a.y\nr,0,1,2\nr,0,1,2\n", ":3: frame 0 has two animals called r"),
        ("track,frame_idx,a.x,a.y\n,0,1,2\n,0,1,2\n", "without a track; track them in SLEAP"),
        ("frame_idx,a.x,a.y\n0,1,2\n0,1,2\n", "frame 0 has two animals without a track"),
        ("track,frame_idx,a.x,a.y\nr,1000000000,1,2\n", ":2: expected frame numbers below"),
        ("track,frame_idx,a.x,a.y\nr,9999999,1,2\n", "1 points in 10,000,000 frames, of which it holds 1 in all; is a"),
        (HEAD + "9999999,1,2\n", "points in 10,000,000 frames, of which it holds 1 in all"),
        ("track,frame_idx,a.x,a.y,a.x,a.y\nr,0,1,2,1,2\n", ":1: two columns have the same name"),
        ("video,track,frame_idx,a.x,a.y\nv,r,0,1,2\nw,r,0,1,2\n", ":3: a second video, 'w'"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused(text, words, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_tracks(path)
    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_file_of_another_kind_is_refused(walk, tmp_path):
    video, damaged, other = tmp_path / "a.mp4", tmp_path / "damaged.h5", tmp_path / "other.h5"
    video.write_bytes(b"")
    with pytest.raises(DataError, match="not a file of tracks; expected CSV or H5"):
        read_tracks(video)
    damaged.write_bytes(write_dlc_h5(tmp_path / "a.h5", walk).read_bytes()[:2000])
    with pytest.raises(DataError, match="cannot read its tracks"):
        read_tracks(damaged)
    with h5py.File(other, "w") as file:
        file["x"] = 1
    with pytest.raises(DataError, match="expected SLEAP's analysis file"):
        read_tracks(other)
    with pytest.raises(DataError, match="no such file"):
        read_tracks(tmp_path / "none.h5")
    with pytest.raises(DataError, match="no such file"):
        read_tracks(tmp_path / "none.csv")


class _Attack:
    def __reduce__(self):
        return (os.mkdir, (self.folder,))


def test_names_of_columns_run_no_code(walk, tmp_path):
    attack = _Attack()
    attack.folder = str(tmp_path / "made")
    path = write_dlc_h5(tmp_path / "a.h5", walk, pickled=pickle.dumps(attack, protocol=0))
    with pytest.raises(DataError, match=r"cannot read the names of its columns \(refers to .*mkdir\)"):
        read_tracks(path)
    assert not (tmp_path / "made").exists()


def test_another_file_is_not_read_through_a_link(walk, tmp_path):
    secret = write_sleap_h5(tmp_path / "secret.h5", walk)
    for name in ("tracks", "node_names"):
        path = write_sleap_h5(tmp_path / f"{name}.h5", walk)
        with h5py.File(path, "a") as file:
            del file[name]
            file[name] = h5py.ExternalLink(str(secret), f"/{name}")
        with pytest.raises(DataError, match=f"{name} is in another file"):
            read_tracks(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes among its files")
def test_a_pipe_is_not_opened_through_a_link(tmp_path):
    os.mkfifo(tmp_path / "pipe.h5")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["tracks"] = h5py.ExternalLink(str(tmp_path / "pipe.h5"), "/tracks")
    writer = os.open(tmp_path / "pipe.h5", os.O_RDWR)  # what opens the pipe does not wait for a writer, and shows here
    try:
        os.set_blocking(writer, False)
        with pytest.raises(DataError, match="tracks is in another file"):
            read_tracks(tmp_path / "a.h5")
    finally:
        os.close(writer)


def test_another_file_is_not_read_through_external_storage(walk, tmp_path):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(walk.astype("f8").tobytes())
    path = write_sleap_h5(tmp_path / "a.h5", walk)
    with h5py.File(path, "a") as file:
        del file["tracks"]
        file.create_dataset("tracks", (2, 2, 3, 12), "f8", external=[(str(secret), 0, secret.stat().st_size)])
    with pytest.raises(DataError, match="tracks refers to another file"):
        read_tracks(path)
    other = write_sleap_h5(tmp_path / "b.h5", walk)
    with h5py.File(path, "a") as file:
        del file["tracks"]
        layout = h5py.VirtualLayout((2, 2, 3, 12), "f8")
        layout[:] = h5py.VirtualSource(str(other), "tracks", (2, 2, 3, 12))
        file.create_virtual_dataset("tracks", layout)
    with pytest.raises(DataError, match="tracks refers to another file"):
        read_tracks(path)


def test_a_large_shape_without_content_takes_no_memory(walk, tmp_path):
    path = write_sleap_h5(tmp_path / "a.h5", walk)
    with h5py.File(path, "a") as file:
        del file["tracks"]
        file.create_dataset("tracks", (2, 2, 3, 10_000_000), "f4", chunks=True)
    with pytest.raises(DataError, match="almost nothing is stored"):
        read_tracks(path)
    with h5py.File(path, "a") as file:
        del file["tracks"]
        file.create_dataset("tracks", (2, 2, 3, 10**12), "f4", chunks=True)
    with pytest.raises(DataError, match="expected frame numbers below"):
        read_tracks(path)


def test_sleap_axes_that_do_not_fit_are_refused(walk, tmp_path):
    path = write_sleap_h5(tmp_path / "a.h5", walk[:, :, :2])
    with pytest.raises(DataError, match="expected tracks of 2 animals x 2 coordinates x 3 nodes"):
        read_tracks(path)


def test_h5_without_h5py_names_the_extra(walk, tmp_path, monkeypatch):
    path = write_sleap_h5(tmp_path / "a.h5", walk)
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(ConfigError, match=r'pip install "keyseg\[poses\]"'):
        read_tracks(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize("name", [name for name in LAYOUTS if "spreadsheet" not in name])
def test_damaged_files_are_read_or_refused(name, data, tmp_path):
    content = bytearray(LAYOUTS[name](tmp_path / name, walks(4)).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    (tmp_path / name).write_bytes(content)
    try:
        tracks = read_tracks(tmp_path / name)
    except KeysegError:
        return
    assert tracks.positions.shape[1:] == (len(tracks.points), 2)
    assert len(tracks.positions) <= 20_000_000


@pytest.mark.parametrize("every", [1, 100])
def test_long_tracks_that_compress_well_are_read(every: int, tmp_path: Path) -> None:
    values = np.full((4, 2, 15, 100_000), np.nan)
    values[..., ::every] = np.arange(15)[:, None]  # a file of a hundredth of their size, or less
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("tracks", data=values, compression="gzip")
        file["node_names"] = [f"node {at}" for at in range(15)]
        file["track_names"] = [f"animal {at}" for at in range(4)]
    assert (tmp_path / "a.h5").stat().st_size * 100 < values.nbytes
    assert len(read_tracks(tmp_path / "a.h5").positions) == 100_000
