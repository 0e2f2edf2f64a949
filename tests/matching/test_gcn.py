"""Graph convolution: equal to PyTorch Geometric's GCNConv, independent of padding, by hand on two nodes."""

import pytest
import torch

from keyseg.matching.gcn import GraphConvolution, weighted_neighbours
from keyseg.matching.graph import temporal_neighbours


@pytest.mark.parametrize(("counts", "k"), [([7, 3, 1, 0], 2), ([11], 4), ([2, 5], 7)])
def test_equals_torch_geometric(random_graph, edge_list, counts, k):
    pytest.importorskip("torch_geometric")
    from torch_geometric.nn import GCNConv

    graph = random_graph(counts, max(counts) + 1)
    index, valid = temporal_neighbours(graph.mask, k)
    layer, oracle = GraphConvolution(5, 3), GCNConv(5, 3)
    with torch.no_grad():
        layer.bias.normal_()
        oracle.lin.weight.copy_(layer.weight.T)
        oracle.bias.copy_(layer.bias)
        expected = oracle(graph.nodes.flatten(0, 1), edge_list(index, valid)).view(len(counts), -1, 3)
        out = layer(graph.nodes, *weighted_neighbours(index, valid))
    torch.testing.assert_close(out[graph.mask], expected[graph.mask], atol=1e-5, rtol=1e-5)


def test_two_nodes_by_hand():
    layer = GraphConvolution(1, 1)
    with torch.no_grad():
        layer.weight.fill_(3)
        layer.bias.fill_(1)
    mask = torch.ones(1, 2, dtype=torch.bool)
    out = layer(torch.tensor([[[5.0], [7.0]]]), *weighted_neighbours(*temporal_neighbours(mask, 1)))
    torch.testing.assert_close(out, torch.full((1, 2, 1), (5 + 7) * 3 / 2 + 1))  # both degrees are 2


def test_padding_never_changes_a_result(random_graph):
    layer = GraphConvolution(5, 3)
    graph = random_graph([6, 2, 0], 9)
    index, valid = temporal_neighbours(graph.mask, 2)
    batch = layer(graph.nodes, *weighted_neighbours(index, valid))
    for b, count in enumerate([6, 2, 0]):
        mask = graph.mask[b : b + 1, :count]
        single = layer(graph.nodes[b : b + 1, :count], *weighted_neighbours(*temporal_neighbours(mask, 2)))
        torch.testing.assert_close(batch[b : b + 1, :count], single, atol=1e-6, rtol=0)


def test_gradients_stay_inside_the_neighbourhood(random_graph):
    graph = random_graph([6], 8)
    nodes = graph.nodes.clone().requires_grad_()
    index, valid = temporal_neighbours(graph.mask, 2)
    GraphConvolution(5, 3)(nodes, *weighted_neighbours(index, valid))[0, 1].sum().backward()
    reached = nodes.grad[0].abs().sum(1) > 0
    assert reached.tolist() == [True, True, True, True, False, False, False, False]


def test_padding_never_reaches_the_gradient(random_graph):
    graph = random_graph([4, 0], 6)
    layer, index, valid = GraphConvolution(5, 3), *temporal_neighbours(graph.mask, 2)
    gradients = []
    for filling in (0.0, 100.0):
        layer.zero_grad()
        layer(graph.nodes.nan_to_num(filling), *weighted_neighbours(index, valid))[graph.mask].sum().backward()
        gradients.append(layer.weight.grad.clone())
    assert gradients[0].abs().min() > 0
    assert torch.equal(*gradients)
    assert layer.bias.grad.tolist() == [4.0] * 3
