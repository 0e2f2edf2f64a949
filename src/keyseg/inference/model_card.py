"""The model card of a bundle, README.md: what the model does, what it was trained on, and how well it was tested."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from keyseg.inference.bundle import ALL_VIDEOS, CARD, BundleConfig, read_config
from keyseg.inference.systems import system_named
from keyseg.timeline import BundleError
from keyseg.timeline.files import read_text, write_text
from keyseg.timeline.yaml_text import from_yaml, to_yaml

_KNOWN = ("## Classes", "## Training data", "## Scores", "## Where it comes from")  # the sections that keyseg renews

_FRONT = re.compile(r"\A---\n(.*?\n)---\n", re.DOTALL)


@dataclass(frozen=True)
class TrainingVideos:
    """What a model was trained on. frames: annotated frames of each class."""

    videos: int
    frames: Sequence[int]


@dataclass(frozen=True)
class HeldOutScores:
    """Scores in percent on test videos, by title, each with its 95 % interval, None if it is not known. unseen: classes
    that no test video shows. trainings: None for scores of the model itself; else of how many similar models they are
    the mean."""

    videos: int
    scores: Mapping[str, tuple[float, tuple[float, float] | None]]
    unseen: Sequence[str]
    trainings: int | None = None


def write_model_card(bundle: Path, trained: TrainingVideos, tested: HeldOutScores | None) -> None:
    """Write the card of a bundle into its folder. tested: None if no video was kept for a test.

    Of a card that is there, only what keyseg knows is written again: the sections of classes, training data, scores and
    origin.
    """
    card = model_card(read_config(bundle), trained, tested)
    if not (bundle / CARD).is_file():
        write_text(bundle / CARD, card)
        return
    former, known = read_text(bundle / CARD, "a model card"), _sections(card)
    sections = {title: known[title] if title in _KNOWN else text for title, text in _sections(former).items()}
    if (card := "".join(sections.values())) != former:
        write_text(bundle / CARD, card)


def _sections(card: str) -> dict[str, str]:
    """The parts of a card by their first line; what comes before them first. Parts with the same line are one."""
    sections: dict[str, str] = {}
    for text in re.split(r"^(?=## )", card, flags=re.MULTILINE):
        title = text.split("\n", 1)[0].strip()
        sections[title] = sections.get(title, "") + text
    return sections


def model_card(config: BundleConfig, trained: TrainingVideos | None = None, tested: HeldOutScores | None = None) -> str:
    """The text of a model card, with the front matter of the Hugging Face Hub; what is not known is left out."""
    title = system_named(config.model).title
    rate = f"{_number(config.fps)} frames per second"
    blocks = [
        f"# {title} for {literal(config.provenance.get('data', 'temporal action segmentation'))}",
        "Temporal action segmentation: the model divides an untrimmed video into segments and labels each with one of"
        f" {len(config.classes)} classes. It was made with [keyseg](https://github.com/keyseg/keyseg).",
        "## Classes",
        _classes(config, trained),
        "## Training data",
        *_training(config, trained, rate),
        "## Features",
        _features(config, rate),
        "## Scores",
        *_scores(config, tested),
        "## What it was not tested on",
        _limits(tested),
        "## Use",
        _USE.format(input="VIDEO.mp4" if config.features else "FEATURES.npy"),
        "## Where it comes from",
        _table(("", ""), [(key, value) for key, value in _origin(config).items()]),
    ]
    return with_front_matter("\n\n".join(blocks) + "\n", config)


def with_front_matter(card: str, config: BundleConfig) -> str:
    """A card whose front matter states the licence and version of `config`; what else is in it is kept.

    Raises BundleError if the front matter is not YAML.
    """
    found = _FRONT.match(card)
    front = from_yaml(found[1], f"{CARD}, between the two lines of ---", BundleError) if found else None
    before = front if isinstance(front, dict) else {}
    stated = {key: value for key, value in before.items() if key not in ("license", "license_name")}
    stated = _licence(config.licence) | {"library_name": "keyseg", "tags": _TAGS} | stated
    stated["model_version"] = config.model_version
    text = card[found.end() :] if found else f"\n{card}"
    return f"---\n{to_yaml(stated)}---\n{text}"


def literal(text: str) -> str:
    """Text that Markdown, also in a table, and HTML show as it is, on one line.

    >>> literal("cut|<b>_x_")
    'cut&#124;&#60;b&#62;&#95;x&#95;'
    """
    one_line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return re.sub(r"[^\w ,.()/%@-]|(?<![^\W_])_|_(?![^\W_])", lambda found: f"&#{ord(found[0])};", one_line)


_TAGS = ["temporal-action-segmentation", "video"]

_USE = """```python
import keyseg

predictor = keyseg.load("BUNDLE")  # this folder, or owner/name on the Hugging Face Hub
prediction = predictor.predict("{input}")
```

