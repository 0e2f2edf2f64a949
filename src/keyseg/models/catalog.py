"""The systems by name: what a recipe's `model` may be, with the network and its sizes."""

from __future__ import annotations

from pydantic import BaseModel

from keyseg.models.asformer import ASFormer, ASFormerConfig, ASFormerExtraConfig
from keyseg.models.bcn import BCN, BCNConfig
from keyseg.models.ms_tcn import MSTCN, MSTCNConfig
from keyseg.models.rtk import RTK, RTKConfig

Network = RTK | MSTCN | ASFormer | BCN

CONFIGS: dict[str, type[BaseModel]] = {
    "rtk": RTKConfig,
    "ms-tcn++": MSTCNConfig,
    "asformer": ASFormerConfig,
    "asformer-extra": ASFormerExtraConfig,
    "bcn": BCNConfig,
}
TITLES = {
    "rtk": "RTK",
    "ms-tcn++": "MS-TCN++",
    "asformer": "ASFormer",
    "asformer-extra": "ASFormer + extra",
    "bcn": "BCN",
}


def build(config: BaseModel, input_dim: int, classes: int) -> Network:
    """The network of a config. input_dim: feature channels D; classes: C."""
    match config:
        case RTKConfig():
            return RTK(config, input_dim, classes)
        case MSTCNConfig():
            return MSTCN(config, input_dim, classes)
        case ASFormerConfig():
            return ASFormer(config, input_dim, classes)
        case BCNConfig():
            return BCN(config, input_dim, classes)
    raise TypeError(f"no network has a config of type {type(config).__name__}")
