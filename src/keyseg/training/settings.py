"""What a recipe may hold: sections that all systems share, and one recipe class per system."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, Field, field_validator

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
from keyseg.timeline.validation import Section

_ENOUGH_STEPS = 500  # of an inner fold: longer trainings depend little on a few epochs more


class Range(Section):
    """Numbers from low to high that a tuning tries. log: evenly on a logarithmic scale; whole: none with a fraction."""

    low: float
    high: float
    log: bool = False
    whole: bool = False


Space = Mapping[str, Range | tuple[Any, ...]]
"""What a tuning tries for keys of a recipe: numbers in a range, or one of several values."""


Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


class OptimiserConfig(Section):
    """Adam."""

    epochs: int = Field(120, ge=1, description="passes over the training videos")
    batch_size: int = Field(1, ge=1, description="videos that the network takes at once")
    accumulate: int = Field(
        1,
        ge=1,
        description="batches per step of the optimiser, which takes the mean of their gradients; so a step takes"
        " batch_size * accumulate videos, times the processes of torchrun, in the memory of batch_size",
    )
    learning_rate: float = Field(5e-4, gt=0, description="at first")
    schedule: Literal["cosine", "constant"] = Field(
        "cosine", description="the learning rate follows half a cosine to zero, or stays constant"
    )
    weight_decay: float = Field(1e-4, ge=0, description="L2 penalty")
    clip_norm: float | None = Field(5.0, gt=0, description="largest norm of the gradient; null: no limit")
    precision: Literal[Precision, "auto"] = Field(
        "32-true",
        description="of computation in training; mixed needs a GPU to be faster; auto: bf16-mixed on a GPU that"
        " computes in it, else 32-true; cost.json and results.md state which",
    )


class RTKOptimiserConfig(OptimiserConfig):
    """Adam with a separate rate for the refinement."""

    context_learning_rate: float = Field(1e-3, gt=0, description="of the refinement, from the epoch at which it joins")


class PeerOptimiserConfig(OptimiserConfig):
    """Adam as in the reference programs: no clipping."""

    weight_decay: float = 0.0
    clip_norm: float | None = None


class AugmentationConfig(Section):
    """Changes to the features in training; labels stay."""

    mixed_segments: Literal["fit"] | Annotated[float, Field(ge=0, le=1)] = Field(
        0.0,
        description="share of segments that `mix_segments` changes; fit: 0 or 0.3, by an inner fold",
    )


class MatchConfig(Section):
    """Matching to the annotations of the training videos, and the inner folds that set it up."""

    fit: bool = Field(False, description="learn weights on inner folds, and match if that helps there")
    folds: int = Field(2, ge=2, le=10, description="inner folds at most")
    pace: float = Field(
        1.0,
        gt=0,
        le=1,
        description="epochs of an inner fold divided by those of the training; a short training counts as more epochs,"
        " so that at 1 an inner fold takes 500 steps, or as many as the training",
    )


class RTKMatchConfig(MatchConfig, MatchingConfig):
    """Matching to the annotations of the training videos, and in training as the supplement describes."""

    fit: bool = Field(
        True,
        description="learn the rules, where they are the defaults, and the weights of the match on inner folds, and"
        " match if that helps there",
    )


class BarrierConfig(Section):
    """Training of BCN's barrier generator: alone, then frozen, then with the rest at a lower rate."""

    epochs: int = Field(100, ge=0, description="in which it is trained alone, before the first epoch of the cascade")
    learning_rate: float = Field(1e-3, gt=0, description="while it is trained alone")
    weight_decay: float = Field(1e-4, ge=0, description="while it is trained alone")
    share: float = Field(0.05, gt=0, le=1, description="of the action's length: the band around its start and end")
    frozen_epochs: int = Field(15, ge=0, description="of the cascade, in which it is not trained")
    joint_rate: float = Field(0.1, ge=0, description="share of the learning rate of the rest, once not frozen")
    background: tuple[str, ...] = Field(
        ("background", "SIL", "action_start", "action_end"),
        description="classes without barriers, besides the background of the data set",
    )


LoggerName = Literal["csv", "tensorboard", "wandb", "mlflow"]


class LoggingConfig(Section):
    """Where the numbers of a training go, epoch by epoch. Inner folds log to files only."""

    loggers: tuple[LoggerName, ...] = Field(
        ("csv", "tensorboard"),
        description="any of csv (always written, since tables are made of it), tensorboard, wandb, mlflow; the"
        " last two send to where their environment variables say, such as WANDB_MODE=offline or MLFLOW_TRACKING_URI",
    )

    @field_validator("loggers", mode="before")
    @classmethod
    def _csv_is_always_written(cls, value: Any) -> Any:
        value = (value,) if isinstance(value, str) else value
        names = isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
        return tuple(dict.fromkeys(("csv", *value))) if names else value


