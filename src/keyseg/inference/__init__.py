"""Trained networks at work: the table of systems, bundles, prediction, decoding."""

from keyseg.inference.bundle import find_bundle, load, save_bundle
from keyseg.inference.predictor import KeypointPrediction, Prediction, Predictor
from keyseg.inference.systems import SYSTEMS, System

__all__ = [
    "KeypointPrediction",
    "Prediction",
    "Predictor",
    "SYSTEMS",
    "System",
    "find_bundle",
    "load",
    "save_bundle",
]
