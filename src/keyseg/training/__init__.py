"""Recipes, runs, training, calibration and results."""
