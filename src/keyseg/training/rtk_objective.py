"""RTK's training: heatmaps and frames in every epoch, matching and refinement once they have joined."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from keyseg.criteria.rtk import Reference, RTKCriterion, make_reference
from keyseg.data.batches import Batch
from keyseg.inference.decoding import ProposalConfig, propose_keypoints
from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.matching.nodes import annotated_keypoints, keypoint_nodes
from keyseg.models.refinement import KeypointMaps, Refiner
from keyseg.models.rtk import RTK
from keyseg.timeline import LabelMap
from keyseg.training.augmentation import mix_segments
from keyseg.training.objective import Objective, scheduled
from keyseg.training.settings import RTKRecipe


class RTKObjective(Objective):
    """Holds the criterion with its graph matcher."""

    def __init__(self, recipe: RTKRecipe, labels: LabelMap) -> None:
        super().__init__()
        self.recipe = recipe
        self.criterion = RTKCriterion(recipe.losses, recipe.matching, recipe.network.refinement.neighbours)

    def refines(self, epoch: int) -> bool:
        """From the epoch at which matching joins."""
        join = self.recipe.matching.join_epoch
        return join is not None and epoch >= join

    def losses(self, network: RTK, batch: Batch, epoch: int) -> dict[str, Tensor]:
        """Keypoint losses in every epoch; once matching has joined, those of matching and refinement too."""
        reference = make_reference(batch.labels, batch.mask, network.classes)
        share = self.recipe.augmentation.mixed_segments
        output = network(mix_segments(batch.features, batch.labels, batch.mask, share), batch.padding)
        losses = self.criterion.keypoints(output, reference)
        finite = all(value.isfinite() for value in losses.values())  # otherwise there is nothing to match
        if finite and self.refines(epoch):
            maps = output.maps()
            if self.recipe.matching.stop_gradient:
                maps = maps.detach()
            losses |= context_losses(network.refiner, self.criterion, maps, reference, self.recipe.proposals)
        return losses

    def groups(self, network: RTK) -> list[list[nn.Parameter]]:
        """The keypoint generator in one group, the refinement with its matcher in the other."""
        generator = [*network.backbone.parameters(), *network.head.parameters()]
        return [generator, [*network.refiner.parameters(), *self.criterion.parameters()]]

    def rates(self, epoch: int) -> Sequence[dict[str, float]]:
        """The rate of the refinement starts to fall at the epoch at which it joins."""
        settings, join = self.recipe.optimiser, self.recipe.matching.join_epoch or 0
        rate = scheduled(settings, settings.learning_rate, epoch, 0, settings.epochs)
        return {"lr": rate}, {"lr": scheduled(settings, settings.context_learning_rate, epoch, join, settings.epochs)}


def context_losses(
    refiner: Refiner, criterion: RTKCriterion, maps: KeypointMaps, reference: Reference, config: ProposalConfig
) -> dict[str, Tensor]:
    """Losses of refinement and matching for the keypoints that the maps of B videos propose."""
    proposals = [_propose(maps, index, config) for index in range(len(maps.mask))]
    nodes = keypoint_nodes(proposals, maps.mask.device)
    annotated = keypoint_nodes([annotated_keypoints(s) for s in reference.segmentations], maps.mask.device)
    return criterion.context(refiner(maps, nodes), refiner.graph(maps, annotated), proposals, nodes, reference)


def _propose(maps: KeypointMaps, index: int, config: ProposalConfig) -> tuple[ActionKeypoints, BoundaryKeypoints]:
    present = maps.mask[index]
    action = maps.action[index, :, present].detach().float().cpu().numpy()
    boundary = maps.boundary[index, present].detach().float().cpu().numpy()
    return propose_keypoints(action, boundary, config)
