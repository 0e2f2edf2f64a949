"""Temporal keypoint graphs and their matching to the annotation's graph (supplement, section A)."""
