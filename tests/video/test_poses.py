"""The extractor `poses`: planted movements, invariances, missing points, and how it is remembered."""

from __future__ import annotations

import json
import pickle
from fractions import Fraction

import numpy as np
import pytest

from keyseg.data.feature_origin import read_sidecar
from keyseg.timeline import ConfigError, DataError
from keyseg.video.extraction import FeatureCache, extract_features, origin_of
from keyseg.video.extractors import extractor_of, inputs_and_extractor, make_extractor
from keyseg.video.pose_motion import Trajectories, body_size, bridged, velocities
from keyseg.video.pose_tracks import Point
from keyseg.video.poses import PoseReader, Poses
from video.pose_files import NETWORK, walks, write_dlc_csv, write_sleap_csv

RATE = Fraction(25)
PARTS = ("nose", "neck", "tail")
TWO = [Point(animal, part) for animal in ("rat1", "rat2") for part in PARTS]
# Entries of a row of an animal with three points.
SPEEDS, BODY, FORWARD, ASIDE, TURNING, APART, STRAIGHT, BENT, MISSING = (
    slice(0, 3),
    3,
    4,
    5,
    6,
    slice(7, 10),
    10,
    11,
    slice(12, 15),
)
PAIR = 30  # of the entries of two such animals, where those about both begin


def rows(positions, points=TWO, fps=RATE, rate=RATE):
    """Features (T, D) of positions (N, animals, parts, 2)."""
    extractor = Poses(points, rate)
    trajectories = Trajectories.of(
        positions.reshape(len(positions), -1, 2).astype(np.float32), extractor._animals, extractor.track_fps
    )
    return np.concatenate(list(extractor.rows(pose for pose, _ in trajectories.at_rate(fps))))


def test_what_a_row_says_of_an_animal_that_runs():
    """nose, neck and tail 10 apart on a line along x; 2 pixels per frame forward, that is 50 per second."""
    time = np.arange(50.0)
    body = np.array([[20.0, 0], [10, 0], [0, 0]])
    walk = body + np.stack([2 * time, 0 * time], axis=-1)[:, None]
    size = 2 * np.sqrt(200 / 3)
    row = rows(walk[:, None], TWO[:3])[25]
    assert row.shape == (15,)
    assert row[SPEEDS] == pytest.approx(np.log1p(50 / size))
    assert row[BODY] == pytest.approx(np.log1p(50 / size))
    assert row[FORWARD] == pytest.approx(np.arcsinh(50 / size))
    assert row[[ASIDE, TURNING]] == pytest.approx(0, abs=1e-5)
    assert row[APART] == pytest.approx(np.log1p(np.array([10, 20, 10]) / size))
    assert (row[STRAIGHT], row[BENT]) == pytest.approx((1, 0), abs=1e-5)
    assert row[MISSING] == pytest.approx(0)


def test_backwards_sideways_turning_and_bent():
    time = np.arange(50.0)
    body = np.array([[20.0, 0], [10, 0], [0, 0]])
    back = body - np.stack([2 * time, 0 * time], axis=-1)[:, None]
    assert rows(back[:, None], TWO[:3])[25][FORWARD] < -1
    aside = [body + sign * np.stack([0 * time, 2 * time], axis=-1)[:, None] for sign in (1, -1)]
    one, other = (rows(walk[:, None], TWO[:3])[25][ASIDE] for walk in aside)
    assert one > 1
    assert other == pytest.approx(-one)
    angle = 0.02 * time  # half a radian per second
    turned = np.stack([np.cos(angle), np.sin(angle)], axis=-1)[:, None] * body[None, :, :1]
    assert rows(turned[:, None], TWO[:3])[25][TURNING] == pytest.approx(np.arcsinh(0.5), rel=1e-2)
    bent = np.broadcast_to(np.array([[10.0, 10], [10, 0], [0, 0]]), (50, 3, 2))
    assert rows(bent[:, None], TWO[:3])[25][[STRAIGHT, BENT]] == pytest.approx((0, -1), abs=1e-5)


def test_what_a_row_says_of_two_animals():
    """The first looks along x at the second, which looks along y and comes nearer by 25 pixels per second."""
    time = np.arange(50.0)
    one = np.broadcast_to(np.array([[20.0, 0], [10, 0], [0, 0]]), (50, 3, 2))
    other = np.array([[0.0, 20], [0, 10], [0, 0]]) + np.stack([200 - time, -10 + 0 * time], axis=-1)[:, None]
    size = 2 * np.sqrt(200 / 3)
    row = rows(np.stack([one, other], axis=1))[25][PAIR:]
    assert row.shape == (8 + 6,)
    far, approach, along, across, ahead, beside, other_ahead, other_beside = row[:8]
    assert (far, approach) == pytest.approx((np.log1p(165 / size), np.arcsinh(-25 / size)), rel=1e-3)
    assert (along, across) == pytest.approx((0, 1), abs=1e-5)  # the other one looks to the left of the first
    assert (ahead, beside) == pytest.approx((1, 0), abs=1e-5)  # and is in front of it
    assert (other_ahead, other_beside) == pytest.approx((0, 1), abs=1e-5)  # which is on its left
    nearest = np.hypot([155, 165, 175], [0, 0, 0])
    assert row[8:11] == pytest.approx(np.log1p(nearest / size), rel=2e-2)


