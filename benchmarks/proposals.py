"""Scores, not speed: `keyseg propose` against simpler ways to draft timelines of videos that nobody has labelled.

python benchmarks/proposals.py DATA --features features_split{split} --fps 15 --out FILE

All ways get the same features, `standardised` as `keyseg propose` does, of the test videos of each split
apart. Scores are means over splits. The annotation gives the
numbers of classes where a table says so, and is used for scoring alone otherwise.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from scipy.cluster.vq import kmeans2
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from keyseg.data.dataset import Dataset
from keyseg.metrics import Report, mean_reports
from keyseg.metrics.unsupervised import evaluate_clusters
from keyseg.proposals.clusters import cluster_segments, default_classes
from keyseg.proposals.cuts import merge_runs
from keyseg.proposals.runs import Runs, mean_runs, segment_means, standardised, steps_per_run
from keyseg.timeline import IntArray, Segmentation
from provenance import provenance, write_results
from scripted_annotator import Work, correct, from_nothing

NOTE = (
    "Mean over frames (MoF), Edit and F1@10/25/50 with all classes, background included. Clusters are matched to "
    "classes by the Hungarian method, per video or over all videos of a split; frames of an unmatched cluster are "
    "wrong. Every constant was chosen on toy kitchen videos, billboard-sections and billboard-chords, none of "
    "which is reported. One rule came later, when the accelerometers of 50Salads got fewer segments than classes: "
    "a given number of classes is the least number of segments in all. Labelling: edits of a scripted annotator "
    "(benchmarks/scripted_annotator.py) per video until the timeline is right, boundaries to half a second, after "
    "every part got the name of the class that most of its frames have; each such renaming is one action in all "
    "videos of a split together."
)


@dataclass(frozen=True)
class Video:
    """Runs of features, (N, D), steps per run, and the class of each step, (T,)."""

    runs: Runs
    size: int
    truth: IntArray

    def expand(self, labels: IntArray) -> IntArray:
        """Labels of runs as labels of steps."""
        return np.repeat(labels, self.size)[: len(self.truth)]

    @property
    def classes(self) -> int:
        """Classes that occur."""
        return len(np.unique(self.truth))


Group = Mapping[str, Video]
Clusters = dict[str, IntArray]


def read_group(dataset: Path, features: str, split: int, rate: float) -> dict[str, Video]:
    """The test videos of a split."""
    names = Dataset.open(dataset).names(split, "test")
    mapping = {line.split()[1]: int(line.split()[0]) for line in (dataset / "mapping.txt").read_text().splitlines()}
    group = {}
    for name in names:
        labels = (dataset / "groundTruth" / f"{name}.txt").read_text(encoding="utf-8").split()
        array = np.load(dataset / features.format(split=split) / f"{name}.npy").T
        truth = np.array([mapping[label] for label in labels])[: len(array)]
        size = steps_per_run(len(truth), rate)
        group[name] = Video(standardised(mean_runs(name, array[: len(truth)], size)), size, truth)
    return group


def equal_bounds(count: int, segments: int) -> IntArray:
    """Bounds of segments of one length."""
    return np.unique(np.round(np.linspace(0, count, segments + 1)).astype(np.int64))


def spread(bounds: IntArray, labels: IntArray) -> IntArray:
    """Labels of segments as labels of runs."""
    return np.repeat(labels, np.diff(bounds))


def nothing_but_segments(bounds: IntArray) -> IntArray:
    """Every segment a cluster of its own."""
    return spread(bounds, np.arange(len(bounds) - 1))


def without_time(runs: Runs, classes: int) -> IntArray:
    """k-means of the runs in any order."""
    return kmeans2(runs, classes, minit="++", rng=0)[1]


def near_in_time(runs: Runs, classes: int) -> IntArray:
    """Clusters of first neighbours in distance of features times distance in time, as in TW-FINCH (Sarfraz et al., CVPR
    2021): joined level by level, then pair by pair until there are so many."""
    labels = np.arange(len(runs))
    while True:
        distances = _weighted(runs, labels)
        nearest = distances.argmin(1)
        count = len(nearest)
        graph = coo_array((np.ones(count), (np.arange(count), nearest)), (count, count))
        number, joined = connected_components(graph, directed=False)
        if number < classes or number == count:
            break
        labels = joined[labels]
    while labels.max() + 1 > classes:
        one, other = np.unravel_index(_weighted(runs, labels).argmin(), (labels.max() + 1,) * 2)
        labels = np.unique(np.where(labels == other, one, labels), return_inverse=True)[1]
    return labels


def _weighted(runs: Runs, labels: IntArray) -> Any:
    counts = np.bincount(labels)
    means = np.zeros((len(counts), runs.shape[1]), np.float32)
    np.add.at(means, labels, runs)
    means /= np.linalg.norm(means, axis=1, keepdims=True).clip(1e-9)
    times = np.bincount(labels, np.arange(len(labels))) / counts / len(labels)
    distances = (1 - means @ means.T) * np.abs(times[:, None] - times).astype(np.float32)
    np.fill_diagonal(distances, np.inf)
    return distances


def kernel_changes(runs: Runs, segments: int) -> IntArray:
    """Bounds by kernel change points and dynamic programming (Celisse et al., JMLR 2018), from the package ruptures."""
    from ruptures import KernelCPD

    found = KernelCPD("rbf", min_size=1).fit(np.asarray(runs, np.float64)).predict(n_bkps=segments - 1)
    return np.array([0, *found])


def own_bounds(runs: Runs, classes: int = 1) -> IntArray:
    """As `keyseg propose` cuts if no number of segments is given."""
    merged = merge_runs(runs)
    return merged.bounds(max(merged.telling, classes))


def named_together(group: Group, cut: Callable[[str, Runs], IntArray], classes: int | None) -> Clusters:
    """Segments of all videos in common clusters."""
    bounds = {name: cut(name, video.runs) for name, video in group.items()}
    means = np.concatenate([segment_means(video.runs, bounds[name]) for name, video in group.items()])
    clusters = cluster_segments(means, classes)
    parts = np.split(clusters, np.cumsum([len(one) - 1 for one in bounds.values()])[:-1])
    return {
        name: video.expand(spread(bounds[name], labels))
        for (name, video), labels in zip(group.items(), parts, strict=True)
    }


def by_video(group: Group, way: Callable[[Runs, int], IntArray]) -> Clusters:
    """Clusters of each video for itself, as many as it has classes."""
    return {name: video.expand(way(video.runs, video.classes)) for name, video in group.items()}


def of_segments(bounds: IntArray, runs: Runs, classes: int) -> IntArray:
    """Clusters of the segments of one video."""
    return spread(bounds, cluster_segments(segment_means(runs, bounds), classes))


PER_VIDEO: dict[str, Callable[[Runs, int], IntArray]] = {
    "equal splitting": lambda runs, classes: nothing_but_segments(equal_bounds(len(runs), classes)),
    "k-means without time": without_time,
    "first neighbours in features x time": near_in_time,
    "kernel change points": lambda runs, classes: nothing_but_segments(kernel_changes(runs, classes)),
    "Ward in time": lambda runs, classes: nothing_but_segments(merge_runs(runs).bounds(classes)),
    "keyseg propose": lambda runs, classes: of_segments(own_bounds(runs, classes), runs, classes),
}


def over_all(group: Group, classes: int | None) -> dict[str, Clusters]:
    """Common clusters of all videos, by way. classes: None for the program's own number."""
    counts = {name: len(own_bounds(video.runs)) - 1 for name, video in group.items()}
    number = default_classes(sum(counts.values())) if classes is None else classes
    runs = np.concatenate([video.runs for video in group.values()])
    free = np.split(without_time(runs, number), np.cumsum([len(video.runs) for video in group.values()])[:-1])
    return {
        "equal splitting, as many segments": named_together(
            group, lambda name, runs: equal_bounds(len(runs), counts[name]), number
        ),
        "k-means without time": {n: v.expand(one) for (n, v), one in zip(group.items(), free, strict=True)},
        "keyseg propose": named_together(group, lambda name, runs: own_bounds(runs), number),
    }


