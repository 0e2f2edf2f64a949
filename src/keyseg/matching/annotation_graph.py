"""The annotations of the training videos as one graph: a node per segment, edges in the order of each annotation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from keyseg.timeline import FloatArray, IntArray, Segmentation, TimelineError

NODE_LIMIT = 2000
"""Most nodes that videos are matched to; of more annotations, whole ones are left out at even distances."""

_LONGEST = 1.5  # a matched segment is at most so many times as long as the longest annotated one


@dataclass(frozen=True, eq=False)
class AnnotationGraph:
    """N nodes: one per annotated segment, then one per class without edges, so that no class is ruled out.

    labels: (N,) class of each node. position, size: (N,) index of a node in its annotation and that annotation's number
    of segments. annotation: (N,) index of its annotation among those given to `of`, -1 for the last C nodes.
    log_mean, log_deviation: (C,) of the durations of each class, in log steps. longest: steps that a matched segment
    may have.
    """

    labels: IntArray
    position: IntArray
    size: IntArray
    annotation: IntArray
    log_mean: FloatArray
    log_deviation: FloatArray
    longest: float

    @classmethod
    def of(cls, segmentations: Sequence[Segmentation], classes: int, limit: int = NODE_LIMIT) -> Self:
        """The graph of annotations in steps; those without segments are left out.

        Durations are counted over all annotations. A class with few segments is drawn towards the mean and deviation of
        all classes, as if it had one such segment more for the mean and two for the deviation.
        Raises TimelineError if no annotation has a segment, or a label is not below `classes`.
        """
        indexed = [(index, item) for index, item in enumerate(segmentations) if len(item)]
        if not indexed:
            raise TimelineError("matching needs an annotation with at least one segment, got none")
        labels = np.concatenate([item.labels for _, item in indexed])
        if labels.max() >= classes:
            raise TimelineError(f"an annotation refers to class {labels.max()}, outside 0..{classes - 1}")
        logs = np.log(np.concatenate([np.diff(item.boundaries) for _, item in indexed]))
        count = np.bincount(labels, minlength=classes)
        mean = (np.bincount(labels, logs, classes) + logs.mean()) / (count + 1)
        spread = np.bincount(labels, (logs - mean[labels]) ** 2, classes)
        deviation = np.sqrt((spread + 2 * max(logs.var(), 0.01)) / (count + 2))
        kept = _within(indexed, limit)
        sizes = [len(item) for _, item in kept]
        free = np.arange(classes)
        return cls(
            labels=np.concatenate((*(item.labels for _, item in kept), free)),
            position=np.concatenate((*(np.arange(size) for size in sizes), 0 * free)),
            size=np.concatenate((np.repeat(sizes, sizes), 0 * free + 1)),
            annotation=np.concatenate((np.repeat([index for index, _ in kept], sizes), 0 * free - 1)),
            log_mean=mean,
            log_deviation=deviation,
            longest=_LONGEST * float(np.exp(logs.max())),
        )

    def __len__(self) -> int:
        """Number of nodes, those without edges included."""
        return len(self.labels)

    @property
    def classes(self) -> int:
        """C, the number of classes."""
        return len(self.log_mean)

    @cached_property
    def previous(self) -> IntArray:
        """(N,) class of the node before each node in its annotation, -1 at the first."""
        before = np.concatenate(([-1], self.labels[:-1]))
        return np.where(self.position > 0, before, -1)

    def neighbour(self, offset: int) -> npt.NDArray[np.bool_]:
        """(N,) whether a node has a neighbour `offset` nodes further on in its annotation."""
        place = self.position + offset
        return (place >= 0) & (place < self.size)

    @cached_property
    def log_switch(self) -> FloatArray:
        """(N,) log of 1 over the number of nodes that follow a node of the same class as the one before each node;
        -inf at the first node of an annotation."""
        follows = self.previous >= 0
        count = np.bincount(self.previous[follows], minlength=self.classes)
        share = np.where(follows, 1 / np.maximum(count[self.previous], 1), 0.0)
        with np.errstate(divide="ignore"):
            return np.log(share)

    @cached_property
    def jump(self) -> FloatArray:
        """(N,) where a jump leads: half of it to an annotated segment, half to a class, each of them equally likely."""
        real = self.annotation >= 0
        return np.where(real, 0.5 / max(real.sum(), 1), 0.5 / self.classes)

    @cached_property
    def first(self) -> npt.NDArray[np.bool_]:
        """(N,) whether a node opens its annotation."""
        first: npt.NDArray[np.bool_] = (self.annotation >= 0) & (self.position == 0)
        return first

    @cached_property
    def last(self) -> npt.NDArray[np.bool_]:
        """(N,) whether a node closes its annotation."""
        last: npt.NDArray[np.bool_] = (self.annotation >= 0) & (self.position == self.size - 1)
        return last


def _within(items: list[tuple[int, Segmentation]], limit: int) -> list[tuple[int, Segmentation]]:
    """Annotations at even distances with at most `limit` segments together; at least one."""
    total = sum(len(item) for _, item in items)
    if total <= limit:
        return items
    count = max(1, int(len(items) * limit / total))
    while count > 1:
        chosen = [items[index] for index in np.linspace(0, len(items) - 1, count).round().astype(int)]
        if sum(len(item) for _, item in chosen) <= limit:
            return chosen
        count -= 1
    return items[:1]
