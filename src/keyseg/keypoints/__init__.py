"""Action and boundary keypoints: encoding as heatmaps, decoding of peaks, evidence for classes, re-assembly."""

from keyseg.keypoints.evidence import EvidenceWeights, weigh_evidence
from keyseg.keypoints.peaks import decode_actions, decode_boundaries
from keyseg.keypoints.points import ActionKeypoints, BoundaryKeypoints
from keyseg.keypoints.reassembly import Assembly, assemble, reassemble
from keyseg.keypoints.steps import Step, example_keypoints, reassembly_steps
from keyseg.keypoints.targets import Heatmaps, encode

__all__ = [
    "ActionKeypoints",
    "Assembly",
    "BoundaryKeypoints",
    "EvidenceWeights",
    "Heatmaps",
    "Step",
    "assemble",
    "decode_actions",
    "decode_boundaries",
    "encode",
    "example_keypoints",
    "reassemble",
    "reassembly_steps",
    "weigh_evidence",
]
