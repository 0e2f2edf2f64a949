"""What all networks have in common."""

from dataclasses import fields

import pytest
import torch

from keyseg.models.asformer import ASFormer, ASFormerConfig, ASFormerExtraConfig
from keyseg.models.bcn import BCN, BCNConfig
from keyseg.models.ms_tcn import MSTCN, MSTCNConfig
from keyseg.models.rtk import RTK, RTKConfig

all_networks = pytest.mark.parametrize(
    ("network", "config"),
    [
        (ASFormer, ASFormerConfig(channels=8)),
        (ASFormer, ASFormerExtraConfig(channels=8, window="banded")),
        (BCN, BCNConfig(channels=8)),
        (MSTCN, MSTCNConfig(channels=8)),
        (RTK, RTKConfig()),
    ],
)


@all_networks
def test_a_network_names_its_config_its_feature_channels_and_its_classes(network, config):
    model = network(config, 6, 4)
    assert (model.config, model.input_dim, model.classes) == (config, 6, 4)


@all_networks
@pytest.mark.parametrize("length", [1, 2, 37])
def test_no_mask_says_that_all_steps_exist(network, config, length):
    """Outputs and gradients, in doubles; batches without padding, and predictions, go without a mask."""
    torch.manual_seed(1)
    model = network(config, 6, 4).double()
    features = torch.randn(2, 6, length, dtype=torch.float64)
    results, gradients = [], []
    for mask in (None, torch.ones(2, length, dtype=torch.bool)):
        torch.manual_seed(2)  # of the dropout
        output = model(features) if mask is None else model(features, mask)
        results.append([getattr(output, field.name) for field in fields(output)])
        sum(tensor.square().sum() for tensor in results[-1] if tensor.dtype.is_floating_point).backward()
        gradients.append([weight.grad for weight in model.parameters()])
        model.zero_grad()
    torch.testing.assert_close(*results)
    torch.testing.assert_close(*gradients)
