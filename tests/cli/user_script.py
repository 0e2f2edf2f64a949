"""A script that uses all of keyseg's public names; a test checks its types, nothing runs it."""

from fractions import Fraction
from pathlib import Path

import numpy as np

import keyseg
from keyseg import Annotation, AnnotationOptions, Interval, KeysegError, LabelMap, Segment, Segmentation, TimeBase


def data_set() -> Path:
    keyseg.features(["videos", Path("more")], out="features", fps=29.97, workers=2)
    made = keyseg.init("data", videos="videos", annotations=["sheets"], fps=10, options=AnnotationOptions(tier=("a",)))
    return made.root


def model() -> keyseg.Predictor:
    run = keyseg.train(data_set(), out="runs/mine", splits=(1, 2), set={"optimiser.learning_rate": 0.001})
    score: float = keyseg.evaluate(run).f1[0.5]
    print(run.summary["last_epoch"], score)
    return run.predictor(split=1, seed=0)


def timeline(predictor: keyseg.Predictor) -> keyseg.Prediction:
    prediction = predictor.predict("new.mp4", device="cpu", batch=4)
    first: Segment = prediction.segmentation[0]
    rest: tuple[Segment, ...] = prediction.segmentation[1:]
    for segment in prediction.segments:
        print(segment.label, float(segment.start_seconds), float(segment.end_seconds), segment.score)
    prediction.plot("new.png").savefig("again.png")
    print(first.length, len(rest), prediction.confidence[0], prediction.to_pandas(), prediction.to_pyannote())
    return keyseg.load("runs/mine", device="cpu").predict(np.zeros((50, 16)), frames=50)


def files(prediction: keyseg.Prediction) -> keyseg.Report:
    path: Path = keyseg.write(prediction, "new.eaf", force=True)
    read: dict[str, Annotation] = keyseg.read(path, fps="30000/1001", background=["rest"])
    keyseg.write(read, "all.csv", format="csv", fps=25)
    keyseg.write({"new": prediction}, "one.csv")
    keyseg.write(Annotation("tea", (Interval(Fraction(0), Fraction(1), "pour"),)), "tea.vtt")
    keyseg.evaluate(read, {"new": prediction})
    keyseg.evaluate({"tea": ["pour"]}, {"tea": ["pour"]}, bootstrap=100)
    return keyseg.evaluate("annotations", Path("predictions"), background=())


try:
    print(files(timeline(model())))
    labels, time = LabelMap(("rest", "pour"), ("rest",)), TimeBase(Fraction(30))
    tea: Segmentation = keyseg.reassemble([(10, 0, 0.9), (30, 1, 0.8)], [(20, 0.7)], 40)
    print(labels.decode(tea.to_frames()), time.start_seconds(tea.length), keyseg.__version__)
except KeysegError as error:
    print(error)
