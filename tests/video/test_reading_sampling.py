"""The picture on screen at i / fps: the sampler against a slow oracle, and lost pictures."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from keyseg.video.sampling import Sampler

_TICK = Fraction(1, 1000)
_ROUNDING = Fraction(1, 1000)


def sample(fps, pictures, *, lost=(), seconds=None, time_base=_TICK):
    """(picture and time stamp of each frame, gaps), from (pts, duration) of pictures; those in `lost` are missing."""
    sampler = Sampler(Fraction(fps), time_base)
    runs = []
    for pts, duration in pictures:
        if pts in lost:
            sampler.lose(pts, pts + duration, "lost")
        else:
            runs += sampler.show(f"picture {pts}", pts, pts + duration)
    end = sampler.seconds(sampler.end_pts)
    runs += sampler.finish(end if seconds is None else Fraction(seconds), "early")
    assert all(run.frames > 0 for run in runs)
    return [(run.picture, run.pts) for run in runs for _ in range(run.frames)], sampler.gaps


def oracle(fps, pictures):
    """The pts of the picture of each frame, looked up by its time."""
    first, last = pictures[0][0], pictures[-1]
    result, i = [], 0
    while i == 0 or Fraction(i) / fps < (last[0] + last[1] - first) * _TICK - min(_TICK, _ROUNDING):
        shown = [pts for pts, _ in pictures if (pts - first) * _TICK <= Fraction(i) / fps + _ROUNDING]
        result.append(max(shown))
        i += 1
    return result


rates = st.fractions(min_value="1/7", max_value=90, max_denominator=1001)
films = st.tuples(st.integers(-5000, 5000), st.lists(st.integers(0, 400), min_size=1, max_size=15)).map(
    lambda film: [(film[0] + sum(film[1][:i]), film[1][i]) for i in range(len(film[1]))]
)


@given(rates, films)
def test_the_sampler_agrees_with_the_oracle(fps, film):
    frames, gaps = sample(fps, film)
    assert [pts for _, pts in frames] == oracle(fps, film)
    assert [picture for picture, _ in frames] == [f"picture {pts}" for _, pts in frames]
    assert gaps == []


@given(rates, films, st.data())
def test_losses_change_nothing_but_their_own_frames(fps, film, data):
    film = [(pts + place, duration + 1) for place, (pts, duration) in enumerate(film)]  # no two at one time
    stamps = [pts for pts, _ in film]
    lost = data.draw(st.sets(st.sampled_from(stamps), max_size=len(stamps) - 1))
    whole, _ = sample(fps, film)
    frames, gaps = sample(fps, film, lost=lost)
    assert len(frames) == len(whole)
    assert all(start <= end <= len(frames) for start, end, _ in gaps)
    in_gap = {frame for start, end, _ in gaps for frame in range(start, end)}
    assert in_gap == {frame for frame, (_, pts) in enumerate(whole) if pts in lost}
    good = [pts for pts in stamps if pts not in lost]
    for frame, (picture, pts) in enumerate(frames):
        due = whole[frame][1]
        replacement = max((p for p in good if p <= due), default=good[0])
        assert picture == f"picture {replacement}"
        assert pts == (replacement if replacement <= due else stamps[0])


def test_a_picture_a_millisecond_late_counts_and_two_do_not():
    late = [(0, 40), (41, 40), (82, 40)]  # due at 0, 40, 80 ms
    assert [pts for _, pts in sample(25, late)[0]] == [0, 41, 41, 82]


def test_of_two_pictures_at_one_time_the_later_is_shown():
    assert sample(10, [(0, 0), (0, 100), (100, 100)])[0] == [("picture 0", 0), ("picture 100", 100)]


def test_there_is_always_a_frame():
    assert sample("1/1000", [(7, 1)])[0] == [("picture 7", 7)]
    assert sample(25, [(7, 0)])[0] == [("picture 7", 7)]


def test_the_end_that_is_missing_is_a_gap():
    frames, gaps = sample(10, [(0, 100), (100, 100)], seconds=1)
    assert [pts for _, pts in frames] == [0] + [100] * 9
    assert gaps == [(2, 10, "early")]


def test_a_missing_end_too_short_for_a_frame_is_still_reported():
    assert sample(1, [(0, 700)], seconds=Fraction(9, 10))[1] == [(1, 1, "early")]


def test_first_losses_may_come_in_decoding_order():
    sampler = Sampler(Fraction(10), _TICK)
    sampler.lose(300, 400, "lost")
    sampler.lose(0, 100, "first")
    assert [(run.pts, run.frames) for run in sampler.show("a", 500, 600)] == [(0, 5)]
    assert [(run.pts, run.frames) for run in sampler.finish(Fraction(6, 10))] == [(500, 1)]
    assert sampler.gaps == [(0, 5, "lost")]
