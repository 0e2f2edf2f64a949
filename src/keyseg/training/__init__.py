"""Recipes, runs, trainings, calibration and results."""
