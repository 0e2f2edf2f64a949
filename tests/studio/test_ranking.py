"""What to label next: the video that is expected to mend most per minute, and no near copies in a row."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from keyseg.studio import ranking
from keyseg.studio.ranking import RankedVideo, feature_summary, rank
from keyseg.timeline import ConfigError


def order(*videos: RankedVideo) -> list[str]:
    return [video["id"] for video in rank(videos)]


def predicted(id: str, confidence: float, seconds: float = 60.0, **more) -> RankedVideo:
    return RankedVideo(id, seconds, segments=((seconds, confidence),), **more)


def test_the_unsure_video_comes_before_the_sure_one():
    assert order(predicted("a", 0.9), predicted("b", 0.2), predicted("c", 0.5)) == ["b", "c", "a"]


def test_a_long_unsure_segment_weighs_more_than_a_short_one():
    long = RankedVideo("long", 10.0, segments=((8.0, 0.5), (2.0, 1.0)))
    short = RankedVideo("short", 10.0, segments=((8.0, 1.0), (2.0, 0.2)))
    assert long.wrong == pytest.approx(0.4)
    assert short.wrong == pytest.approx(0.16)
    assert order(short, long) == ["long", "short"]


def test_labelled_videos_are_not_named():
    assert order(RankedVideo("done", 9.0, labelled=True), RankedVideo("new", 9.0)) == ["new"]
    assert rank([]) == []
    assert rank([RankedVideo("done", 9.0, labelled=True)]) == []


def test_priorities_count_from_one():
    assert [video["priority"] for video in rank([predicted("a", 0.5), predicted("b", 0.4)])] == [1, 2]


def test_a_video_without_prediction_comes_before_a_predicted_one():
    assert order(predicted("predicted", 0.1), RankedVideo("new", 60.0)) == ["new", "predicted"]


def test_without_features_length_does_not_matter_since_gain_is_per_minute():
    assert order(predicted("short", 0.6, 10.0), predicted("long", 0.5, 600.0)) == ["long", "short"]
    assert order(predicted("short", 0.4, 10.0), predicted("long", 0.5, 600.0)) == ["short", "long"]


def test_of_two_that_stand_for_the_same_others_the_shorter_comes_first():
    others = [predicted(f"other{i}", 0.1, features=(0.0, 0.01 * i)) for i in range(4)]
    short, long = predicted("short", 0.6, 20.0, features=(0.0, 0.0)), predicted("long", 0.6, 90.0, features=(0.0, 0.0))
    assert order(long, short, *others)[0] == "short"


def test_disagreement_of_two_models_counts_half():
    assert predicted("a", 0.9, disagreement=0.6).wrong == pytest.approx(0.3)
    assert predicted("a", 0.5, disagreement=0.6).wrong == pytest.approx(0.5)
    assert order(predicted("agreed", 0.8), predicted("disputed", 0.9, disagreement=0.8)) == ["disputed", "agreed"]


def test_what_is_unlike_the_labelled_videos_comes_first():
    labelled = RankedVideo("labelled", 60.0, labelled=True, features=(0.0, 0.0))
    known = predicted("known", 0.5, features=(0.1, 0.0))
    novel = predicted("novel", 0.5, features=(5.0, 5.0))
    assert order(labelled, known, novel) == ["novel", "known"]


def test_near_copies_do_not_follow_one_another():
    copies = [predicted(f"copy{i}", 0.3, features=(0.0, 0.001 * i)) for i in range(5)]
    different = predicted("different", 0.6, features=(4.0, 4.0))
    found = order(*copies, different)
    assert found[0].startswith("copy")
    assert found[1] == "different"


def test_the_first_one_covers_most_by_brute_force():
    rng = np.random.default_rng(3)
    videos = [
        predicted(f"v{i}", float(rng.random()), 60.0, features=tuple(rng.standard_normal(3)), labelled=i < 2)
        for i in range(9)
    ]
    values = np.array([video.features for video in videos])
    values = (values - values.mean(0)) / values.std(0)
    squares = np.array([[((a - b) ** 2).sum() for b in values] for a in values])
    alike = np.exp(-squares / np.median([squares[a, b] for a, b in combinations(range(9), 2)]))
    wrong = [(1 - video.segments[0][1]) * 60 for video in videos]

    def gain(i: int) -> float:
        return sum(w * max(alike[u, i] - max(alike[u, 0], alike[u, 1]), 0) for u, w in enumerate(wrong)) / 60

    assert order(*videos)[0] == f"v{max(range(2, 9), key=gain)}"


def test_the_order_of_the_folder_does_not_matter():
    rng = np.random.default_rng(0)
    videos = [predicted(f"v{i}", float(rng.random()), features=tuple(rng.standard_normal(4))) for i in range(8)]
    assert order(*videos) == order(*videos[::-1])


def test_reasons_are_given():
    video = predicted("a", 0.4, disagreement=0.25, features=(1.0,))
    assert (
        rank([video])[0]["why"]
        == "about 60% expected to be wrong, models disagree on 25%, 100% unlike the labelled ones"
    )
    assert rank([RankedVideo("b", 5.0)])[0]["why"] == "no prediction yet"


def test_features_may_be_missing_or_all_the_same():
    same = [predicted(f"v{i}", 0.5, features=(1.0, 2.0)) for i in range(3)]
    assert sorted(order(*same, predicted("bare", 0.5))) == ["bare", "v0", "v1", "v2"]


def test_the_summary_is_mean_and_deviation():
    features = np.array([[1, 10], [3, 10]], np.float16)
    assert feature_summary(features).tolist() == [2, 10, 1, 0]


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_a_video_without_length_is_refused(seconds):
    with pytest.raises(ConfigError, match="'a': a length of"):
        RankedVideo("a", seconds)


def test_two_videos_of_one_id_are_refused():
    with pytest.raises(ConfigError, match="same id"):
        rank([RankedVideo("a", 1.0), RankedVideo("a", 2.0)])


def test_summaries_of_different_length_are_refused():
    with pytest.raises(ConfigError, match="'b': a summary of 1 numbers, those before have 2"):
        rank([RankedVideo("a", 1.0, features=(1.0, 2.0)), RankedVideo("b", 1.0, features=(1.0,))])


def test_the_whole_order_is_that_of_computing_every_gain_in_every_round():
    random = np.random.default_rng(4)
    videos = [
        RankedVideo(
            str(i), float(random.uniform(5, 90)), i % 9 == 0, ((1.0, float(random.random())),), random.random(3)
        )
        for i in range(60)
    ]
    similarity = ranking._similarities(videos)
    wrong, seconds = np.array([v.wrong * v.seconds for v in videos]), np.array([v.seconds for v in videos])
    covered, left, order = similarity[:, ::9].max(1), [i for i in range(60) if i % 9], []
    while left:
        gains = [(wrong * np.maximum(similarity[:, i] - covered, 0)).sum() / seconds[i] for i in left]
        order.append(left.pop(int(np.argmax(gains))))
        covered = np.maximum(covered, similarity[:, order[-1]])
    assert [int(one["id"]) for one in rank(videos)] == order


def test_a_thousand_videos_need_few_gains(monkeypatch):
    videos = [RankedVideo(str(i), 5.0, segments=((5.0, 0.5 + i % 7 / 20),)) for i in range(1000)]
    rounds = []
    maximum = np.maximum
    monkeypatch.setattr(ranking.np, "maximum", lambda *given: (rounds.append(given[0].size), maximum(*given))[1])
    assert len(rank(videos)) == 1000
    assert sum(rounds) < 5 * 1000**2
