"""Training losses of frames, keypoints and matching."""
