"""How the system is trained; imported only then."""

from pydantic import Field

from keyseg.training.objective import FrameObjective
from keyseg.training.settings import FrameRecipe, OptimiserConfig
from keyseg.training.systems import TrainableSystem
from own_system import GRUConfig


class GRURecipe(FrameRecipe):
    """A bidirectional GRU, trained with cross-entropy and smoothing."""

    model: str = Field("own-gru", description="the system")
    network: GRUConfig = Field(GRUConfig(), description="sizes of the GRU")
    optimiser: OptimiserConfig = Field(OptimiserConfig(epochs=10, learning_rate=0.005), description="Adam")


TRAINING = TrainableSystem(GRURecipe, FrameObjective)