```
keyseg predict BUNDLE {input} --out timelines --format csv,eaf
```"""


def _licence(licence: str) -> dict[str, str]:
    """The hub's fields for an SPDX expression; the hub knows few that are not in lower case, and no expressions."""
    name = licence.lower().removesuffix("-only").removesuffix("-or-later")
    if " " in name or name.startswith("licenseref-"):
        return {"license": "other", "license_name": licence}
    return {"license": name}


def _classes(config: BundleConfig, trained: TrainingVideos | None) -> str:
    frames = trained.frames if trained else [0] * len(config.classes)
    total = sum(frames)
    rows = []
    for name, count in zip(config.classes, frames, strict=True):
        share = f"{100 * count / total:.1f} %" if total else "not recorded"
        rows.append((name + " (not an action)" * (name in config.background), share))
    return _table(("class", "share of the training frames"), rows)


def _training(config: BundleConfig, trained: TrainingVideos | None, rate: str) -> list[str]:
    size = "The number of training videos is not recorded."
    if trained:
        frames = sum(trained.frames)
        minutes = frames / config.fps / 60
        videos = "1 annotated video" if trained.videos == 1 else f"{trained.videos} annotated videos"
        size = f"{videos}, {frames:,} frames at {rate}: {float(minutes):.1f} minutes in all."
    blocks = [size + " Neither the videos nor their names are in the bundle."]
    if "start" in config.provenance:
        blocks.append(
            "The training began with the weights of an earlier model, so that the videos of that one matter, too; they"
            " are not counted here."
        )
    if config.decoder.match is not None:
        count = len(config.decoder.match.annotations)
        blocks.append(
            f"The bundle holds the order and lengths of the annotated segments of {count} training videos, to which new"
            " videos are matched; whoever gets the bundle can read them."
        )
    return blocks


def _features(config: BundleConfig, rate: str) -> str:
    every = "each frame" if config.sample_rate == 1 else f"every {config.sample_rate} frames"
    shape = f"The model reads one row of {config.input_dim} features for {every}, at {rate}."
    if config.features is None:
        return f"{shape} They were not made by keyseg: make those of new videos as the training features were made."
    made_by = literal(str(config.features.without_folders()))
    return f"{shape} They come from {made_by}. `keyseg predict` makes those of new videos from the video files."


def _scores(config: BundleConfig, tested: HeldOutScores | None) -> list[str]:
    if tested is None:
        return [_untested(config)]
    rows = [
        (title, f"{score:.1f}", f"{limits[0]:.1f} to {limits[1]:.1f}" if limits else "not known")
        for title, (score, limits) in tested.scores.items()
    ]
    several = tested.videos > 1
    videos, were = (f"{tested.videos} test videos", "were") if several else ("1 test video", "was")
    origin = " The intervals are those of a bootstrap over these videos." if several else ""
    of = f"on {videos} of the same data set that {were} not used in training"
    if tested.trainings:
        of = (
            f"the mean of the scores of {tested.trainings} models of the same recipe, each on test videos that were not"
            f" used in its training, {tested.videos} videos in all"
        )
    return [
        *([f"{_untested(config)} Expect about the following."] if tested.trainings else []),
        f"In percent, {of}.{origin}",
        _table(("", "score", "95 % interval"), rows),
    ]


def _untested(config: BundleConfig) -> str:
    if config.members:
        return f"The model averages {config.members} networks and was not scored as a whole."
    if config.provenance.get("split") == ALL_VIDEOS:
        return "It was trained on all annotated videos, so that none was left for a test: it has no scores of its own."
    return "No scores of this model are recorded."


def _limits(tested: HeldOutScores | None) -> str:
    points = [
        "videos of other people, places, cameras or tasks than those of the data set",
        "features that were made in another way than the training features",
        "actions that are not among its classes: they get the label of a class nevertheless",
    ]
    if tested and tested.unseen:
        points.insert(0, f"these classes, which no test video shows: {', '.join(map(literal, tested.unseen))}")
    return "\n".join(f"- {point}" for point in points)


def _origin(config: BundleConfig) -> dict[str, Any]:
    """Provenance without the command, in which folders of a machine may be named. The front matter has the version."""
    facts = {"system": system_named(config.model).title, "keyseg": config.keyseg}
    stated = {key: value for key, value in config.provenance.items() if key not in ("command", "keyseg")}
    return facts | stated


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    return "\n".join(lines + [f"| {' | '.join(map(literal, row))} |" for row in rows])


def _number(rate: Fraction) -> str:
    """A frame rate such as 15 or 29.97."""
    return f"{float(rate):.2f}".rstrip("0").rstrip(".")
