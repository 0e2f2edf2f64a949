"""`motion` distinguishes movements, sees none in a still, and gives the same rows for any block size."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter

from keyseg.timeline import ConfigError
from keyseg.video.motion import Motion
from keyseg.video.motion_histograms import flow, high_passed, lobes, opening_and_turning

pytestmark = pytest.mark.slow

LOOKS = 4 * 9 + 12 * 6
VIEW = 12 * 8 + 12 + 2 * 13
DOWN, RIGHT = np.mgrid[:120, :160].astype(np.float32)


def rows(frames, block=32):
    return np.concatenate([np.zeros((0, Motion.dimension), np.float32), *Motion(block=block).rows(frames)])


def views(result):
    """Directions (N, 12, 8), change (N, 12), opening and turning (N, 13, 2), of slow and then of fast motion."""
    for start in (LOOKS, LOOKS + VIEW):
        view = result[:, start : start + VIEW]
        yield view[:, :96].reshape(-1, 12, 8), view[:, 96:108], view[:, 108:].reshape(-1, 13, 2)


def background(seed=0):
    smooth = np.random.default_rng(seed).uniform(60, 120, (5, 6, 3))
    return np.kron(smooth, np.ones((24, 27, 1)))[:, :160].astype(np.float32)


def drawn(discs, *, radius=10, noise=0.0, seed=0):
    """A frame for each list of disc centres, (x, y) from the middle of the picture."""
    rng, frames = np.random.default_rng(seed), []
    for centres in discs:
        frame = background()
        for x, y in centres:
            inside = np.clip(radius + 0.5 - np.hypot(RIGHT - 79.5 - x, DOWN - 59.5 - y), 0, 1)[..., None]
            frame = frame * (1 - inside) + inside * np.array([220, 200, 180], np.float32)
        frames.append(np.clip(frame + rng.normal(0, noise, frame.shape), 0, 255).astype(np.uint8))
    return frames


def straight(turn, speed, frames=13):
    """One disc through the middle: `turn` eighths of a full turn from right towards down, `speed` pixels per frame."""
    angle = turn * np.pi / 4
    path = [(i - frames // 2) * speed for i in range(frames)]
    return [[(way * np.cos(angle), way * np.sin(angle))] for way in path]


def apart(change, frames=13):
    return [[(-30 - change * (i - 6), 0), (30 + change * (i - 6), 0)] for i in range(frames)]


def round_a_circle(speed, frames=13):
    return [[(16 * np.cos(speed * i), 16 * np.sin(speed * i))] for i in range(frames)]


def noisy(frames, seed=0):
    return list(np.random.default_rng(seed).integers(0, 256, (frames, 120, 160, 3)).astype(np.uint8))


def test_the_extractors_properties_are_true():
    motion = Motion()
    result = rows(noisy(5))
    assert (motion.name, motion.version, motion.sample_rate, dict(motion.options)) == ("motion", "1", 1, {})
    assert result.shape == (5, motion.dimension)
    assert result.dtype == np.float32
    assert motion.dimension <= 400


@pytest.mark.parametrize("turn", range(8))
@pytest.mark.parametrize(("speed", "view"), [(0.3, 0), (1.0, 0), (1.5, 1), (6.0, 1)])
def test_the_eight_directions_are_distinguished(turn, speed, view):
    directions, _, _ = list(views(rows(drawn(straight(turn, speed), noise=2))))[view]
    assert (directions[6] ** 2).sum(0).argmax() == turn


def test_a_disc_moves_where_it_is():
    path = [[(-72 + 2 * i, -40)] for i in range(13)]
    for directions, change, _ in views(rows(drawn(path))):
        assert directions[6].sum(1).argmax() == 0  # first of three rows of cells, first of four columns
        assert change[6].argmax() == 0
        assert (directions[6, 8:] == 0).all()


def test_opening_and_closing_turning_and_turning_back_have_signs():
    for _, _, opened in views(rows(drawn(apart(1.0)))):
        assert opened[6, 0, 0] > 0.3
    for _, _, closed in views(rows(drawn(apart(-1.0)))):
        assert closed[6, 0, 0] < -0.3
    *_, (_, _, clockwise) = views(rows(drawn(round_a_circle(0.3), radius=6)))
    assert clockwise[6, 0, 1] > 0.2
    *_, (_, _, back) = views(rows(drawn(round_a_circle(-0.3), radius=6)))
    assert back[6, 0, 1] < -0.2
    for _, _, through in views(rows(drawn(straight(1, 2.0)))):
        assert np.abs(through[6, 0]).max() < 0.1


@pytest.mark.parametrize("picture", [noisy(1)[0], drawn([[(0, 0)]])[0], np.zeros((120, 160, 3), np.uint8)])
def test_a_still_has_no_motion_at_all(picture):
    assert (rows([picture] * 12)[:, LOOKS:] == 0).all()


def test_noise_of_a_camera_hardly_moves():
    still = rows(drawn([[(0, 0)]] * 13, noise=3))
    moving = rows(drawn(straight(0, 1.5), noise=3))
    for (calm, calm_change, _), (busy, busy_change, _) in zip(views(still), views(moving), strict=True):
        assert (calm[6] ** 2).sum() < 0.1 * (busy[6] ** 2).sum()
        assert (calm_change[6] ** 2).sum() < 0.3 * (busy_change[6] ** 2).sum()


def test_light_matters_little():
    frames = drawn([a + b for a, b in zip(straight(3, 2.0), apart(1.0), strict=True)])
    darker = [(0.8 * frame + 12).astype(np.uint8) for frame in frames]
    here, there = rows(frames), rows(darker)
    assert np.abs(here - there).max() < 0.2
    assert np.abs(here - there).mean() < 0.01


def test_a_flickering_lamp_is_not_motion():
    picture = drawn([[(0, 0)]])[0]
    frames = [picture, (picture * 0.9).astype(np.uint8)] * 7
    for (flicker, _, _), (moving, _, _) in zip(views(rows(frames)), views(rows(drawn(straight(0, 1.5)))), strict=True):
        assert (flicker[6] ** 2).sum() < 0.1 * (moving[6] ** 2).sum()


def mirrored(result):
    """The rows of the mirror image: left and right are swapped, and clockwise and counter-clockwise."""
    out = result.copy()
    for start, (directions, change, turns) in zip((LOOKS, LOOKS + VIEW), views(result), strict=True):
        cells = np.arange(12).reshape(3, 4)[:, ::-1].ravel()
        turns = turns[:, [0, *(cells + 1)]] * [1, -1]
        parts = directions[:, cells][:, :, (4 - np.arange(8)) % 8], change[:, cells], turns
        out[:, start : start + VIEW] = np.concatenate([part.reshape(len(result), -1) for part in parts], 1)
    colours = result[:, :36].reshape(-1, 9, 2, 2)
    edges = result[:, 36:LOOKS].reshape(-1, 3, 4, 6)
    out[:, :36] = colours[..., ::-1].reshape(len(result), -1)
    out[:, 36:LOOKS] = edges[:, :, ::-1, (6 - np.arange(6)) % 6].reshape(len(result), -1)
    return out


def backwards(result):
    """The rows of the video played backwards."""
    out = result[::-1].copy()
    for start, (directions, change, turns) in zip((LOOKS, LOOKS + VIEW), views(result[::-1]), strict=True):
        parts = np.roll(directions, 4, 2), change, -turns
        out[:, start : start + VIEW] = np.concatenate([part.reshape(len(result), -1) for part in parts], 1)
    return out


SCENES = [
    drawn(straight(1, 2.5), noise=4),
    drawn([a + b for a, b in zip(apart(1.5), round_a_circle(0.3), strict=True)]),
    noisy(10),
]


@pytest.mark.parametrize("frames", SCENES)
def test_a_mirror_swaps_left_and_right(frames):
    assert np.allclose(rows([frame[:, ::-1] for frame in frames]), mirrored(rows(frames)), atol=2e-3)


@pytest.mark.parametrize("frames", SCENES)
def test_played_backwards_everything_moves_the_other_way(frames):
    assert np.allclose(rows(frames[::-1]), backwards(rows(frames)), atol=2e-3)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 30), st.integers(1, 40))
def test_rows_do_not_depend_on_blocks(count, block):
    frames = (SCENES[0] + SCENES[1] + SCENES[2])[:count]
    result = rows(frames, block)
    assert result.shape == (count, Motion.dimension)
    assert np.allclose(result, rows(frames, 1000), atol=1e-6)


def test_a_row_depends_on_nine_frames():
    frames = SCENES[0] + SCENES[1]
    before = rows(frames)
    for number in (0, 11, 25):
        other = list(frames)
        other[number] = noisy(1)[0]
        changed = np.flatnonzero((rows(other) != before).any(1))
        assert changed.tolist() == list(range(max(0, number - 4), min(len(frames), number + 5)))


def test_frames_are_read_as_they_are_needed():
    taken = itertools.count()
    endless = (frame for _, frame in zip(taken, itertools.repeat(noisy(1)[0]), strict=False))
    blocks = Motion(block=8).rows(endless)
    for _ in range(3):
        next(blocks)
    assert next(taken) <= 3 * 8 + 16


@pytest.mark.parametrize(
    "frames",
    [
        [np.zeros((120, 160, 3), np.uint8), np.full((120, 160, 3), 255, np.uint8)] * 6,
        noisy(12),
        [np.eye(120, 160, dtype=np.uint8)[..., None].repeat(3, 2) * 255, *noisy(1)] * 5,
        [np.stack([np.full((120, 160), value, np.uint8) for value in (255, 0, 0)], 2)] * 3,
    ],
)
def test_all_values_are_between_minus_one_and_one(frames):
    result = rows(frames)
    assert np.isfinite(result).all()
    assert np.abs(result).max() <= 1


@pytest.mark.parametrize(
    "wrong", [np.zeros((160, 120, 3), np.uint8), np.zeros((120, 160), np.uint8), np.zeros((120, 160, 3), np.float32)]
)
def test_frames_of_another_kind_are_refused(wrong):
    with pytest.raises(ConfigError, match=r"\(120, 160, 3\), uint8 RGB, got .* at frame 2; let the reader resize"):
        rows([*noisy(2), wrong])


def test_a_block_without_frames_is_refused():
    with pytest.raises(ConfigError, match="at least 1 frame, got 0"):
        Motion(block=0)


@pytest.mark.parametrize("shape", [(2, 13, 29), (1, 3, 2), (1, 1, 1)])
def test_the_local_mean_is_that_of_scipy(shape):
    grey = np.random.default_rng(5).uniform(0, 255, shape).astype(np.float32)
    mean = uniform_filter(grey, (1, 9, 9), mode="nearest")
    np.testing.assert_allclose(grey - high_passed(grey), mean, rtol=1e-5)


def test_flow_recovers_the_shift_of_a_texture():
    rng = np.random.default_rng(3)
    x, y = np.meshgrid(np.arange(80), np.arange(60))
    waves = [(rng.uniform(-0.5, 0.5, 2), rng.uniform(0, 6)) for _ in range(8)]

    def texture(right, down):
        return sum(20 * np.sin(kx * (x - right) + ky * (y - down) + phase) for (kx, ky), phase in waves)

    u, v = flow(texture(0, 0)[None].astype(np.float32), texture(0.7, -0.4)[None].astype(np.float32))
    inner = (0, slice(8, -8), slice(8, -8))
    assert np.median(u[inner]) == pytest.approx(0.7 * (1 - 0.08 / np.hypot(0.7, 0.4)), abs=0.06)
    assert np.median(v[inner]) == pytest.approx(-0.4 * (1 - 0.08 / np.hypot(0.7, 0.4)), abs=0.06)


def test_lobes_share_a_length_between_neighbours():
    angle = 2 * np.pi * np.array([[[0, 0.25, 1 / 16, -1 / 16]]])
    shares = np.stack(lobes(3 * np.cos(angle), 3 * np.sin(angle), np.full(angle.shape, 3.0), 8))[:, 0, 0]
    assert shares[:, 0] == pytest.approx([3, 0, 0, 0, 0, 0, 0, 0], abs=1e-6)
    assert shares[:, 1] == pytest.approx([0, 0, 3, 0, 0, 0, 0, 0], abs=1e-6)
    assert shares[0, 2] == pytest.approx(shares[1, 2])
    assert shares[0, 3] == pytest.approx(shares[7, 3])
    assert (np.count_nonzero(shares > 1e-6, axis=0) <= 2).all()


def test_opening_and_turning_of_planted_vectors():
    place = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]]) * 0.2 + [0.3, -0.1]
    outward = (place - [0.3, -0.1]) / 0.2
    clockwise = outward[:, ::-1] * [-1, 1]  # y counts downward

    def moments(vectors):
        length = np.hypot(*vectors.T)
        x, y = place.T
        u, v = vectors.T
        sums = length, length * x, length * y, length * (x * x + y * y), u, v, u * x + v * y, v * x - u * y
        return np.array([value.mean() for value in sums])

    assert opening_and_turning(moments(outward)) == pytest.approx([1, 0], abs=2e-3)
    assert opening_and_turning(moments(-outward)) == pytest.approx([-1, 0], abs=2e-3)
    assert opening_and_turning(moments(clockwise)) == pytest.approx([0, 1], abs=2e-3)
    assert opening_and_turning(moments(outward + clockwise)) == pytest.approx([0.5**0.5] * 2, abs=2e-3)
    assert opening_and_turning(moments(np.ones((4, 2)))) == pytest.approx([0, 0], abs=1e-6)