def test_place_direction_and_size_of_the_picture_do_not_matter():
    walk = walks(60)
    walk[20:24, 0, 1] = np.nan
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])
    expected = rows(walk)
    assert np.abs(expected).max() > 1
    for other in (walk + np.array([1000, -50]), walk @ turn, walk * 3.7, (walk @ turn) * 0.2 + 5):
        np.testing.assert_allclose(rows(other), expected, atol=2e-3)


def test_the_mirror_image_differs_only_in_what_has_a_side():
    walk = walks(60)
    ours, mirrored = rows(walk), rows(walk * (1, -1))
    sided = np.flatnonzero(np.abs(ours - mirrored).max(axis=0) > 1e-3)
    assert sided.tolist() == [ASIDE, TURNING, 15 + ASIDE, 15 + TURNING, PAIR + 3, PAIR + 5, PAIR + 7]
    np.testing.assert_allclose(ours[:, sided], -mirrored[:, sided], atol=2e-3)


def test_the_same_walk_at_another_frame_rate_has_the_same_features():
    """Straight walks, so that what is between two frames is known."""
    ends = walks(2, seed=3) * 1.0
    share = np.linspace(0, 1, 121)[:, None, None, None]
    slow = (1 - share) * ends[0] + share * ends[1]
    expected = rows(slow[::4], rate=Fraction(15), fps=Fraction(15))
    found = rows(slow, rate=Fraction(60), fps=Fraction(15))
    assert found.shape == expected.shape == (31, PAIR + 14)
    np.testing.assert_allclose(found[2:-2], expected[2:-2], atol=2e-2)


@pytest.mark.parametrize(
    ("frames", "rate", "fps", "expected"),
    [(100, 25, 25, 100), (100, 25, 10, 40), (101, 25, 10, 41), (100, Fraction(30000, 1001), 15, 51), (1, 25, 1, 1),
     (2, 50, 10, 1), (10, 10, 30, 30)],
)  # fmt: skip
def test_there_is_a_frame_for_each_time_before_the_tracks_end(frames, rate, fps, expected):
    tracks = Trajectories.of(np.ones((frames, 1, 2), np.float32), [[0]], Fraction(rate))
    poses = list(tracks.at_rate(Fraction(fps)))
    assert len(poses) == tracks.frames(Fraction(fps)) == expected
    assert [number for _, number in poses] == [int(i * Fraction(rate) / fps) for i in range(expected)]


def test_between_two_frames_a_point_is_between_its_places():
    positions = np.array([[[0, 0]], [[10, 20]], [[20, 40]]], np.float32)
    tracks = Trajectories.of(positions, [[0]], Fraction(10))
    size = body_size(positions, [[0]])
    places = np.array([pose[0, :2] for pose, _ in tracks.at_rate(Fraction(20))]) * size
    np.testing.assert_allclose(places[:, 0], [0, 5, 10, 15, 20, 20], atol=1e-4)


def test_next_to_a_long_gap_a_pose_is_that_of_the_nearer_frame():
    positions = np.arange(20, dtype=np.float32)[:, None, None] * np.ones((1, 1, 2), np.float32)
    positions[5:15] = np.nan  # a second
    tracks = Trajectories.of(positions, [[0]], Fraction(10))
    size = body_size(positions, [[0]])
    poses = np.stack([pose[0] for pose, _ in tracks.at_rate(Fraction(30))])
    places = poses[:, 0] * size
    np.testing.assert_allclose(places[12:14], [4, 4], atol=1e-4)  # at 4.33 frames, too
    assert np.isnan(places[14:44]).all()
    np.testing.assert_allclose(places[44:47], [15, 15, 15 + 1 / 3], atol=1e-4)  # at 14.67 frames, too
    assert poses[:, 4].tolist() == [0] * 14 + [1] * 30 + [0] * 16


def test_short_gaps_are_bridged_and_long_ones_are_not():
    line = np.stack([np.arange(40.0)] * 2, axis=-1)[:, None].astype(np.float32)
    holes = line.copy()
    holes[:2], holes[5:8], holes[12:16], holes[38:] = np.nan, np.nan, np.nan, np.nan
    filled = bridged(holes, 3)
    known = ~np.isnan(filled).any(axis=(1, 2))
    assert np.flatnonzero(~known).tolist() == [0, 1, 12, 13, 14, 15, 38, 39]
    np.testing.assert_allclose(filled[known], line[known], atol=1e-5)


