"""RTK's losses: heatmaps and frames at every epoch, matching and refinement from the epoch at which they join."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from keyseg.criteria.frame import frame_loss
from keyseg.criteria.keypoint import focal_loss
from keyseg.criteria.permutation import permutation_loss
from keyseg.keypoints import encode
from keyseg.matching.assignment import assign
from keyseg.matching.graph import ACTION, BOUNDARY, TemporalGraph
from keyseg.matching.matcher import GraphMatcher, MatchingMethod
from keyseg.matching.nodes import KeypointNodes, Keypoints
from keyseg.matching.sinkhorn import SMALLEST_TEMPERATURE
from keyseg.matching.validity import boundary_distances, segment_labels
from keyseg.models.refinement import Refinement
from keyseg.models.rtk import RTKOutput
from keyseg.timeline import Segmentation
from keyseg.timeline.validation import Section


class LossConfig(Section):
    """Weights of the losses."""

    action: float = Field(1.0, ge=0, description="weight of the focal loss on action heatmaps")
    boundary: float = Field(1.0, ge=0, description="weight of the focal loss on boundary heatmaps")
    frame: float = Field(1.0, ge=0, description="weight of the cross-entropy of the frame classifiers")
    smoothing: float = Field(0.15, ge=0, description="weight of the smoothing loss of the frame classifiers")
    permutation: float = Field(1.0, ge=0, description="weight of the matching, equation (1)")
    keep: float = Field(1.0, ge=0, description="weight of which keypoints the refinement keeps")
    classes: float = Field(1.0, ge=0, description="weight of the classes that the refinement gives")
    shift: float = Field(0.1, ge=0, description="weight of the shifts that the refinement gives to boundaries")


class MatchingConfig(Section):
    """How the keypoint graph is matched to the annotation's graph in training."""

    method: MatchingMethod = Field("linear", description="linear: of nodes; quadratic: of nodes and edges")
    join_epoch: int | None = Field(None, ge=0, description="first epoch with matching and refinement; null: never")
    stop_gradient: bool = Field(True, description="no gradient from matching to the keypoint generator")
    temperature: float = Field(0.1, ge=SMALLEST_TEMPERATURE, description="of Sinkhorn; lower is sharper")
    iterations: int = Field(50, ge=1, description="of Sinkhorn")


@dataclass(frozen=True)
class Reference:
    """The annotation of B videos in steps: segmentations, labels (B, T), heatmaps (B, C, T) and (B, T)."""

    segmentations: tuple[Segmentation, ...]
    labels: Tensor
    action: Tensor
    boundary: Tensor


def make_reference(labels: Tensor, mask: Tensor, classes: int) -> Reference:
    """Encode one class id per step: labels (B, T) int64, mask (B, T) bool."""
    action = torch.zeros(labels.shape[0], classes, labels.shape[1])
    boundary = torch.zeros(labels.shape)
    segmentations = []
    for index, (row, present) in enumerate(zip(labels.cpu().numpy(), mask.cpu().numpy(), strict=True)):
        segmentation = Segmentation.from_frames(row[present])
        maps = encode(segmentation, classes)
        action[index, :, : segmentation.length] = torch.from_numpy(maps.action)
        boundary[index, : segmentation.length] = torch.from_numpy(maps.boundary)
        segmentations.append(segmentation)
    return Reference(tuple(segmentations), labels, action.to(labels.device), boundary.to(labels.device))


