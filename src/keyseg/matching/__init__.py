"""Temporal keypoint graphs: matched to the annotations of other videos in prediction (`alignment`), and in training to
the video's own (supplement, section A)."""