def labelling(group: Group, clusters: Clusters, tolerance: int) -> tuple[float, float]:
    """Actions and seconds per video from these parts to the true timelines."""
    named: dict[int, int] = {}
    together = np.concatenate([clusters[name] for name in group])
    truth = np.concatenate([video.truth for video in group.values()])
    for part in np.unique(together).tolist():
        named[part] = int(np.bincount(truth[together == part]).argmax())
    work = sum(
        (
            correct(
                Segmentation.from_frames([named[one] for one in clusters[name].tolist()]),
                Segmentation.from_frames(video.truth),
                tolerance,
            )
            for name, video in group.items()
        ),
        Work(relabel=len(named)),
    )
    return work.actions / len(group), work.seconds / len(group)


def scored(group: Group, clusters: Clusters, *, per_video: bool) -> Report:
    """Scores of these clusters."""
    return evaluate_clusters({name: video.truth for name, video in group.items()}, clusters, per_video=per_video)


def score_row(way: str, reports: Sequence[Report]) -> dict[str, Any]:
    """Means over splits, in percent."""
    mean = mean_reports(reports)
    f1 = {f"f1@{round(100 * overlap)}": score for overlap, score in mean.f1.items()}
    return {"way": way, "mof": mean.acc, "edit": mean.edit, **f1}


