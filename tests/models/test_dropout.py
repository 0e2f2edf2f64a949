"""Every dropout of a configuration takes part in training, and none in evaluation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import BaseModel

from keyseg.inference.systems import SYSTEMS
from keyseg.models.asformer import ASFormerConfig
from keyseg.models.barrier import BarrierGeneratorConfig
from keyseg.models.bcn import BCNConfig
from keyseg.models.heads import HeadConfig, KeypointHead
from keyseg.models.ms_tcn import MSTCNConfig
from keyseg.models.rtk import RTKConfig

SMALL: dict[str, BaseModel] = {
    "rtk": RTKConfig.model_validate(
        {
            "backbone": {"channels": 8, "encoder_layers": 2, "decoder_layers": 2},
            "refinement": {"channels": 16, "layers": 1},
        }
    ),
    "asformer": ASFormerConfig(channels=8, encoder_layers=2, decoders=1, decoder_layers=2),
    "ms-tcn++": MSTCNConfig(channels=8, generator_layers=2, refinements=1, refinement_layers=2),
    "bcn": BCNConfig(
        channels=8, layers=2, fusion_channels=8, barrier=BarrierGeneratorConfig(channels=8, dilations=(1,))
    ),
}


def dropouts(config: BaseModel, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Paths of the fields of a configuration that are a dropout."""
    paths = []
    for name in type(config).model_fields:
        value = getattr(config, name)
        if isinstance(value, BaseModel):
            paths += dropouts(value, (*above, name))
        elif "dropout" in name:
            paths.append((*above, name))
    return paths


def with_only(config: BaseModel, path: tuple[str, ...] | None, rate: float) -> BaseModel:
    """The configuration with one dropout at `rate` and all others 0."""
    content: dict[str, Any] = config.model_dump()
    for place in dropouts(config):
        section = content
        for name in place[:-1]:
            section = section[name]
        section[place[-1]] = rate if place == path else 0.0
    return type(config).model_validate(content)


def rates(system: str, config: BaseModel) -> list[float]:
    """Rates of the dropout modules in the network of a configuration."""
    network = SYSTEMS[system].network(config, 5, 3)
    return [module.p for module in network.modules() if isinstance(module, torch.nn.modules.dropout._DropoutNd)]


@pytest.mark.parametrize(("system", "path"), [(system, p) for system, c in SMALL.items() for p in dropouts(c)])
def test_every_dropout_reaches_the_network(system: str, path: tuple[str, ...]) -> None:
    assert not any(rates(system, with_only(SMALL[system], None, 0.625)))
    assert any(rates(system, with_only(SMALL[system], path, 0.625)))


@pytest.mark.parametrize("training", [False, True])
def test_the_dropout_of_the_head_is_applied_in_training_only(training: bool) -> None:
    torch.manual_seed(0)
    head = KeypointHead(HeadConfig(dropout=0.5), 8, 3).train(training)
    x, mask = torch.randn(1, 8, 12), torch.ones(1, 12, dtype=torch.bool)
    same = [torch.equal(one, other) for one, other in zip(head(x, mask), head(x, mask), strict=True)]
    assert same == [not training] * 2
