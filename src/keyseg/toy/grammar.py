"""The action grammar of the toy kitchen: cooking recipes, durations, failed attempts, and random scripts of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from keyseg.data.layout import BACKGROUND, Fold, write_lists
from keyseg.timeline import ConfigError, LabelMap


@dataclass(frozen=True)
class Duration:
    """How long an action lasts in steps: `minimum` plus a gamma-distributed remainder, `mean` on average."""

    minimum: int
    mean: int

    def sample(self, rng: np.random.Generator) -> int:
        """Draw a whole number of steps, at least the minimum. Shape 3 gives the long right tail of real actions."""
        return self.minimum + int(rng.gamma(3.0, (self.mean - self.minimum) / 3.0))


@dataclass(frozen=True)
class Phase:
    """Actions, separated by spaces, done with probability `chance`, `repeats` (fewest, most) times in a row."""

    actions: str
    chance: float = 1.0
    repeats: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class CookingRecipe:
    """Stages in order; the phases of one stage may be done in any order."""

    name: str
    stages: tuple[tuple[Phase, ...], ...]


@dataclass(frozen=True)
class ScriptStep:
    """What happens for `duration` steps. label: the annotator's. appearance: the class that it looks like."""

    label: str
    appearance: str
    duration: int


DURATIONS = {
    BACKGROUND: Duration(4, 8),
    "take": Duration(5, 9),
    "put": Duration(5, 9),
    "open": Duration(5, 9),
    "close": Duration(5, 9),
    "pour_milk": Duration(7, 14),
    "pour_oil": Duration(7, 14),
    "stir": Duration(9, 20),
    "cut": Duration(9, 20),
    "spread": Duration(9, 18),
    "boil": Duration(12, 22),
    "toast": Duration(12, 22),
    "wash": Duration(12, 22),
    "crack": Duration(8, 16),
    "fry": Duration(12, 24),
    "serve": Duration(6, 12),
}
LABELS = LabelMap(tuple(DURATIONS), (BACKGROUND,))

# Classes with the same appearance, which only context distinguishes: a jar is opened before something leaves it and
# closed after; milk or oil follows from the recipe, hence from its first step.
LOOK_ALIKES = (("open", "close"), ("pour_milk", "pour_oil"))
# Classes that look nearly the same: something is taken before it is used, and put back after.
NEAR_ALIKES = (("take", "put"),)

_MILK = Phase("take open pour_milk close put")
_OIL = Phase("take open pour_oil close put")
_SPREAD = Phase("take open spread close put")
_STIR = Phase("take stir put", repeats=(1, 2))
_SERVE = Phase("serve")

COOKING_RECIPES = (
    CookingRecipe("tea", ((Phase("boil"),), (Phase("take cut put", chance=0.5), _MILK), (_STIR,), (_SERVE,))),
    CookingRecipe(
        "sandwich",
        ((Phase("toast"),), (Phase("take cut put", repeats=(2, 3)), _SPREAD), (replace(_OIL, chance=0.5),), (_SERVE,)),
    ),
    CookingRecipe("salad", ((Phase("wash"),), (Phase("take cut put", repeats=(1, 3)), _OIL), (_STIR,), (_SERVE,))),
    CookingRecipe(
        "pancakes",
        ((Phase("crack"),), (_MILK, _STIR), (Phase("fry"), Phase("take cut put", chance=0.3)), (_SERVE,)),
    ),
)

# A failed first attempt looks like the action but is background, and the action follows after a short pause (the
# paper's supplement, Fig. 2b). The lengths are ranges in steps, without the last value.
FAILING_ACTIONS = ("take", "cut")
FAILED_CHANCE = 0.25
FAILED_STEPS = (3, 6)
PAUSE_STEPS = (2, 5)
GAP_CHANCE = 0.15


def sample_actions(recipe: CookingRecipe, rng: np.random.Generator) -> tuple[str, ...]:
    """Draw the actions of one video in order, without background: optional phases, their order and repeats."""
    actions: list[str] = []
    for stage in recipe.stages:
        for index in rng.permutation(len(stage)):
            phase = stage[index]
            if rng.random() < phase.chance:
                fewest, most = phase.repeats
                actions += phase.actions.split() * int(rng.integers(fewest, most + 1))
    return tuple(actions)


def sample_script(recipe: CookingRecipe, rng: np.random.Generator) -> tuple[ScriptStep, ...]:
    """Draw what happens in one video, with background first and last.

    Neighbours differ in label, except within background that contains a failed attempt.

    >>> [step.label for step in sample_script(COOKING_RECIPES[0], np.random.default_rng(0))][:4]
    ['background', 'boil', 'background', 'take']
    """
    actions = sample_actions(recipe, rng)
    script = [_performed(BACKGROUND, rng), _performed(actions[0], rng)]
    for previous, action in pairwise(actions):
        fails = action in FAILING_ACTIONS and rng.random() < FAILED_CHANCE
        # Without a gap, nothing would show where `put` ends and the next `take` starts.
        if fails or (previous, action) == ("put", "take") or rng.random() < GAP_CHANCE:
            script.append(_performed(BACKGROUND, rng))
        if fails:
            script.append(ScriptStep(BACKGROUND, action, int(rng.integers(*FAILED_STEPS))))
            script.append(ScriptStep(BACKGROUND, BACKGROUND, int(rng.integers(*PAUSE_STEPS))))
        script.append(_performed(action, rng))
    return (*script, _performed(BACKGROUND, rng))


def video_script(index: int, seed: int) -> tuple[str, tuple[ScriptStep, ...], np.random.Generator]:
    """Name and script of video `index` of a toy kitchen, and the generator to draw the rest. Recipes take turns."""
    rng = np.random.default_rng([seed, index])
    recipe = COOKING_RECIPES[index % len(COOKING_RECIPES)]
    return f"{recipe.name}_{index:03d}", sample_script(recipe, rng), rng


def check_counts(videos: int, test_videos: int, seed: int) -> None:
    """Raise ConfigError on a negative seed, or counts without a test video or without a training video per recipe."""
    if seed < 0:
        raise ConfigError(f"seed must be a whole number >= 0, got {seed}")
    if test_videos < 1 or videos - test_videos < len(COOKING_RECIPES):
        raise ConfigError(
            f"a toy kitchen needs at least 1 test video and {len(COOKING_RECIPES)} training videos (one per recipe),"
            f" got {videos} videos, {test_videos} of them for testing: ask for more videos or fewer test videos"
        )


def write_split(root: Path, names: Sequence[str], test_videos: int) -> None:
    """Write mapping.txt and the two lists of split 1 below `root`; the last `test_videos` videos are the test set."""
    first = len(names) - test_videos
    write_lists(root, LABELS, [Fold(tuple(names[:first]), tuple(names[first:]))])


def _performed(name: str, rng: np.random.Generator) -> ScriptStep:
    return ScriptStep(name, name, DURATIONS[name].sample(rng))