def measure(groups: Sequence[Group], rate: float) -> dict[str, list[dict[str, Any]]]:
    """All tables: the rows of each by its title."""
    tables: dict[str, list[dict[str, Any]]] = {}
    title = "Per video, as many clusters as the video has classes"
    tables[title] = [
        score_row(way, [scored(group, by_video(group, cluster), per_video=True) for group in groups])
        for way, cluster in PER_VIDEO.items()
    ]
    known = [over_all(group, len(np.unique(np.concatenate([v.truth for v in group.values()])))) for group in groups]
    own = [over_all(group, None) for group in groups]
    for title, found, per_video in (
        ("Over all videos, as many clusters as there are classes", known, False),
        ("Over all videos, as many clusters as the program chooses", own, False),
        ("The same, matched per video", own, True),
    ):
        tables[title] = [
            score_row(
                way, [scored(group, one[way], per_video=per_video) for group, one in zip(groups, found, strict=True)]
            )
            for way in found[0]
        ]
    tables["Labelling"] = labelling_rows(groups, own, tolerance=max(1, round(rate / 2)))
    return tables


def labelling_rows(
    groups: Sequence[Group], found: Sequence[dict[str, Clusters]], tolerance: int
) -> list[dict[str, Any]]:
    """Actions and seconds per video from nothing, and from each way's parts."""
    bare = [from_nothing(Segmentation.from_frames(video.truth)) for group in groups for video in group.values()]
    rows = [row_of_work("nothing", [(work.actions, work.seconds) for work in bare])]
    for way in ("equal splitting, as many segments", "keyseg propose"):
        work = [labelling(group, one[way], tolerance) for group, one in zip(groups, found, strict=True)]
        rows.append(row_of_work(way, work))
    return rows


def row_of_work(start: str, work: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Means of actions and seconds."""
    actions, seconds = np.mean(work, axis=0).tolist()
    return {"from": start, "actions per video": actions, "seconds per video": seconds}


def numbers_line(groups: Sequence[Group]) -> str:
    """How many segments and clusters the program chose, and how many there are."""
    chosen = [len(own_bounds(video.runs)) - 1 for group in groups for video in group.values()]
    true = [len(Segmentation.from_frames(video.truth)) for group in groups for video in group.values()]
    parts = [default_classes(sum(len(own_bounds(v.runs)) - 1 for v in group.values())) for group in groups]
    classes = [len(np.unique(np.concatenate([v.truth for v in group.values()]))) for group in groups]
    return (
        f" Segments per video: {np.mean(chosen):.1f} chosen, {np.mean(true):.1f} annotated; clusters of a split:"
        f" {np.mean(parts):.1f} chosen, {np.mean(classes):.1f} classes. Videos: {len(true)}."
    )


def as_markdown(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """The tables, one after the other."""
    lines = []
    for title, rows in tables.items():
        head = list(rows[0])
        lines += [f"## {title}", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
        lines += [
            f"| {' | '.join(f'{value:.1f}' if isinstance(value, float) else str(value) for value in row.values())} |"
            for row in rows
        ]
        lines.append("")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--features", default="features")
    parser.add_argument("--splits", type=int, nargs="*")
    parser.add_argument("--fps", type=Fraction, required=True)
    parser.add_argument("--note", default="")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    rate = float(arguments.fps)
    splits = arguments.splits or Dataset.open(arguments.data).splits
    groups = [read_group(arguments.data, arguments.features, split, rate) for split in splits]
    tables = measure(groups, rate)
    note = " ".join(part for part in (arguments.note, NOTE) if part) + numbers_line(groups)
    title = f"Timelines without labels, {arguments.data.name}, {arguments.features}"
    write_results(arguments.out, title, as_markdown(tables), tables, provenance(), note)


if __name__ == "__main__":
    main()
