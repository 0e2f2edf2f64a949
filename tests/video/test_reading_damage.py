"""Damaged files: without `damaged` an error with the place; with it every frame, and gaps for the wrong ones."""

from __future__ import annotations

import random
import struct
from fractions import Fraction

import pytest

from keyseg.video import decode_process

_X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "25", "-pix_fmt", "yuv420p")
_FAST = (*_X264, "-movflags", "faststart")
_MPEG4 = ("-c:v", "mpeg4", "-q:v", "3", "-bf", "2", "-g", "12")
_KINDS = [("a.mp4", _FAST), ("a.mkv", _X264), ("a.flv", _X264), ("a.avi", _MPEG4), ("a.mov", _FAST)]
_NOISE = "noise=alls=12:allf=t:all_seed=7"  # so that the pictures fill the file


@pytest.fixture
def noisy(clip):
    """noisy(name, *options): a clip of 100 pictures that take up most of the file."""
    return lambda name, *options, **more: clip(name, *options, pictures=100, size="128x64", filters=_NOISE, **more)


@pytest.fixture
def changed(tmp_path):
    """changed(path, how): a copy of a file with its bytes changed by `how`."""

    def make(path, how):
        data = bytearray(path.read_bytes())
        (tmp_path / path.name).write_bytes(how(data))
        return tmp_path / path.name

    return make


def cut(left):
    return lambda data: data[: int(left * len(data))]


def overwrite(place, length=1500):
    def how(data):
        start = int(place * len(data))
        data[start : start + length] = bytes(length)
        return data

    return how


def frames_in(gaps):
    return {frame for start, end, _ in gaps for frame in range(start, end)}


def expected_pictures(gaps, frames):
    """The picture that each of `frames` frames should show, at the rate of the file."""
    lost, shown = frames_in(gaps), []
    for frame in range(frames):
        shown.append(frame if frame not in lost else shown[-1] if shown else None)
    first = next(frame for frame in shown if frame is not None)
    return [first if frame is None else frame for frame in shown]


@pytest.mark.parametrize(("name", "options"), _KINDS)
def test_a_file_cut_short_is_an_error_that_says_when(noisy, changed, decoded, numbers, name, options):
    short = changed(noisy(name, *options), cut(0.6))
    with pytest.raises(RuntimeError, match=r"(damaged at|pictures end at) [123]\.\d\d s.*4\.00 s.*--damaged"):
        decoded(short, 25)
    info, frames, gaps = decoded(short, 25, damaged=True)
    assert Fraction(info["declared_seconds"]) == 4
    assert len(frames) == 100
    assert [(end, start > 40) for start, end, _ in gaps] == [(100, True)]
    assert numbers(short, 25, damaged=True) == expected_pictures(gaps, 100)


def test_a_file_cut_between_pictures_is_short_by_its_header_alone(noisy, ffmpeg, changed, decoded):
    """An intact Matroska file whose header declares more than it holds."""
    whole = noisy("a.mkv", *_X264)
    longer = changed(whole, lambda data: data.replace(b"00:00:04.000000000", b"00:00:06.500000000"))
    message = r"it was cut short: the pictures end at 4\.00 s, but the file declares 6\.50 s; .*--damaged"
    with pytest.raises(RuntimeError, match=message):
        decoded(longer, 10)
    _, frames, gaps = decoded(longer, 10, damaged=True)
    assert len(frames) == 65
    assert gaps == [(40, 65, "the pictures end at 4.00 s, but the file declares 6.50 s")]


@pytest.mark.parametrize("says", [b"00:00:04.400000000", b"00:00:03.000000000"])
def test_a_declared_length_that_is_nearly_right_or_too_short_is_not_damage(noisy, changed, decoded, says):
    other = changed(noisy("a.mkv", *_X264), lambda data: data.replace(b"00:00:04.000000000", says))
    _, frames, gaps = decoded(other, 10)
    assert (len(frames), gaps) == (40, [])


def test_an_mp4_without_its_index_is_refused(noisy, changed, decoded):
    for damaged in (False, True):
        with pytest.raises(RuntimeError, match=r"moov atom not found.*fetch it again"):
            decoded(changed(noisy("a.mp4", *_X264), cut(0.9)), 25, damaged=damaged)


@pytest.mark.parametrize("place", [0.52, 0.55, 0.6])
@pytest.mark.parametrize(("name", "options"), _KINDS)
def test_bytes_that_are_wrong_are_found_and_only_their_pictures_lost(
    noisy, changed, decoded, numbers, name, options, place
):
    wrong = changed(noisy(name, *options), overwrite(place))
    with pytest.raises(RuntimeError, match=r"damaged at [123]\.\d\d s.*--damaged"):
        decoded(wrong, 25)
    _, frames, gaps = decoded(wrong, 25, damaged=True)
    if name == "a.avi":  # it counts its pictures and has lost at least the head of a chunk here
        assert 96 <= len(frames) <= 100
        return
    assert len(frames) == 100
    assert 1 <= len(frames_in(gaps)) <= 60
    assert 40 < min(frames_in(gaps)) <= max(frames_in(gaps)) < 80
    assert numbers(wrong, 25, damaged=True) == expected_pictures(gaps, 100)


