"""Trained networks at work: bundles, prediction, decoding."""

from keyseg.inference.bundle import find_bundle, load_bundle, save_bundle
from keyseg.inference.decoding import ProposalConfig, Reading, Rules, decode, propose
from keyseg.inference.predictor import VARIANTS, Prediction, Predictor, Variant

__all__ = [
    "Prediction",
    "Predictor",
    "ProposalConfig",
    "Reading",
    "Rules",
    "VARIANTS",
    "Variant",
    "decode",
    "find_bundle",
    "load_bundle",
    "propose",
    "save_bundle",
]
