"""Draw the timeline of the README: a test video of the toy kitchen, from the folder that `keyseg demo` leaves.

See README.md in this folder.
"""

import sys
from pathlib import Path

import keyseg
from keyseg.data.dataset import Dataset
from keyseg.training.frame_classifier import classify_frames
from keyseg.video.reading import read_key_frames
from keyseg.viz import plot_timelines, save_figure

VIDEO, KEY_FRAMES = "pancakes_031", 8


def main(demo: Path, out: Path) -> None:
    """Ground truth, RTK and the classifier of single frames as bars, below key frames at even times."""
    dataset = Dataset.open(demo / "toy-kitchen", sample_rate=2)  # as the recipe of the demo reads it
    truth, timebase = dataset.annotation(VIDEO), dataset.timebase
    predictor = keyseg.load(demo / "run/split1/seed0/bundle")
    rtk = predictor.predict(demo / f"toy-kitchen/features/{VIDEO}.npy").segmentation
    rows = [("ground truth", truth), ("RTK", rtk), ("single frames", classify_frames(dataset, 1)[VIDEO])]
    frames = [(2 * i + 1) * truth.length // (2 * KEY_FRAMES) for i in range(KEY_FRAMES)]
    times = [float(timebase.start_seconds(frame)) for frame in frames]
    images = [image for _, image in read_key_frames(demo / f"toy-kitchen/videos/{VIDEO}.mp4", times)]
    key_frames = list(zip(frames, images, strict=True))
    print(save_figure(plot_timelines(rows, dataset.labels, timebase, key_frames=key_frames), out, force=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
