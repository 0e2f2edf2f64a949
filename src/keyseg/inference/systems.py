"""The table of systems: name, title, network and decoder. What trains each is in `keyseg.training.systems`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel

from keyseg.inference.decoders import Decoder, FrameDecoder, KeypointDecoder
from keyseg.models.asformer import ASFormer, ASFormerConfig, ASFormerExtraConfig
from keyseg.models.bcn import BCN, BCNConfig
from keyseg.models.ms_tcn import MSTCN, MSTCNConfig
from keyseg.models.network import Network
from keyseg.models.rtk import RTK, RTKConfig
from keyseg.timeline import ConfigError, nearest
from keyseg.timeline.open_table import OpenTable


@dataclass(frozen=True)
class System:
    """One system: its title in tables and figures, the sizes of its network, the network, and what decodes its output.

    network: called with the sizes, the channels of the features and the number of classes. training: where the
    `TrainableSystem` of a system that a package adds is, as `module:object`; imported only to train it.
    """

    name: str
    title: str
    config: type[BaseModel]
    network: Callable[..., Network]
    decoder: type[Decoder]
    training: str | None = None

    def __post_init__(self) -> None:
        for field, kind in (("config", BaseModel), ("decoder", Decoder)):
            given = getattr(self, field)
            if not (isinstance(given, type) and issubclass(given, kind)):
                raise ConfigError(f"`{field}` of the System {self.name!r} is no subclass of {kind.__name__}: {given!r}")

    @property
    def titles(self) -> dict[str, str]:
        """What can be scored, with titles: the full system first, by its own name, then its parts."""
        return {self.name: self.title, **self.decoder.PARTS}


_OURS = (
    System("ms-tcn++", "MS-TCN++", MSTCNConfig, MSTCN, FrameDecoder),
    System("bcn", "BCN", BCNConfig, BCN, FrameDecoder),
    System("asformer", "ASFormer", ASFormerConfig, ASFormer, FrameDecoder),
    System("asformer-extra", "ASFormer + extra", ASFormerExtraConfig, ASFormer, FrameDecoder),
    System("rtk", "RTK", RTKConfig, RTK, KeypointDecoder),
)
SYSTEMS = OpenTable("keyseg.systems", System, {system.name: system for system in _OURS})
"""Those of the supplement's Table 1 in its order, then those that installed packages add (examples/own_system)."""


def system_named(name: str) -> System:
    """The system of this name. Raises ConfigError naming the known ones, or the package whose system cannot be used.

    >>> system_named("asformer").title
    'ASFormer'
    """
    if name not in SYSTEMS:
        raise ConfigError(f"no system {name!r}{nearest(name, SYSTEMS)}; known: {', '.join(SYSTEMS)}")
    return SYSTEMS[name]


def variant_title(variant: str) -> str:
    """Title of a system or of one of its parts; the name itself if no system has it."""
    return next((s.titles[variant] for _, s in SYSTEMS.usable() if variant in s.titles), variant)
