"""Trained networks at work: bundles, prediction, decoding."""

from keyseg.inference.bundle import find_bundle, load, save_bundle
from keyseg.inference.decoders import VARIANTS, FrameDecoder, KeypointDecoder, variants_of
from keyseg.inference.decoding import FrameReading, ProposalConfig, Reading, Rules, decode, propose
from keyseg.inference.predictor import KeypointPrediction, Prediction, Predictor

__all__ = [
    "FrameDecoder",
    "FrameReading",
    "KeypointDecoder",
    "KeypointPrediction",
    "Prediction",
    "Predictor",
    "ProposalConfig",
    "Reading",
    "Rules",
    "VARIANTS",
    "decode",
    "find_bundle",
    "load",
    "propose",
    "save_bundle",
    "variants_of",
]
