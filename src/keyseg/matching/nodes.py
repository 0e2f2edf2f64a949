"""The keypoints of a batch of videos as padded nodes, one time-sorted graph per video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.matching.graph import ACTION, BOUNDARY
from keyseg.timeline import Segmentation

Keypoints = tuple[ActionKeypoints, BoundaryKeypoints]


@dataclass(frozen=True)
class KeypointNodes:
    """Action and boundary keypoints of B videos in time order, padded to M.

    time: (B, M) steps; kind: (B, M) ACTION or BOUNDARY; label: (B, M) class id, 0 for boundaries; confidence: (B, M);
    mask: (B, M) bool. The nodes of one kind have the order of the keypoints that they were made from.
    """

    time: Tensor
    kind: Tensor
    label: Tensor
    confidence: Tensor
    mask: Tensor


def keypoint_nodes(videos: Sequence[Keypoints], device: torch.device | str = "cpu") -> KeypointNodes:
    """Merge the two sets of keypoints of each video into time-sorted nodes.

    At equal times the boundary comes first, since it opens the segment that an action at its step lies in.
    """
    size = max((len(actions) + len(boundaries) for actions, boundaries in videos), default=0)
    rows = [_sorted_row(actions, boundaries) for actions, boundaries in videos]
    table = np.zeros((len(videos), 5, size), np.float32)
    for index, row in enumerate(rows):
        table[index, :, : row.shape[1]] = row
    time, kind, label, confidence, mask = torch.from_numpy(table).to(device).unbind(1)
    return KeypointNodes(time, kind.long(), label.long(), confidence, mask.bool())


def annotated_keypoints(reference: Segmentation) -> Keypoints:
    """The keypoints of the annotation itself: one per segment, at its centre, and one per interior boundary."""
    bounds = reference.boundaries.astype(np.float64)
    centres = (bounds[:-1] + bounds[1:] - 1) / 2
    interior = bounds[1:-1]
    return ActionKeypoints(centres, reference.labels, np.ones(len(centres))), BoundaryKeypoints(
        interior, np.ones(len(interior))
    )


def _sorted_row(actions: ActionKeypoints, boundaries: BoundaryKeypoints) -> np.ndarray:
    row = np.ones((5, len(boundaries) + len(actions)))
    row[0] = np.concatenate((boundaries.time, actions.time))
    row[1] = np.repeat([BOUNDARY, ACTION], [len(boundaries), len(actions)])
    row[2] = np.concatenate((np.zeros(len(boundaries)), actions.label))
    row[3] = np.concatenate((boundaries.confidence, actions.confidence))
    return row[:, np.argsort(row[0], kind="stable")]
