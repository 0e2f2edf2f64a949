"""Whether a bundle that was trained from corrections takes over: its scores beside those of the former one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from keyseg.data.layout import BACKGROUND

if TYPE_CHECKING:
    from keyseg.inference.predictor import Predictor
    from keyseg.metrics.paired import Comparison
    from keyseg.training.run import Run

RULE = (
    "The new bundle takes over if the mean of its F1@50, edit score and accuracy on the held-out videos is not lower"
    " than that of the former one. Held out are the second and every fourth video in the order of first correction,"
    " for ever; no bundle of this folder was trained on them."
)
_JUDGED = ("f1@50", "edit", "acc")


def judge(
    fitted: Run,
    new: Predictor,
    old: Predictor | None,
    videos: Sequence[Mapping[str, Any]],
    names: Mapping[str, str],
    cache: str,
) -> dict[str, Any]:
    """Scores on the held-out videos, the paired comparison where there is a former bundle, and who takes over."""
    from keyseg.metrics.paired import compare_labels

    dataset = fitted.open_dataset()
    reference = {name: dataset.labels.decode(dataset.annotation(name).to_frames()) for name in names.values()}
    files = {names[video["id"]]: video["file"] for video in videos}
    by_new = _labels(new, files, cache)
    compared: Comparison = compare_labels(reference, _labels(old, files, cache) if old else by_new, by_new)
    scores = {key: round(compared.b[key], 4) for key in compared.b}
    if old is None:
        return {"active": True, "scores": {"new": scores}, "comparison": None}
    before = {key: round(compared.a[key], 4) for key in compared.a}
    means = [sum(side[key] for key in _JUDGED) / len(_JUDGED) for side in (compared.a, compared.b)]
    return {
        "active": means[1] >= means[0],
        "scores": {"old": before, "new": scores},
        "comparison": compared.to_json() | {"text": str(compared)},
    }


def _labels(predictor: Predictor, files: Mapping[str, str], cache: str) -> dict[str, list[str]]:
    """One label per frame of each video; times without an action are background."""
    idle = predictor.labels.background
    extractor = predictor.extractor()
    found = {}
    for name, file in files.items():
        labels = predictor.predict(file, extractor=extractor, cache=cache).frame_labels
        found[name] = [BACKGROUND if label in idle else label for label in labels]
    return found