def test_half_a_second_is_bridged_and_its_points_still_count_as_missing():
    walk = walks(100)
    walk[20:32, 0, 0], walk[60:73, 0, 0] = np.nan, np.nan  # 12 frames are 0.48 s, 13 are 0.52 s
    found = rows(walk)
    assert np.flatnonzero(found[:, MISSING][:, 0]).tolist() == [*range(20, 32), *range(60, 73)]
    assert (found[20:32, 0] != 0).all()
    assert (found[60:73, 0] == 0).all()
    assert (found[60:73, 1] != 0).all()


def test_velocity_uses_what_is_there():
    line = np.stack([np.arange(20.0)] * 2, axis=-1)[:, None].astype(np.float32)
    line[8:10] = np.nan
    found = velocities(line, 2, RATE)[:, 0, 0]
    assert np.flatnonzero(np.isnan(found)).tolist() == [8, 9]
    np.testing.assert_allclose(found[~np.isnan(found)], 25)
    alone = np.full((9, 1, 2), np.nan, np.float32)
    alone[4] = 1
    assert np.isnan(velocities(alone, 2, RATE)).all()


def test_an_animal_that_is_away_gives_finite_rows():
    walk = walks(80)
    walk[20:60, 1] = np.nan
    walk[40:55, 0] = np.nan
    found = rows(walk)
    assert np.isfinite(found).all()
    assert (found[40:55] == np.r_[[0] * 12, [1] * 3, [0] * 12, [1] * 3, [0] * 14]).all()
    assert (found[25:35, PAIR:] == 0).all()
    with pytest.raises(DataError, match="no point is seen in any frame"):
        rows(np.full((5, 2, 3, 2), np.nan))


@pytest.mark.parametrize(("parts", "dimension"), [(1, 3), (2, 2 + 4 + 1 + 2), (3, 15), (5, 5 + 4 + 10 + 6 + 5)])
def test_the_number_of_points_decides_the_dimension(parts, dimension):
    points = [Point("rat", str(part)) for part in range(parts)]
    assert Poses(points, RATE).dimension == dimension
    assert rows(walks(30, ("rat",), range(parts)), points).shape == (30, dimension)


def test_animals_of_one_point_are_scaled_by_where_they_were():
    walk = walks(60, parts=("body",))
    points = [Point("a", "body"), Point("b", "body")]
    np.testing.assert_allclose(rows(walk * 4, points), rows(walk, points), atol=1e-4)
    assert body_size(np.ones((5, 1, 2), np.float32), [[0]]) == 1


def test_the_body_size_is_a_median_so_that_wrong_places_do_not_count():
    walk = walks(60)
    wrong = walk.copy()
    wrong[:5, 0, 0] += 4000
    np.testing.assert_allclose(rows(wrong)[20:], rows(walk)[20:], atol=2e-2)


def test_frames_in_which_most_points_are_missing_do_not_count_for_the_body_size():
    walk = walks(60, ("rat",), range(5))[:, 0].astype(np.float32)
    expected = body_size(walk, [range(5)])
    walk[10:, :3] = np.nan
    assert body_size(walk, [range(5)]) == pytest.approx(expected, rel=1e-4)


def test_two_animals_that_face_each_other():
    one = np.broadcast_to(np.array([[20.0, 0], [10, 0], [0, 0]]), (50, 3, 2))
    row = rows(np.stack([one, np.array([200.0, 0]) - one], axis=1))[25][PAIR:]
    assert row[[4, 6]] == pytest.approx((1, 1), abs=1e-5)
    assert row[[2, 5, 7]] == pytest.approx((-1, 0, 0), abs=1e-5)


def test_blocks_do_not_change_the_rows(monkeypatch):
    walk = walks(50)
    expected = rows(walk)
    monkeypatch.setattr("keyseg.video.poses._BLOCK", 7)
    np.testing.assert_array_equal(rows(walk), expected)


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "tracks"
    write_dlc_csv(folder / f"day1{NETWORK}.csv", walks(50)[:, ::-1], ("rat2", "rat1"))
    write_dlc_csv(folder / f"day2{NETWORK}.csv", walks(60, seed=1))
    return sorted(folder.iterdir())


def test_animals_are_in_the_order_of_their_names_in_every_file(files, tmp_path):
    found, extractor = inputs_and_extractor([files[0].parent], "poses", RATE)
    assert found == files
    assert extractor.points == tuple(TWO)
    extract_features(files[1], extractor, RATE, tmp_path / "b.npy")
    np.testing.assert_allclose(np.load(tmp_path / "b.npy"), rows(walks(60, seed=1)), atol=1e-2)


