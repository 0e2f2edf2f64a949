"""Temporal action segmentation: untrimmed videos in, timelines of labelled actions out.

**Your own videos.** `init` makes a data set of videos and annotations, `train` a model, and `predict` a timeline. They
have the names and options of the verbs of the command line, take paths as text or `pathlib.Path`, and print nothing.

    keyseg.init("data", videos="videos", annotations="annotations")
    run = keyseg.train("data", out="runs/mine", splits=())
    keyseg.load("runs/mine/split1/seed0/bundle").predict("new.mp4").save("new.eaf")

Here the data set is a toy kitchen, which has features and no videos:

>>> import keyseg, pathlib
>>> from keyseg.toy.kitchen_features import write_toy_kitchen
>>> data = write_toy_kitchen(pathlib.Path("kitchen"), videos=6, test_videos=2)

**Train, predict, plot.** A `Run` has a `summary` of its scores and a `predictor`; a prediction has `segments`,
`confidence`, `save`, `plot`, `to_pandas` and `to_pyannote`. A notebook shows it as a timeline.

>>> run = keyseg.train("kitchen", out="runs/kitchen", epochs=1, set={"matching.fit": False})
>>> prediction = run.predictor().predict("kitchen/features/tea_004.npy")
>>> prediction.segmentation.length, len(prediction.segments) == len(prediction.confidence)
(187, True)
>>> figure = prediction.plot("timeline.png")

**Predict.** `load` reads the bundle that a training left. `Predictor.predict` takes a video file, the features of one
as a `.npy` file, an array or a tensor.

>>> predictor = keyseg.load("runs/kitchen", device="cpu")
>>> predictor
Predictor(rtk, 16 classes, 24 channels at 15 fps)

**Files of other tools.** `read` and `write` know two dozen formats: ELAN, BORIS, Praat, subtitles, tables and more.

>>> path = keyseg.write(prediction, "timeline.csv")
>>> keyseg.read(path)["tea_004"].fps
Fraction(15, 1)

**Scores.** `evaluate` compares labels in memory, files or folders of any format, or scores a run again.

>>> report = keyseg.evaluate({"tea": ["take", "pour"]}, {"tea": ["take", "take"]})
>>> report.acc
50.0

**Vocabulary.** A `Segmentation` is `Segment`s that tile a video, in frames, whose classes a `LabelMap` names and whose
times a `TimeBase` knows. An `Annotation` is `Interval`s in exact seconds, with gaps and overlaps. `reassemble` is
Algorithm 1 of the paper. Every error is a `KeysegError`, which says what to do.

The names are listed in `__init__.pyi` and loaded when they are first used, so `import keyseg` costs nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