class Recipe(Section):
    """A training run without data and seed: what all systems have. space: what `keyseg tune` tries."""

    space: ClassVar[Space] = {
        "optimiser.learning_rate": Range(low=1e-4, high=3e-3, log=True),
        "optimiser.weight_decay": (0.0, 1e-5, 1e-4, 1e-3),
    }
    model: str = Field(description="the system that is trained; it decides which keys there are")
    data: ReadOptions = ReadOptions()
    network: BaseModel
    optimiser: OptimiserConfig
    augmentation: AugmentationConfig = AugmentationConfig()
    matching: MatchConfig = MatchConfig()
    logging: LoggingConfig = LoggingConfig()

    @property
    def epochs(self) -> int:
        """All epochs of the training."""
        return self.optimiser.epochs

    @property
    def needs_inner_folds(self) -> bool:
        """Whether anything is chosen on inner folds."""
        return self.matching.fit or self.augmentation.mixed_segments == "fit"

    def decoder(self) -> Decoder:
        """What decodes the trained network, without a match."""
        return FrameDecoder()

    def for_inner_fold(self, seen: int, videos: int) -> Self:
        """The recipe of an inner fold that trains on `seen` of the `videos` of a training.

        Epochs are at their pace. Where those of the training would be fewer than 500 steps of the inner fold, there are
        more of them, up to as many steps as the training takes: else the network of the inner fold is much weaker, and
        a match helps it much more (decision 018). Numbers go only to the file that is always written.
        """
        at_once = self.optimiser.batch_size * self.optimiser.accumulate
        steps, whole = (math.ceil(count / at_once) * self.epochs for count in (seen, videos))
        longer = max(1.0, min(_ENOUGH_STEPS, whole) / steps)
        return self.at_pace(self.matching.pace * longer).changed(logging=LoggingConfig(loggers=()))

    def mixing(self, share: float) -> Self:
        """The same training with a share of mixed segments."""
        return self.changed(augmentation=self.augmentation.changed(mixed_segments=share))

    def at_pace(self, pace: float) -> Self:
        """The same training with its epochs scaled."""
        epochs = max(1, round(self.optimiser.epochs * pace))
        return self.changed(optimiser=self.optimiser.changed(epochs=epochs))


class RTKRecipe(Recipe):
    """Refined temporal keypoints."""

    space: ClassVar[Space] = {
        **Recipe.space,
        "network.backbone.channels": (32, 64, 96, 128),
        "network.backbone.input_dropout": Range(low=0.1, high=0.7),
        "network.backbone.layer_dropout": Range(low=0.1, high=0.6),
        "losses.boundary": Range(low=0.3, high=3.0, log=True),
        "losses.smoothing": Range(low=0.05, high=0.5, log=True),
    }
    model: str = "rtk"
    network: RTKConfig = RTKConfig()
    optimiser: RTKOptimiserConfig = RTKOptimiserConfig()
    augmentation: AugmentationConfig = AugmentationConfig(mixed_segments="fit")
    losses: LossConfig = LossConfig()
    matching: RTKMatchConfig = RTKMatchConfig()
    proposals: ProposalConfig = ProposalConfig()
    rules: Rules = Rules()

    @property
    def refines(self) -> bool:
        """Whether matching ever joins in training, so that there is a refinement."""
        return self.matching.join_epoch is not None and self.matching.join_epoch < self.epochs

    def decoder(self) -> KeypointDecoder:
        """With the recipe's rules."""
        return KeypointDecoder(proposals=self.proposals, rules=self.rules, refine=self.refines)

    def at_pace(self, pace: float) -> Self:
        """The same with epochs and joining epoch scaled; matching that joined still joins, and no other does."""
        scaled = super().at_pace(pace)
        if self.matching.join_epoch is None:
            return scaled
        join = round(self.matching.join_epoch * pace)
        join = min(join, scaled.epochs - 1) if self.refines else max(join, scaled.epochs)
        return scaled.changed(matching=self.matching.changed(join_epoch=join))


class FrameRecipe(Recipe):
    """A network whose stages classify frames."""

    space: ClassVar[Space] = {
        **Recipe.space,
        "augmentation.mixed_segments": (0.0, 0.15, 0.3, 0.45),
        "losses.smoothing": Range(low=0.05, high=0.5, log=True),
    }
    losses: FrameLossConfig = FrameLossConfig()


class MSTCNRecipe(FrameRecipe):
    """MS-TCN++."""

    space: ClassVar[Space] = {
        **FrameRecipe.space,
        "network.channels": (32, 64, 96, 128),
        "network.dropout": Range(low=0.2, high=0.7),
        "network.input_dropout": Range(low=0.0, high=0.6),
    }
    model: str = "ms-tcn++"
    network: MSTCNConfig = MSTCNConfig()
    optimiser: PeerOptimiserConfig = PeerOptimiserConfig(epochs=100)


_ASFORMER_SPACE: Space = {
    "network.channels": (32, 64, 96, 128),
    "network.input_dropout": Range(low=0.1, high=0.6),
    "network.layer_dropout": Range(low=0.1, high=0.6),
}


class ASFormerRecipe(FrameRecipe):
    """ASFormer."""

    space: ClassVar[Space] = {**FrameRecipe.space, **_ASFORMER_SPACE}
    model: str = "asformer"
    network: ASFormerConfig = ASFormerConfig()
    optimiser: PeerOptimiserConfig = PeerOptimiserConfig(weight_decay=1e-5)


class ASFormerExtraRecipe(FrameRecipe):
    """ASFormer with the supplement's extra modules."""

    space: ClassVar[Space] = {**FrameRecipe.space, **_ASFORMER_SPACE}
    model: str = "asformer-extra"
    network: ASFormerExtraConfig = ASFormerExtraConfig()
    optimiser: PeerOptimiserConfig = PeerOptimiserConfig(weight_decay=1e-5)


class BCNRecipe(Recipe):
    """BCN."""

    space: ClassVar[Space] = {
        **Recipe.space,
        "augmentation.mixed_segments": (0.0, 0.15, 0.3, 0.45),
        "network.dropout": Range(low=0.2, high=0.7),
        "barrier.learning_rate": Range(low=1e-4, high=3e-3, log=True),
        "losses.smoothing": Range(low=0.1, high=1.0, log=True),
    }
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
