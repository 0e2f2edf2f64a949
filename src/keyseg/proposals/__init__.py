"""Timelines of videos that nobody has labelled, without training: change points and clusters of features."""
