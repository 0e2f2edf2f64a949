"""What networks learn from: losses of frames, keypoints and matching."""