class RTKCriterion(nn.Module):
    """The losses of RTK. Holds the graph matcher, whose dustbin score is learned and needed only in training.

    neighbours: of a keypoint on each side, to whose edges the quadratic matching looks.
    """

    def __init__(self, losses: LossConfig, matching: MatchingConfig, neighbours: int) -> None:
        super().__init__()
        self.weights = losses
        self.matcher = GraphMatcher(
            matching.method,
            neighbours=neighbours,
            temperature=matching.temperature,
            iterations=matching.iterations,
        )

    def keypoints(self, output: RTKOutput, reference: Reference) -> dict[str, Tensor]:
        """Losses of the keypoint generator and of the frame classifiers, weighted."""
        mask, weights = output.mask, self.weights
        boundary = focal_loss(output.boundary_logits[:, None], reference.boundary[:, None], mask)
        frame = frame_loss(output.frame_logits, reference.labels, mask, weights.smoothing)
        return {
            "action": weights.action * focal_loss(output.action_logits, reference.action, mask),
            "boundary": weights.boundary * boundary,
            "frame": weights.frame * frame,
        }

    def context(
        self,
        source: Refinement,
        target: TemporalGraph,
        proposals: Sequence[Keypoints],
        nodes: KeypointNodes,
        reference: Reference,
    ) -> dict[str, Tensor]:
        """Losses of matching and refinement for the proposals of each video, weighted."""
        truth = node_targets(proposals, nodes, target, reference)
        mask = nodes.mask.to(source.keep.dtype)
        actions = mask * (nodes.kind == ACTION)
        hits = mask * (nodes.kind == BOUNDARY) * truth.valid
        keep = F.binary_cross_entropy_with_logits(source.keep, truth.valid, reduction="none")
        classes = F.cross_entropy(source.classes.transpose(1, 2), truth.label, reduction="none")
        shift = F.smooth_l1_loss(source.shift, truth.shift, reduction="none")
        losses = {
            "keep": self.weights.keep * (keep * _balance(truth.valid, mask)).sum(),
            "classes": self.weights.classes * (classes * actions).sum() / actions.sum().clamp_min(1),
            "shift": self.weights.shift * (shift * hits).sum() / hits.sum().clamp_min(1),
        }
        if self.weights.permutation > 0:
            losses["permutation"] = self.weights.permutation * self._permutation(source.graph, target, truth.assignment)
        return losses

    def _permutation(self, source: TemporalGraph, target: TemporalGraph, truth: Tensor) -> Tensor:
        """The permutation loss. Different kinds never match, so without neighbours each kind is matched on its own."""
        if self.matcher.matching == "quadratic":
            return permutation_loss(self.matcher(source, target), truth, source.mask, target.mask)
        total = torch.zeros((), device=truth.device)
        for kind in (ACTION, BOUNDARY):
            (left, row), (right, column) = source.of_kind(kind), target.of_kind(kind)
            video = torch.arange(len(row), device=row.device)[:, None, None]
            part = truth[video, row[:, :, None], F.pad(column, (0, 1), value=-1)[:, None, :]]  # -1: the dustbin
            total = total + left.mask.sum() * permutation_loss(self.matcher(left, right), part, left.mask, right.mask)
        return total / source.mask.sum().clamp_min(1)


def _balance(valid: Tensor, mask: Tensor) -> Tensor:
    """Weights (B, M) under which valid and other nodes count the same: each kind that occurs sums to 1/2."""
    positive, negative = valid * mask, (1 - valid) * mask
    return positive / (2 * positive.sum().clamp_min(1)) + negative / (2 * negative.sum().clamp_min(1))


@dataclass(frozen=True)
class NodeTargets:
    """What refinement and matching should give for each node.

    valid: (B, M) 0 or 1, whether the node agrees with the annotation: an action in a segment of its class, a boundary
    within reach of an annotated one. Duplicates are valid too, since the rules merge them. label: (B, M) class of the
    segment that an action lies in. shift: (B, M) steps from a valid boundary to the annotated one. assignment:
    (B, M, N + 1) one-to-one, the dustbin last.
    """

    valid: Tensor
    label: Tensor
    shift: Tensor
    assignment: Tensor


def node_targets(
    proposals: Sequence[Keypoints], nodes: KeypointNodes, target: TemporalGraph, reference: Reference
) -> NodeTargets:
    """Assign each video's proposals, and spread the result over its time-sorted nodes."""
    kind, target_kind = nodes.kind.cpu().numpy(), target.kind.cpu().numpy()
    present, target_present = nodes.mask.cpu().numpy(), target.mask.cpu().numpy()
    batch, size = kind.shape
    valid, shift = np.zeros((batch, size), np.float32), np.zeros((batch, size), np.float32)
    label, truth = np.zeros((batch, size), np.int64), np.zeros((batch, size, target_kind.shape[1] + 1), np.float32)
    for b, (keypoints, segmentation) in enumerate(zip(proposals, reference.segmentations, strict=True)):
        assignment = assign(*keypoints, segmentation)
        for which, hit in ((ACTION, assignment.action_to_segment), (BOUNDARY, assignment.boundary_to_boundary)):
            node = np.flatnonzero((kind[b] == which) & present[b])
            column = np.flatnonzero((target_kind[b] == which) & target_present[b])
            truth[b, node[hit >= 0], column[hit[hit >= 0]]] = 1
            truth[b, node[hit < 0], -1] = 1
            if which == ACTION:
                label[b, node] = segment_labels(keypoints[0], segmentation)
                valid[b, node] = label[b, node] == keypoints[0].label
            else:
                distance, valid[b, node] = boundary_distances(keypoints[1], segmentation)
                shift[b, node] = distance * valid[b, node]
    device = nodes.mask.device
    return NodeTargets(*(torch.from_numpy(array).to(device) for array in (valid, label, shift, truth)))
