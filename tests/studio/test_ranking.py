"""What to label next: the video that adds most of what is little labelled, per minute, and no near copies in a row."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from keyseg.studio.ranking import RankedVideo, rank
from keyseg.timeline import ConfigError


def order(*videos: RankedVideo) -> list[str]:
    return [video["id"] for video in rank(videos)]


def of(id: str, *, labelled: bool = False, rest: float = 0.0, **classes: float) -> RankedVideo:
    """A video with so many seconds of each class, and a rest outside them."""
    return RankedVideo(id, sum(classes.values()) + rest, labelled, classes)


def drawn(count: int, labelled: int = 2) -> list[RankedVideo]:
    rng = np.random.default_rng(3)
    times = rng.exponential(size=(count, 4)) * rng.uniform(1, 60, (count, 1))
    return [
        of(f"v{i:03}", labelled=i < labelled, rest=float(d), pour=float(a), stir=float(b), cut=float(c))
        for i, (a, b, c, d) in enumerate(times)
    ]


def greedy(videos: list[RankedVideo], first: int) -> list[str]:
    """By the definition, slowly: the first ones one by one, then the others by what they add to these."""
    names = [*sorted({name for video in videos for name in video.classes}), ""]
    times = {v.id: [*(v.classes.get(n, 0.0) for n in names[:-1]), v.seconds - sum(v.classes.values())] for v in videos}
    total = [sum(column) for column in zip(*times.values(), strict=True)]
    chosen = [video.id for video in videos if video.labelled]

    def worth(ids: list[str]) -> float:
        labelled = [sum(times[i][c] for i in ids) for c in range(len(names))]
        return sum(t / sum(total) * log(n + t / len(videos)) for t, n in zip(total, labelled, strict=True) if t > 0)

    def gain(video: RankedVideo) -> float:
        return (worth([*chosen, video.id]) - worth(chosen)) / video.seconds

    left = [video for video in videos if not video.labelled]
    for _ in range(first):
        best = max(left, key=gain)
        left.remove(best)
        chosen.append(best.id)
    return [*chosen[-first:], *(video.id for video in sorted(left, key=gain, reverse=True))]


def test_of_two_equally_frequent_classes_the_one_that_is_not_labelled_comes_first():
    done = [of(f"done{i}", labelled=True, stir=60) for i in range(3)]
    pour = [of(f"pour{i}", pour=60) for i in range(3)]
    assert order(of("stir", stir=60), *done, *pour)[:3] == ["pour0", "pour1", "pour2"]


def test_a_class_counts_as_much_as_it_occurs():
    common = [of(f"common{i}", stir=60) for i in range(9)]
    found = order(of("rare", pour=60), *common)
    assert found[0] == "common0"
    assert "rare" in found[1:9]  # once enough is labelled of the other


def test_what_is_labelled_has_the_shares_of_all_videos():
    videos = [of(f"stir{i}", stir=60) for i in range(30)] + [of(f"pour{i}", pour=60) for i in range(10)]
    assert sum(name.startswith("pour") for name in order(*videos)[:20]) == pytest.approx(5, abs=1)


def test_of_two_with_the_same_shares_the_shorter_comes_first():
    assert order(of("long", pour=60, stir=30), of("short", pour=20, stir=10)) == ["short", "long"]


def test_near_copies_do_not_follow_one_another():
    copies = [of(f"copy{i}", pour=50 - i / 10, stir=10) for i in range(3)]
    found = order(*copies, of("different", pour=5, stir=60))
    assert found[0].startswith("copy")
    assert found[1] == "different"


def test_the_time_outside_the_segments_is_a_class():
    pause = [of(f"pause{i}", rest=60) for i in range(3)]
    done = [of(f"done{i}", labelled=True, pour=60) for i in range(3)]
    assert order(of("pour", pour=60), *pause, *done)[0] == "pause0"


def test_all_is_as_defined_by_brute_force():
    videos = drawn(40)
    assert order(*videos) == greedy(videos, 38)


def test_of_many_videos_the_first_hundred_are_chosen_one_by_one():
    videos = drawn(140)
    found = rank(videos)
    assert [video["id"] for video in found] == greedy(videos, 100)
    assert [video["priority"] for video in found] == list(range(1, 139))


def test_of_many_videos_those_after_the_first_hundred_are_in_order_too():
    videos = [RankedVideo(f"v{i}", float(i)) for i in range(150, 0, -1)]
    assert order(*videos) == [f"v{i}" for i in range(1, 151)]


def test_the_order_of_the_folder_does_not_matter():
    videos = drawn(30)
    assert order(*videos) == order(*videos[::-1])


def test_of_equal_videos_the_one_before_in_the_folder_comes_first():
    names = [f"v{i}" for i in np.random.default_rng(0).permutation(150)]
    assert order(*(RankedVideo(name, 60.0) for name in names)) == names


def test_without_any_prediction_the_shorter_come_first():
    assert order(*(RankedVideo(str(length), length) for length in (30.0, 10.0, 20.0))) == ["10.0", "20.0", "30.0"]


def test_a_video_without_prediction_counts_as_an_average_one():
    done = [of("done", labelled=True, pour=60), of("other", labelled=True, stir=60)]
    average = of("average", pour=60, stir=60)
    assert order(*done, average, RankedVideo("bare", 119.9)) == ["bare", "average"]
    assert order(*done, average, RankedVideo("bare", 120.1)) == ["average", "bare"]


def test_a_prediction_without_segments_is_not_the_same_as_none():
    done = of("done", labelled=True, rest=600)
    pour = of("pour", pour=600)
    assert order(done, pour, RankedVideo("nothing", 60.0, classes={}), RankedVideo("bare", 60.0))[-1] == "nothing"


def test_labelled_videos_are_not_named():
    assert order(RankedVideo("done", 9.0, labelled=True), RankedVideo("new", 9.0)) == ["new"]
    assert rank([]) == []
    assert rank([RankedVideo("done", 9.0, labelled=True)]) == []


def test_reasons_are_given():
    done = of("done", labelled=True, stir=500, rest=100)
    assert [video["why"] for video in rank([done, of("a", pour=30, stir=5, cut=20)])] == ["adds to pour and cut"]
    assert rank([done, of("b", pour=30, rest=30)])[0]["why"] == "adds to pour and what is between actions"
    assert rank([done, of("c", stir=30)])[0]["why"] == "adds to stir"
    assert rank([done, of("d", aim=0, pour=30)])[0]["why"] == "adds to pour"
    assert rank([done, of("e", rest=30)])[0]["why"] == "adds to what is between actions"
    assert rank([RankedVideo("f", 5.0)])[0]["why"] == "no prediction yet"


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_a_video_without_length_is_refused(seconds):
    with pytest.raises(ConfigError, match="'a': a length of"):
        RankedVideo("a", seconds)


def test_two_videos_of_one_id_are_refused():
    with pytest.raises(ConfigError, match="same id"):
        rank([RankedVideo("a", 1.0), RankedVideo("a", 2.0)])
