"""Trained networks at work: the table of systems, bundles, prediction, decoding."""
