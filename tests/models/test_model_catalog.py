"""The systems by name: every config builds its own network, and nothing else is built."""

import pytest
import torch

from keyseg.models.asformer import ASFormer
from keyseg.models.backbone import BackboneConfig
from keyseg.models.bcn import BCN
from keyseg.models.catalog import CONFIGS, TITLES, build
from keyseg.models.ms_tcn import MSTCN
from keyseg.models.rtk import RTK

NETWORKS = {"rtk": RTK, "ms-tcn++": MSTCN, "asformer": ASFormer, "asformer-extra": ASFormer, "bcn": BCN}


@pytest.mark.parametrize("system", CONFIGS)
def test_a_config_builds_the_network_of_its_system(system):
    config = CONFIGS[system]()
    with torch.device("meta"):  # the published sizes, without their weights
        network = build(config, 7, 4)
        result = network(torch.ones(2, 7, 9), torch.ones(2, 9, dtype=torch.bool))
    assert type(network) is NETWORKS[system]
    assert network.config == config
    stages = result.frame_logits if system == "rtk" else result.stages
    assert stages.shape[1:] == (2, 4, 9)
    if system != "rtk":
        assert stages.shape[0] == 4
        assert result.probabilities.shape == (2, 4, 9)


def test_every_system_has_a_config_of_its_own_and_a_title():
    assert list(CONFIGS) == list(TITLES) == list(NETWORKS)
    assert len(set(CONFIGS.values())) == len(CONFIGS)
    assert len(set(TITLES.values())) == len(TITLES)


def test_defaults_can_be_made_from_nothing_and_survive_json():
    for config in CONFIGS.values():
        assert config.model_validate_json(config().model_dump_json()) == config()


@pytest.mark.parametrize("config", [BackboneConfig(), {"channels": 8}, None], ids=lambda c: type(c).__name__)
def test_another_type_is_refused(config):
    with pytest.raises(TypeError, match=f"no network has a config of type {type(config).__name__}"):
        build(config, 5, 3)
