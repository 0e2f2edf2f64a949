"""What all networks have in common."""

import pytest

from keyseg.models.asformer import ASFormer, ASFormerConfig
from keyseg.models.bcn import BCN, BCNConfig
from keyseg.models.ms_tcn import MSTCN, MSTCNConfig
from keyseg.models.rtk import RTK, RTKConfig


@pytest.mark.parametrize(
    ("network", "config"),
    [
        (ASFormer, ASFormerConfig(channels=8)),
        (BCN, BCNConfig(channels=8)),
        (MSTCN, MSTCNConfig(channels=8)),
        (RTK, RTKConfig()),
    ],
)
def test_a_network_names_its_config_its_feature_channels_and_its_classes(network, config):
    model = network(config, 6, 4)
    assert (model.config, model.input_dim, model.classes) == (config, 6, 4)
