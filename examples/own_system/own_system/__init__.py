"""A system for keyseg: a bidirectional GRU that classifies every step. This module is all that prediction needs."""

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from keyseg.inference.decoders import FrameDecoder
from keyseg.inference.systems import System
from keyseg.models.layers import mask_of
from keyseg.models.network import Network
from keyseg.models.stages import FrameOutput, classified
from keyseg.timeline.validation import Section


class GRUConfig(Section):
    """Sizes of the network. The recipe's section `network` has these keys."""

    channels: int = Field(32, ge=1, le=1024, description="of the GRU, in each direction")
    dropout: float = Field(0.3, ge=0, lt=1, description="of the features, and before the classifier")


class GRU(Network):
    """Every step is classified from the whole video.

    >>> network = GRU(GRUConfig(), input_dim=24, classes=5)
    >>> network(torch.randn(1, 24, 100)).probabilities.shape
    torch.Size([1, 5, 100])
    """

    def __init__(self, config: GRUConfig, input_dim: int, classes: int) -> None:
        super().__init__(config, input_dim, classes)
        self.gru = nn.GRU(input_dim, config.channels, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(config.dropout)
        self.classify = nn.Linear(2 * config.channels, classes)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> FrameOutput:
        """features: (B, D, T); mask: (B, T), False where a shorter video is padded, or None -> logits of one stage."""
        mask = mask_of(features, mask)
        steps = self.dropout(features).transpose(1, 2)
        packed = pack_padded_sequence(steps, mask.sum(dim=1).cpu(), batch_first=True, enforce_sorted=False)
        hidden, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=mask.shape[1])
        logits = self.classify(self.dropout(hidden)).transpose(1, 2) * mask[:, None]
        return classified(torch.stack([logits]), mask)


SYSTEM = System("own-gru", "Bidirectional GRU", GRUConfig, GRU, FrameDecoder, training="own_system.training:TRAINING")
