"""What a recipe may hold: sections that all systems share, and one recipe class per system."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Self

from pydantic import BaseModel, Field

from keyseg.criteria.bcn import BCNLossConfig
from keyseg.criteria.frame import FrameLossConfig
from keyseg.criteria.rtk import LossConfig, MatchingConfig
from keyseg.data.read_options import ReadOptions
from keyseg.inference.decoders import Decoder, FrameDecoder, KeypointDecoder
from keyseg.inference.decoding import ProposalConfig, Rules
from keyseg.models.asformer import ASFormerConfig, ASFormerExtraConfig
from keyseg.models.bcn import BCNConfig
from keyseg.models.ms_tcn import MSTCNConfig
from keyseg.models.rtk import RTKConfig
from keyseg.timeline import Segmentation
from keyseg.timeline.validation import Section


class OptimiserConfig(Section):
    """Adam. schedule: the learning rate follows a cosine to zero, or stays constant."""

    epochs: int = Field(120, ge=1)
    batch_size: int = Field(1, ge=1)
    learning_rate: float = Field(5e-4, gt=0)
    schedule: Literal["cosine", "constant"] = "cosine"
    weight_decay: float = Field(1e-4, ge=0)
    clip_norm: float | None = Field(5.0, gt=0)
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"


class RTKOptimiserConfig(OptimiserConfig):
    """Adam with a separate rate for the refinement."""

    context_learning_rate: float = Field(1e-3, gt=0, description="of the refinement, from the epoch at which it joins")


class PeerOptimiserConfig(OptimiserConfig):
    """Adam as in the reference programs: no clipping."""

    weight_decay: float = Field(0.0, ge=0)
    clip_norm: float | None = Field(None, gt=0)


class AugmentationConfig(Section):
    """Changes to the features in training; labels stay."""

    mixed_segments: float = Field(0.3, ge=0, le=1, description="share of segments that `mix_segments` changes")


class CalibrationConfig(Section):
    """Choosing thresholds on training videos that a first, shorter training has not seen; off by default."""

    holdout: float = Field(0.0, ge=0, lt=1, description="share of the training videos; 0 keeps `rules` as given")
    stress: float = Field(0.8, ge=0, lt=1, description="share of feature channels hidden while choosing")
    draws: int = Field(2, ge=1, description="readings of each held-out video, each with other channels hidden")
    pace: float = Field(0.5, gt=0, le=1, description="epochs of the first training divided by those of the final one")


class BarrierConfig(Section):
    """Training of BCN's barrier generator: alone, then frozen, then with the rest at a lower rate."""

    epochs: int = Field(100, ge=0, description="in which it is trained alone, before the first epoch of the cascade")
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(1e-4, ge=0, description="while it is trained alone")
    share: float = Field(0.05, gt=0, le=1, description="of the action's length: the band around its start and end")
    frozen_epochs: int = Field(15, ge=0)
    joint_rate: float = Field(0.1, ge=0, description="share of the learning rate of the rest, once not frozen")
    background: tuple[str, ...] = Field(
        ("background", "SIL", "action_start", "action_end"),
        description="classes without barriers, besides the background of the data set",
    )


class Recipe(Section):
    """A training run without data and seed: what all systems have."""

    model: str
    data: ReadOptions = ReadOptions()
    network: BaseModel
    optimiser: OptimiserConfig
    augmentation: AugmentationConfig = AugmentationConfig(mixed_segments=0.0)

    @property
    def epochs(self) -> int:
        """All epochs of the training."""
        return self.optimiser.epochs

    def decoder(self, annotations: Iterable[Segmentation]) -> Decoder:
        """What decodes the trained network. annotations: of the training videos, in steps."""
        return FrameDecoder()

    def at_pace(self, pace: float) -> Self:
        """The same training with its epochs scaled."""
        epochs = max(1, round(self.optimiser.epochs * pace))
        return self.changed(optimiser=self.optimiser.changed(epochs=epochs))


class RTKRecipe(Recipe):
    """Refined temporal keypoints."""

    model: str = "rtk"
    network: RTKConfig = RTKConfig()
    optimiser: RTKOptimiserConfig = RTKOptimiserConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    losses: LossConfig = LossConfig()
    matching: MatchingConfig = MatchingConfig()
    proposals: ProposalConfig = ProposalConfig()
    rules: Rules = Rules()
    calibration: CalibrationConfig = CalibrationConfig()

    @property
    def refines(self) -> bool:
        """Whether matching ever joins, so that there is a refinement."""
        return self.matching.join_epoch < self.epochs

    def decoder(self, annotations: Iterable[Segmentation]) -> KeypointDecoder:
        """With the recipe's rules, and the annotations to match to."""
        return KeypointDecoder(
            proposals=self.proposals,
            rules=self.rules,
            plain_rules=self.rules,
            refine=self.refines,
            memory=KeypointDecoder.remember(annotations),
        )

    def at_pace(self, pace: float) -> Self:
        """The same with epochs and joining epoch scaled; matching that joined still joins."""
        scaled = super().at_pace(pace)
        join = round(self.matching.join_epoch * pace)
        if self.refines:
            join = min(join, scaled.epochs - 1)
        return scaled.changed(matching=self.matching.changed(join_epoch=join))


class FrameRecipe(Recipe):
    """A network whose stages classify frames."""

    losses: FrameLossConfig = FrameLossConfig()


class MSTCNRecipe(FrameRecipe):
    """MS-TCN++."""

    model: str = "ms-tcn++"
    network: MSTCNConfig = MSTCNConfig()
    optimiser: PeerOptimiserConfig = PeerOptimiserConfig(epochs=100)


class ASFormerRecipe(FrameRecipe):
    """ASFormer."""

    model: str = "asformer"
    network: ASFormerConfig = ASFormerConfig()
    optimiser: PeerOptimiserConfig = PeerOptimiserConfig(weight_decay=1e-5)


class ASFormerExtraRecipe(FrameRecipe):
    """ASFormer with the supplement's extra modules."""

    model: str = "asformer-extra"
    network: ASFormerExtraConfig = ASFormerExtraConfig()
    optimiser: PeerOptimiserConfig = PeerOptimiserConfig(weight_decay=1e-5)


class BCNRecipe(Recipe):
    """BCN."""

    model: str = "bcn"
    network: BCNConfig = BCNConfig()
    optimiser: PeerOptimiserConfig = PeerOptimiserConfig(epochs=40, learning_rate=1e-3)
    losses: BCNLossConfig = BCNLossConfig()
    barrier: BarrierConfig = BarrierConfig()

    @property
    def epochs(self) -> int:
        """Those of the barrier generator alone, plus those of the rest."""
        return self.barrier.epochs + self.optimiser.epochs

    def at_pace(self, pace: float) -> Self:
        """The same with all epochs scaled, the frozen ones too."""
        epochs, frozen = (round(n * pace) for n in (self.barrier.epochs, self.barrier.frozen_epochs))
        return super().at_pace(pace).changed(barrier=self.barrier.changed(epochs=epochs, frozen_epochs=frozen))
