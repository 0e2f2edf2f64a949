"""The two tables of systems: every name has its network, decoder, recipe and titles."""

import pytest
import torch

from keyseg.inference.systems import SYSTEMS, system_named, variant_title
from keyseg.models.asformer import ASFormer
from keyseg.models.bcn import BCN
from keyseg.models.ms_tcn import MSTCN
from keyseg.models.rtk import RTK
from keyseg.timeline import ConfigError
from keyseg.training.systems import TRAINABLE

NETWORKS = {"rtk": RTK, "ms-tcn++": MSTCN, "asformer": ASFormer, "asformer-extra": ASFormer, "bcn": BCN}


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_builds_its_network(system):
    config = SYSTEMS[system].config()
    with torch.device("meta"):  # the published sizes, without their weights
        network = SYSTEMS[system].network(config, 7, 4)
        output = network(torch.ones(2, 7, 9), torch.ones(2, 9, dtype=torch.bool))
    assert type(network) is NETWORKS[system]
    assert (network.config, network.input_dim, network.classes) == (config, 7, 4)
    stages = output.frame_logits if system == "rtk" else output.stages
    assert stages.shape[1:] == (2, 4, 9)
    if system != "rtk":
        assert stages.shape[0] == 4
        assert output.probabilities.shape == (2, 4, 9)


def test_every_system_has_a_config_a_title_and_a_recipe():
    assert set(SYSTEMS) == set(TRAINABLE) == set(NETWORKS)
    assert all(SYSTEMS[name].name == name for name in SYSTEMS)
    assert len({system.config for system in SYSTEMS.values()}) == len(SYSTEMS)
    titles = [title for system in SYSTEMS.values() for title in system.titles.values()]
    assert len(set(titles)) == len(titles) == 8
    assert variant_title("rtk-no-refinement") == "RTK without refinement"
    for name, system in SYSTEMS.items():
        assert type(TRAINABLE[name].recipe().network) is system.config
        assert isinstance(TRAINABLE[name].recipe().decoder(), system.decoder)


def test_defaults_can_be_made_from_nothing_and_survive_json():
    for system in SYSTEMS.values():
        assert system.config.model_validate_json(system.config().model_dump_json()) == system.config()


def test_an_unknown_system_is_named_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"no system 'asfomer' \(did you mean 'asformer'\?\); known: ms-tcn"):
        system_named("asfomer")
