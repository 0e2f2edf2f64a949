"""The toy kitchen: its files, its grammar, and that context distinguishes look-alikes where single steps do not."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.data.dataset import Dataset
from keyseg.data.layout import BACKGROUND
from keyseg.timeline import ConfigError, OutputExistsError, Segmentation
from keyseg.toy.grammar import (
    COOKING_RECIPES,
    DURATIONS,
    FAILED_STEPS,
    FAILING_ACTIONS,
    LABELS,
    LOOK_ALIKES,
    NEAR_ALIKES,
    PAUSE_STEPS,
    CookingRecipe,
    ScriptStep,
    sample_actions,
    sample_script,
)
from keyseg.toy.kitchen_features import prototypes, render_features, script_labels, write_toy_kitchen

SEEDS = st.integers(0, 2**32 - 1)
SCRIPTS = st.builds(
    lambda recipe, seed: sample_script(recipe, np.random.default_rng(seed)), st.sampled_from(COOKING_RECIPES), SEEDS
)
OPENED_FOR = {"pour_milk", "pour_oil", "spread"}


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_kitchen(tmp_path_factory.mktemp("toy") / "kitchen", videos=11, test_videos=3, seed=5)


def _contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def _bundle(root: Path, subset: str) -> list[str]:
    return (root / "splits" / f"{subset}.split1.bundle").read_text().splitlines()


# files


def test_labels_and_features_of_a_video_have_one_length(kitchen: Path) -> None:
    names = _bundle(kitchen, "train") + _bundle(kitchen, "test")
    assert len(names) == 11
    for name in names:
        labels = (kitchen / "groundTruth" / name).read_text().splitlines()
        features = np.load(kitchen / "features" / name.replace(".txt", ".npy"))
        assert features.dtype == np.float32
        assert features.shape == (24, len(labels))
        assert set(labels) <= set(LABELS.names)


def test_bundles_are_disjoint_and_cover_the_videos(kitchen: Path) -> None:
    train, test = _bundle(kitchen, "train"), _bundle(kitchen, "test")
    assert (len(train), len(test)) == (8, 3)
    assert not set(train) & set(test)
    assert set(train) | set(test) == {path.name for path in (kitchen / "groundTruth").iterdir()}
    assert {path.stem for path in (kitchen / "features").iterdir()} == {Path(name).stem for name in train + test}


def test_mapping_gives_background_id_0(kitchen: Path) -> None:
    lines = (kitchen / "mapping.txt").read_text().splitlines()
    assert lines[0] == "0 background"
    assert [line.split() for line in lines] == [[str(i), name] for i, name in enumerate(LABELS.names)]


def test_every_class_occurs_in_the_smallest_training_set(tmp_path: Path) -> None:
    root = write_toy_kitchen(tmp_path / "small", videos=len(COOKING_RECIPES) + 1, test_videos=1)
    labels = {label for name in _bundle(root, "train") for label in (root / "groundTruth" / name).read_text().split()}
    assert labels == set(LABELS.names)


def test_opens_as_a_data_set(kitchen: Path) -> None:
    dataset = Dataset.open(kitchen, fps=5)
    assert dataset.labels == LABELS
    assert dataset.splits == (1,)
    name = dataset.names(1, "train")[0]
    sample = dataset.load(name, 1)
    np.testing.assert_array_equal(sample.features.T, np.load(kitchen / "features" / f"{name}.npy"))
    assert len(sample.labels) == len(sample.features) == sample.segmentation.length


def test_same_seed_same_bytes_other_seed_other_bytes(kitchen: Path, tmp_path: Path) -> None:
    again = write_toy_kitchen(tmp_path / "again", videos=11, test_videos=3, seed=5)
    other = write_toy_kitchen(tmp_path / "other", videos=11, test_videos=3, seed=6)
    assert _contents(again) == _contents(kitchen)
    unlike = [name for name, data in _contents(other).items() if data != _contents(kitchen)[name]]
    assert sorted({Path(name).parts[0] for name in unlike}) == ["features", "groundTruth"]
    assert len(unlike) == 22


def test_a_video_does_not_depend_on_the_counts(kitchen: Path, tmp_path: Path) -> None:
    fewer = _contents(write_toy_kitchen(tmp_path / "fewer", videos=6, test_videos=2, seed=5))
    videos = [name for name in fewer if not name.startswith("splits")]
    assert len(videos) == 13
    assert all(fewer[name] == _contents(kitchen)[name] for name in videos)


def test_first_video_is_pinned(tmp_path: Path) -> None:
    # Results are quoted for this data set: if it changes, they must be measured again.
    root = write_toy_kitchen(tmp_path / "pinned", videos=5, test_videos=1, seed=0)
    labels = LABELS.encode((root / "groundTruth" / "tea_000.txt").read_text().split())
    features = np.load(root / "features" / "tea_000.npy")
    assert labels[Segmentation.from_frames(labels).boundaries[:-1]].tolist() == [
        0,
        10,
        0,
        1,
        8,
        0,
        2,
        0,
        1,
        3,
        5,
        4,
        2,
        0,
        1,
        7,
        2,
        0,
        15,
        0,
    ]
    assert features.shape[1] == 206
    np.testing.assert_allclose(features[:3, 100], [0.2364, -0.3919, -0.8348], atol=2e-4)


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert write_toy_kitchen(tmp_path / "empty", videos=5, test_videos=1) == tmp_path / "empty"
    assert (tmp_path / "empty" / "mapping.txt").is_file()


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"is not an empty folder; .* only written into a new or empty one"):
        write_toy_kitchen(tmp_path)
    assert _contents(tmp_path) == {"mine.txt": b"mine"}
    with pytest.raises(OutputExistsError, match=r"mine\.txt is not an empty folder"):
        write_toy_kitchen(tmp_path / "mine.txt")


@pytest.mark.parametrize(("videos", "test_videos"), [(40, 0), (13, 10), (0, 0), (5, -1)])
def test_counts_without_a_data_set_are_refused(tmp_path: Path, videos: int, test_videos: int) -> None:
    with pytest.raises(ConfigError, match=rf"got {videos} videos, {test_videos} of them for testing: ask for more"):
        write_toy_kitchen(tmp_path / "x", videos=videos, test_videos=test_videos)
    assert not (tmp_path / "x").exists()


def test_a_negative_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="seed must be a whole number >= 0, got -1"):
        write_toy_kitchen(tmp_path / "x", seed=-1)


# grammar


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(COOKING_RECIPES), SEEDS)
def test_actions_follow_the_grammar(recipe: CookingRecipe, seed: int) -> None:
    actions = sample_actions(recipe, np.random.default_rng(seed))
    first = {"tea": "boil", "sandwich": "toast", "salad": "wash", "pancakes": "crack"}
    assert actions[0] == first[recipe.name]
    assert actions[-1] == "serve"
    assert BACKGROUND not in actions
    for i, action in enumerate(actions):
        if action == "open":
            assert actions[i - 1] == "take"
            assert actions[i + 1] in OPENED_FOR
            assert actions[i + 2 : i + 4] == ("close", "put")
        if action == "close":
            assert actions[i - 2] == "open"
    hands = [action for action in actions if action in ("take", "put")]
    assert hands == ["take", "put"] * (len(hands) // 2)


@settings(max_examples=50, deadline=None)
@given(SEEDS)
def test_what_is_poured_follows_from_the_first_action(seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = {recipe.name: set(sample_actions(recipe, rng)) for recipe in COOKING_RECIPES}
    for name in ("tea", "pancakes"):
        assert "pour_milk" in drawn[name]
        assert "pour_oil" not in drawn[name]
    assert "pour_oil" in drawn["salad"]
    assert not any("pour_milk" in drawn[name] for name in ("salad", "sandwich"))


def test_options_orders_and_repeats_all_occur() -> None:
    tea, salad = COOKING_RECIPES[0], COOKING_RECIPES[2]
    teas = {sample_actions(tea, np.random.default_rng(seed)) for seed in range(50)}
    assert {actions.count("cut") for actions in teas} == {0, 1}
    assert {actions.count("stir") for actions in teas} == {1, 2}
    salads = {sample_actions(salad, np.random.default_rng(seed)) for seed in range(50)}
    assert {actions.index("cut") < actions.index("pour_oil") for actions in salads} == {True, False}


@settings(max_examples=100, deadline=None)
@given(SCRIPTS)
def test_scripts_are_bounded_by_background_and_keep_minimum_durations(script: tuple[ScriptStep, ...]) -> None:
    assert script[0].label == script[-1].label == BACKGROUND
    assert script[0].appearance == script[-1].appearance == BACKGROUND
    for i, step in enumerate(script):
        if step.label != step.appearance:
            assert FAILED_STEPS[0] <= step.duration < FAILED_STEPS[1]
        elif i and script[i - 1].appearance != script[i - 1].label:
            assert PAUSE_STEPS[0] <= step.duration < PAUSE_STEPS[1]
        else:
            assert step.duration >= DURATIONS[step.label].minimum


@settings(max_examples=100, deadline=None)
@given(SCRIPTS)
def test_neighbours_never_look_the_same(script: tuple[ScriptStep, ...]) -> None:
    for left, right in itertools.pairwise(script):
        assert left.appearance != right.appearance
        assert left.label != right.label or left.label == BACKGROUND
        assert {left.appearance, right.appearance} not in [set(pair) for pair in (*LOOK_ALIKES, *NEAR_ALIKES)]


@settings(max_examples=100, deadline=None)
@given(SCRIPTS)
def test_a_failed_attempt_is_background_and_the_action_follows(script: tuple[ScriptStep, ...]) -> None:
    for i, step in enumerate(script):
        if step.label != step.appearance:
            assert step.label == BACKGROUND
            assert step.appearance in FAILING_ACTIONS
            assert (script[i - 1].label, script[i - 1].appearance) == (BACKGROUND, BACKGROUND)
            assert (script[i + 1].label, script[i + 1].appearance) == (BACKGROUND, BACKGROUND)
            assert script[i + 2].label == script[i + 2].appearance == step.appearance
            # The attempt is too short to pass for the action itself, and the pause is short too.
            assert step.duration <= DURATIONS[step.appearance].minimum
            assert script[i + 1].duration <= DURATIONS[BACKGROUND].minimum


def test_failed_attempts_of_every_kind_occur_about_once_per_video() -> None:
    scripts = [sample_script(COOKING_RECIPES[seed % 4], np.random.default_rng(seed)) for seed in range(200)]
    failed = [step.appearance for script in scripts for step in script if step.label != step.appearance]
    assert set(failed) == set(FAILING_ACTIONS)
    assert 0.7 < len(failed) / len(scripts) < 2.0


def test_videos_have_a_usual_length() -> None:
    drawn = [
        script_labels(sample_script(COOKING_RECIPES[seed % 4], np.random.default_rng(seed))) for seed in range(200)
    ]
    lengths = [len(labels) for labels in drawn]
    counts = [len(Segmentation.from_frames(labels)) for labels in drawn]
    assert 200 < np.median(lengths) < 280
    assert min(lengths) > 100
    assert max(lengths) < 500
    assert 18 < np.median(counts) < 25


@pytest.mark.parametrize("name", LABELS.names)
def test_durations_have_their_minimum_and_mean(name: str) -> None:
    rng = np.random.default_rng(1)
    drawn = np.array([DURATIONS[name].sample(rng) for _ in range(2000)])
    assert drawn.min() == DURATIONS[name].minimum
    # Rounding down to whole steps takes half a step on average.
    assert drawn.mean() == pytest.approx(DURATIONS[name].mean - 0.5, abs=0.6)
    assert drawn.std() > 1


# features


def test_script_labels_are_the_annotators() -> None:
    script = [ScriptStep("take", "take", 2), ScriptStep(BACKGROUND, "cut", 3), ScriptStep("cut", "cut", 1)]
    take, cut = LABELS.id("take"), LABELS.id("cut")
    assert script_labels(script).tolist() == [take, take, 0, 0, 0, cut]


def test_features_show_the_appearance_not_the_label() -> None:
    script = [ScriptStep("wash", "wash", 300), ScriptStep(BACKGROUND, "cut", 200)]
    features = render_features(script, np.random.default_rng(3))
    assert features.shape == (24, 500)
    assert features.dtype == np.float32
    for part, name in ((features[:, :300], "wash"), (features[:, 300:], "cut")):
        distances = np.linalg.norm(prototypes() - part.mean(axis=1), axis=1)
        assert LABELS.names[int(distances.argmin())] == name


def test_boundaries_are_blended_over_a_few_steps() -> None:
    script = [ScriptStep("wash", "wash", 20), ScriptStep("cut", "cut", 20)]
    mean = np.mean([render_features(script, np.random.default_rng(seed)) for seed in range(500)], axis=0)
    wash, cut = prototypes()[[LABELS.id("wash"), LABELS.id("cut")]]
    axis = cut - wash
    share = (mean - mean[:, :15].mean(axis=1, keepdims=True)).T @ axis
    share /= share[25:].mean()
    np.testing.assert_allclose(share[16:24], [0, 0, 0.2, 0.4, 0.6, 0.8, 1, 1], atol=0.06)


def test_a_few_percent_of_the_steps_show_distractors() -> None:
    script = [ScriptStep("wash", "wash", 200)]
    mean = np.mean([render_features(script, np.random.default_rng(seed)) for seed in range(400)], axis=(0, 2))
    wash = prototypes()[LABELS.id("wash")]
    axis = prototypes().mean(axis=0) - wash
    # A burst every 25 steps, 2 steps long on average; overlapping bursts and those cut off at the end count less.
    assert (mean - wash) @ axis / (axis @ axis) == pytest.approx(0.077, abs=0.02)


def test_noise_is_style_drift_and_white_noise() -> None:
    script = [ScriptStep("wash", "wash", 60)]
    shown = np.array([render_features(script, np.random.default_rng(seed)) for seed in range(600)])
    noise = shown - shown.mean(axis=(0, 2), keepdims=True)
    at = noise[:, :, 20]
    same, next_step, far = ((at * noise[:, :, 20 + lag]).mean() for lag in (0, 1, 30))
    # Style (0.12) lasts the whole video; drift (0.2, a moving average over 9) and, by about 0.003, distractors last a
    # few steps; the rest is white noise (0.25) and, by about 0.003, distractors.
    assert far == pytest.approx(0.12**2, abs=0.004)
    assert next_step - far == pytest.approx(0.2**2 * 8 / 9 + 0.003, abs=0.006)
    assert same - next_step == pytest.approx(0.25**2 + 0.2**2 / 9 + 0.003, abs=0.006)


def test_look_alikes_and_near_alikes_are_these() -> None:
    assert set(LOOK_ALIKES) == {("open", "close"), ("pour_milk", "pour_oil")}
    assert set(NEAR_ALIKES) == {("take", "put")}


@pytest.mark.parametrize("pair", LOOK_ALIKES)
def test_look_alikes_have_one_prototype(pair: tuple[str, str]) -> None:
    rows = prototypes()[[LABELS.id(name) for name in pair]]
    np.testing.assert_array_equal(rows[0], rows[1])


def test_only_alikes_are_alike() -> None:
    rows = prototypes()
    alike = {frozenset(pair) for pair in (*LOOK_ALIKES, *NEAR_ALIKES)}
    for a, b in itertools.combinations(LABELS.names, 2):
        distance = np.linalg.norm(rows[LABELS.id(a)] - rows[LABELS.id(b)])
        assert (distance < 0.7) == (frozenset((a, b)) in alike), (a, b, distance)
    for first, second in NEAR_ALIKES:
        assert np.linalg.norm(rows[LABELS.id(first)] - rows[LABELS.id(second)]) == pytest.approx(0.45, abs=1e-5)


@pytest.fixture(scope="module")
def video_means() -> dict[str, np.ndarray]:
    """Mean features (V, D) of each class in the videos, out of 200, that have it, two steps from any boundary."""
    means: dict[str, list[np.ndarray]] = {name: [] for name in LABELS.names}
    for seed in range(200):
        rng = np.random.default_rng([17, seed])
        script = sample_script(COOKING_RECIPES[seed % len(COOKING_RECIPES)], rng)
        labels, features = script_labels(script), render_features(script, rng)
        inner = np.ones(len(labels), bool)
        for boundary in np.flatnonzero(np.diff(labels)):
            inner[max(0, boundary - 1) : boundary + 3] = False
        for name in LABELS.names:
            here = inner & (labels == LABELS.id(name))
            if here.any():
                means[name].append(features[:, here].mean(axis=1))
    return {name: np.array(rows) for name, rows in means.items()}


def _largest_t(first: np.ndarray, second: np.ndarray) -> float:
    """Largest t statistic (Welch) over the channels, of the difference between two samples of videos."""
    error = np.sqrt(first.var(axis=0, ddof=1) / len(first) + second.var(axis=0, ddof=1) / len(second))
    return float(np.abs((first.mean(axis=0) - second.mean(axis=0)) / error).max())


@pytest.mark.parametrize("pair", LOOK_ALIKES)
def test_single_steps_do_not_distinguish_look_alikes(pair: tuple[str, str], video_means: dict[str, np.ndarray]) -> None:
    # If the means are equal, the largest t of 24 channels exceeds 4 with a probability of about 0.15 %.
    assert min(len(video_means[name]) for name in pair) > 50
    assert _largest_t(video_means[pair[0]], video_means[pair[1]]) < 4


@pytest.mark.parametrize("pair", [("take", "put"), ("open", "stir"), ("pour_oil", "spread")])
def test_single_steps_distinguish_other_classes(pair: tuple[str, str], video_means: dict[str, np.ndarray]) -> None:
    assert _largest_t(video_means[pair[0]], video_means[pair[1]]) > 6