def test_the_features_of_tracks_have_a_sidecar_and_are_remade_by_their_origin(files, tmp_path):
    extractor = Poses.of_files(files, RATE)
    cache = FeatureCache(tmp_path / "cache")
    made = cache.features(files[0], extractor, Fraction(10))
    sidecar = read_sidecar(made.path)
    assert (sidecar.frames, sidecar.time_base, sidecar.pts[:4]) == (20, "1/25", (0, 2, 5, 7))
    assert json.loads(sidecar.origin.options["points"]) == [list(point) for point in TWO]
    again = extractor_of(sidecar.origin)
    assert origin_of(again, Fraction(10)) == sidecar.origin
    assert not cache.features(files[0], again, Fraction(10)).fresh
    assert cache.features(files[0], Poses.of_files(files, Fraction(50)), Fraction(10)).fresh  # another rate
    assert pickle.loads(pickle.dumps(extractor)).options == extractor.options  # as worker processes need it


def test_tracks_of_sleap_give_what_tracks_of_deeplabcut_give(files, tmp_path):
    extractor = Poses.of_files(files, RATE)
    sleap = write_sleap_csv(tmp_path / "day3.analysis.csv", walks(50))
    for path in (files[0], sleap):
        extract_features(path, extractor, Fraction(10), tmp_path / f"{path.stem}.npy")
    first, second = (np.load(tmp_path / f"{path.stem}.npy") for path in (files[0], sleap))
    np.testing.assert_array_equal(first, second)


def test_what_a_new_file_lacks_is_missing_and_what_it_has_besides_is_an_error(files, tmp_path):
    extractor = Poses.of_files(files, RATE)
    alone = write_dlc_csv(tmp_path / "alone.csv", walks(50)[:, :1], ("rat1",))
    with PoseReader(alone, extractor, RATE) as reader:
        poses = np.stack([frame.image for frame in reader])
    assert poses[:, 3:, 4].all()
    assert not poses[:, :3, 4].any()
    stranger = write_dlc_csv(tmp_path / "stranger.csv", walks(50), ("rat1", "cat"))
    with pytest.raises(DataError, match="expected the animals rat1, rat2, got cat, rat1"):
        extractor.read(stranger)
    paws = write_dlc_csv(tmp_path / "paws.csv", walks(50), parts=("nose", "paw", "tail"))
    with pytest.raises(DataError, match="expected the points neck, nose, tail, got nose, paw, tail"):
        extractor.read(paws)


@pytest.mark.parametrize(("lost", "time"), [((20, 33), (0.8, 1.32)), ((0, 30), (0, 1.2)), ((30, 50), (1.2, 2))])
def test_a_time_without_any_point_is_noted(files, tmp_path, lost, time):
    positions = walks(50)
    positions[slice(*lost)] = np.nan
    path = write_dlc_csv(tmp_path / "a.csv", positions)
    (note,) = PoseReader(path, Poses.of_files(files, RATE), RATE).notes
    count, (start, end) = lost[1] - lost[0], time
    assert note == f"in {count} of 50 frames no point is seen, the longest time from {start:.2f} to {end:.2f} s"


def test_points_that_are_never_seen_are_noted_and_half_a_second_is_not(files, tmp_path):
    positions = walks(50)
    positions[20:32] = np.nan
    alone = write_dlc_csv(tmp_path / "alone.csv", positions[:, :1], ("rat1",))
    (note,) = PoseReader(alone, Poses.of_files(files, RATE), RATE).notes
    assert note == "never seen: nose of rat2, neck of rat2, tail of rat2; their features are 0"
    assert PoseReader(files[0], Poses.of_files(files, RATE), RATE).notes == ()


def test_what_the_extractor_refuses(files, tmp_path):
    with pytest.raises(ConfigError, match=r"do not state a frame rate.*--track-fps 25"):
        inputs_and_extractor(files, "poses", None)
    with pytest.raises(ConfigError, match="--track-fps is the frame rate of tracks, and motion reads videos"):
        inputs_and_extractor(files, "motion", RATE)
    with pytest.raises(ConfigError, match="poses takes no sample_rate"):
        make_extractor(Poses(TWO, RATE), sample_rate=2)
    broken = tmp_path / "broken.csv"
    broken.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"broken\.csv:1: not tracks"):
        inputs_and_extractor([broken], "poses", RATE)
    assert inputs_and_extractor([broken, files[0]], "poses", RATE)[1].points == tuple(TWO)  # the other one is reported
    for options in ({}, {"points": "[1]", "track_fps": "25"}, {"points": "[" * 99_999, "track_fps": "25"}):
        with pytest.raises(DataError, match="recorded without their points and frame rate"):
            Poses.of_options(options)
