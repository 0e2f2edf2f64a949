"""A script that uses all of keyseg's public names: a test checks its types and runs it, and so does continuous
integration with the wheel. With `videos/` and `subtitles/` in the current folder it makes a data set of them."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np

import keyseg
from keyseg import Annotation, AnnotationOptions, Interval, KeysegError, LabelMap, Segment, Segmentation, TimeBase
from keyseg.toy.kitchen_features import write_toy_kitchen

SMALL = {"network.backbone": {"channels": 8, "encoder_layers": 2, "decoder_layers": 2}, "matching.fit": False}


def data_set() -> Path:
    if not Path("videos").is_dir():
        return write_toy_kitchen(Path("data"), videos=6, test_videos=2)
    keyseg.features(["videos", Path("new.mp4")], out="features", fps=10, workers=1)
    options = AnnotationOptions(tier=("actions",))
    return keyseg.init("data", videos="videos", annotations=["subtitles"], fps=10, options=options).root


def model(data: Path) -> keyseg.Predictor:
    first = keyseg.train(data, out="runs/first", splits=(1,), epochs=1, set={**SMALL, "optimiser.learning_rate": 0.001})
    score: float = keyseg.evaluate(first).f1[0.5]
    again = keyseg.train(data, out="runs/again", epochs=1, start=first.folder, set=["matching.fit=false"], final=True)
    print(first.summary["last_epoch"], score, keyseg.compare(first, "runs/again").difference["acc"])
    shared: str = keyseg.push(again.folder, "./shared")
    print(shared)
    return first.predictor(split=1, seed=0)


def timeline(predictor: keyseg.Predictor, video: Path) -> keyseg.Prediction:
    prediction = predictor.predict(video, device="cpu", batch=4)
    first: Segment = prediction.segmentation[0]
    rest: tuple[Segment, ...] = prediction.segmentation[1:]
    for segment in prediction.segments:
        print(segment.label, float(segment.start_seconds), float(segment.end_seconds), segment.score)
    prediction.plot("new.png").savefig("again.png")
    print(first.length, len(rest), prediction.confidence[0], prediction.to_pandas(), prediction.to_pyannote())
    features = np.zeros((50, predictor.input_dim))
    return keyseg.load("runs/again", device="cpu").predict(features, frames=50)


def files(prediction: keyseg.Prediction) -> keyseg.Report:
    path: Path = keyseg.write(prediction, "new.eaf")
    read: dict[str, Annotation] = keyseg.read(path, fps="30000/1001", background=["rest"])
    keyseg.write(read, "all.csv", format="csv", fps=25)
    keyseg.write({"new": prediction}, "predicted/new.csv")
    prediction.save("annotations/new.vtt")
    keyseg.write(Annotation("tea", (Interval(Fraction(0), Fraction(1), "pour"),)), "tea.vtt")
    keyseg.evaluate({"tea": ["pour"]}, {"tea": ["pour"]}, bootstrap=100)
    assert keyseg.evaluate({"new": prediction}, read).acc > 90
    return keyseg.evaluate("annotations", Path("predicted"), background=(), fps=15)


def main() -> None:
    data = data_set()
    found = timeline(model(data), next(Path().glob("new.mp4"), data / "features" / "tea_004.npy"))
    assert math.isclose(files(found).acc, 100)
    labels, time = LabelMap(("rest", "pour"), ("rest",)), TimeBase(Fraction(30))
    tea: Segmentation = keyseg.reassemble([(10, 0, 0.9), (30, 1, 0.8)], [(20, 0.7)], 40)
    print(labels.decode(tea.to_frames()), time.start_seconds(tea.length), keyseg.__version__)
    for wrong in (lambda: keyseg.tune(data, out="tuning", model="none"), lambda: keyseg.pull("./shared", "pulled")):
        try:
            print(wrong())
        except KeysegError as error:
            print(error)


if __name__ == "__main__":
    main()