def test_pictures_outside_the_gaps_are_those_of_the_whole_file(noisy, changed, decoded):
    whole = noisy("a.mp4", *_FAST)
    _, good, _ = decoded(whole, 25)
    _, frames, gaps = decoded(changed(whole, overwrite(0.52)), 25, damaged=True)
    lost = frames_in(gaps)
    assert all((frames[n][0] == good[n][0]).all() for n in range(100) if n not in lost)


@pytest.mark.parametrize(("name", "options"), [*_KINDS, ("a.ts", _X264), ("a.mpg", ("-c:v", "mpeg2video"))])
def test_flipped_bits_never_make_a_video_shorter_silently(noisy, changed, decoded, name, options):
    whole = noisy(name, *options)
    for seed in range(6):
        bits = random.Random(seed)

        def flip(data, bits=bits):
            for _ in range(5):
                data[bits.randrange(len(data) // 10, len(data) * 9 // 10)] ^= 1 << bits.randrange(8)
            return data

        broken = changed(whole, flip)
        _, frames, gaps = decoded(broken, 25, damaged=True)
        assert len(frames) == 100 or gaps
        if gaps:
            with pytest.raises(RuntimeError, match="damaged"):
                decoded(broken, 25)
        else:
            assert len(decoded(broken, 25)[1]) == 100


def test_lost_first_pictures_keep_the_clock(noisy, changed, decoded, numbers):
    whole = noisy("a.mp4", *_FAST)
    data = whole.read_bytes()
    pictures = data.index(b"mdat") + 4
    broken = changed(whole, overwrite((pictures + 1) / len(data), 3000))
    info, frames, gaps = decoded(broken, 25, damaged=True)
    assert info["start_pts"] == 0
    assert (gaps[0][0], gaps[0][1]) == (0, 25)  # up to the next key frame, which replaces them
    assert numbers(broken, 25, damaged=True) == [25] * 25 + list(range(25, 100))
    assert [pts for _, pts in frames[:25]] == [0] * 25


def test_a_broadcast_begins_at_its_first_key_frame(noisy, changed, numbers):
    video = changed(noisy("a.ts", *_X264), lambda data: data[188 * (len(data) // 188 // 8) :])
    result = numbers(video, 25)
    assert result == list(range(25, 100))


def test_sound_longer_than_the_pictures_is_not_damage(clip, ffmpeg, decoded, tmp_path):
    sound = ("-f", "lavfi", "-i", "sine=duration=5")
    for name in ("a.mp4", "a.mkv", "a.flv", "a.avi"):
        codec = ("-c:a", "aac" if name != "a.avi" else "pcm_s16le", *(("-ar", "44100") if name == "a.flv" else ()))
        _, frames, gaps = decoded(clip(name, *_X264, *codec, inputs=sound), 10)
        assert (name, len(frames), gaps) == (name, 20, [])


def test_a_matroska_that_does_not_say_how_long_the_pictures_are(clip, changed, decoded):
    """Only the whole file declares a length: sound of that length fulfils it, otherwise the end is missing."""
    sound = ("-f", "lavfi", "-i", "sine=duration=5")
    video = clip("a.mkv", *_X264, "-c:a", "aac", inputs=sound)

    def untagged(data):
        return data.replace(b"DURATION", b"DURATIOX")

    info, frames, gaps = decoded(changed(video, untagged), 10)
    assert (info["declared_seconds"], len(frames), gaps) == (None, 20, [])

    def longer(data):
        place = data.index(b"\x44\x89\x88") + 3  # the Duration of a Segment, in ms
        return untagged(data[:place] + struct.pack(">d", 9000.0) + data[place + 8 :])

    with pytest.raises(RuntimeError, match=r"pictures end at 2\.00 s, but the file declares [89]\.\d\d s"):
        decoded(changed(video, longer), 10)


def test_a_live_matroska_declares_nothing_and_is_read_to_its_end(clip, decoded):
    info, frames, gaps = decoded(clip("live.mkv", *_X264, "-f", "matroska", "-live", "1"), 10)
    assert (info["declared_seconds"], len(frames), gaps) == (None, 20, [])


def test_an_avi_that_lost_a_chunk_does_not_shift_silently(noisy, changed, decoded):
    video = noisy("a.avi", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p")

    def without_a_head(data):
        place = data.index(b"00dc", len(data) // 2)
        data[place : place + 4] = b"xxxx"
        return data

    with pytest.raises(RuntimeError, match="packets of the index are missing"):
        decoded(changed(video, without_a_head), 25)


def test_a_declared_length_beyond_the_limit_is_not_filled(noisy, changed, decoded):
    video = changed(noisy("a.mkv", *_X264), lambda data: data.replace(b"00:00:04.000000000", b"99:00:00.000000000"))
    with pytest.raises(RuntimeError, match="longer than the limit of 86400 s"):
        decoded(video, 25, damaged=True)


def test_a_lack_of_memory_is_not_taken_for_damage(noisy, changed, decoded, monkeypatch):
    monkeypatch.setattr(decode_process, "memory_is_short", lambda: True)
    with pytest.raises(RuntimeError, match="needs more memory than the limit of 2048 MiB"):
        decoded(changed(noisy("a.mp4", *_FAST), overwrite(0.52)), 25, damaged=True)
