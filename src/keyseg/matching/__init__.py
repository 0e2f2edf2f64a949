"""Temporal keypoint graphs and their matching to the annotation's graph (supplement, section A)."""

from keyseg.matching.affinity import EXCLUDED, apply_affinity, edge_affinity, edge_support, node_affinity
from keyseg.matching.assignment import Assignment, assign
from keyseg.matching.gcn import GraphConvolution
from keyseg.matching.graph import (
    ACTION,
    BOUNDARY,
    EDGE_FEATURES,
    TemporalEdges,
    TemporalGraph,
    edge_features,
    edge_list,
    gather_neighbours,
    temporal_edges,
    temporal_neighbours,
)
from keyseg.matching.matcher import GraphMatcher, Matching
from keyseg.matching.quadratic import quadratic_scores
from keyseg.matching.sinkhorn import log_sinkhorn

__all__ = [
    "ACTION",
    "BOUNDARY",
    "EDGE_FEATURES",
    "EXCLUDED",
    "Assignment",
    "GraphConvolution",
    "GraphMatcher",
    "Matching",
    "TemporalEdges",
    "TemporalGraph",
    "apply_affinity",
    "assign",
    "edge_affinity",
    "edge_features",
    "edge_list",
    "edge_support",
    "gather_neighbours",
    "log_sinkhorn",
    "node_affinity",
    "quadratic_scores",
    "temporal_edges",
    "temporal_neighbours",
]
