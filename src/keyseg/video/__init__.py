"""Videos: decoding by time, feature extractors, and features of video files with a cache."""
