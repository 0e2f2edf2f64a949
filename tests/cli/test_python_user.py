"""Everything from Python, as a user types it: a data set, a model, timelines, scores; and the types of all of it."""

from __future__ import annotations

import inspect
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import keyseg
from keyseg.timeline import ConfigError, DataError
from keyseg.training.run import read_run
from moving_square import pictures

TINY = {
    "network": {
        "backbone": {"channels": 8, "encoder_layers": 2, "decoder_layers": 2},
        "refinement": {"channels": 16, "layers": 1},
    },
    "optimiser.epochs": 2,
    "matching.join_epoch": 1,
}
SCRIPT = Path(__file__).with_name("user_script.py")


def six_lines(data: str, settings: dict[str, Any]) -> Any:
    """What the documentation promises: from a data set to a picture in at most six lines."""
    # fmt: off
    import keyseg
    run = keyseg.train(data, out="runs/mine", set=settings)
    prediction = run.predictor().predict("new.mp4")
    prediction.plot("new.png")
    # fmt: on
    return run, prediction


def test_six_lines_are_enough() -> None:
    code = inspect.getsource(six_lines).split("# fmt: off\n")[1].split("# fmt: on")[0]
    assert len(code.strip().splitlines()) <= 6


@pytest.fixture
def user_folder(make_clip: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with videos/, subtitles/ and new.mp4; features are cached in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("keyseg.video.extraction.cache_folder", lambda: tmp_path / "cache")
    (tmp_path / "subtitles").mkdir()
    for i, name in enumerate(("ann", "bob", "cat", "dan")):
        make_clip(tmp_path / "videos" / f"{name}.mp4", pictures(i))
        cues = "00:00:00.800 --> 00:00:02.000\ngo right\n\n00:00:02.600 --> 00:00:03.800\ngo left\n"
        (tmp_path / "subtitles" / f"{name}.vtt").write_text(f"WEBVTT\n\n{cues}")
    make_clip(tmp_path / "new.mp4", pictures(5))
    return tmp_path


def test_from_videos_to_a_picture_of_a_new_one(user_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = keyseg.init("data", videos="videos", annotations="subtitles", fps=10)
    assert (made.videos, made.fps) == (4, 10)
    run, prediction = six_lines("data", TINY)
    assert (user_folder / "new.png").stat().st_size
    assert (prediction.name, prediction.media) == ("new", str(user_folder / "new.mp4"))
    assert (prediction.segmentation.length, prediction.notes) == (46, ())
    assert tuple(capfd.readouterr()) == ("", "")  # Python users get results, not progress

    assert repr(run) == str(run) == "Run(runs/mine: rtk on data, split 1, seed 0)"
    assert repr(run.model_copy(update={"splits": (), "final": True})).endswith("on data, seed 0, final)")
    assert run.summary == read_run(Path("runs/mine")).summary
    assert run.recipe.network.backbone.channels == 8
    report = keyseg.evaluate(run)
    assert report.to_json()["f1@50"] == run.summary["by_split"]["rtk"]["split1/seed0"]["f1@50"]
    assert keyseg.evaluate("runs/mine") == report

    out = keyseg.features("new.mp4", out="features", fps="10")
    assert (out.written, out.failed) == ({Path("new.mp4"): Path("features/new.npy")}, {})
    again = keyseg.load("runs/mine").predict("features/new.npy")
    assert again.segmentation == prediction.segmentation
    assert prediction.save("new.eaf") == Path("new.eaf")
    assert keyseg.read("new.eaf")["new"].media == prediction.media
    truth = keyseg.read("subtitles/ann.vtt")
    scores = keyseg.evaluate({"new": truth["ann"]}, {"new": prediction})
    assert scores == keyseg.evaluate("subtitles/ann.vtt", prediction.save("new.json"))
    assert scores.frames == 46


def test_a_damaged_video_is_noted(user_folder: Path, trained: Path) -> None:
    keyseg.init("data", videos="videos", annotations="subtitles", fps=10)
    predictor = keyseg.train("data", out="run", set=TINY).predictor()
    content = (user_folder / "new.mp4").read_bytes()
    (user_folder / "new.mp4").write_bytes(
        content[: len(content) // 2] + bytes(600) + content[len(content) // 2 + 600 :]
    )
    try:
        predictor.predict("new.mp4")
    except DataError:
        noted = predictor.predict("new.mp4", damaged=True)
        assert noted.notes[0].startswith("damaged from ")
        assert "note: damaged from " in repr(noted)


def test_a_run_of_several_trainings_asks_which(kitchen: Path, tmp_path: Path) -> None:
    run = keyseg.train(str(kitchen), out=tmp_path / "run", seeds=(0, 1), set=TINY)
    with pytest.raises(ConfigError, match=r"2 trainings of any split and seed; choose .*: split1/seed0, split1/seed1$"):
        run.predictor()
    with pytest.raises(ConfigError, match="0 trainings of split 2 and seed 1; choose"):
        run.predictor(split=2, seed=1)
    one, other = (run.predictor(seed=seed).model.state_dict() for seed in (0, 1))
    assert any(not torch.equal(one[name], other[name]) for name in one)
    report = keyseg.evaluate(run)
    assert list(report.trainings) == ["split1/seed0", "split1/seed1"]
    assert report._repr_html_().count("<tr>") == 4
    assert report.acc == pytest.approx(np.mean([part.acc for part in report.trainings.values()]))


def test_settings_as_words_or_as_a_mapping(kitchen: Path, tmp_path: Path) -> None:
    for settings in ({"optimiser.epochs": "x"}, {"optimiser": {"epochs": "x"}}, ["optimiser.epochs=x"]):
        with pytest.raises(ConfigError, match=r"'optimiser\.epochs': .*integer"):
            keyseg.train(kitchen, out=tmp_path / "run", set=settings)
    with pytest.raises(ConfigError, match=r"unknown key 'optimiser\.epoch' \(did you mean 'epochs'\?\)"):
        keyseg.train(kitchen, out=tmp_path / "run", set={"optimiser": {"epoch": 3}})
    assert not (tmp_path / "run").exists()


def test_what_evaluate_does_not_take(tmp_path: Path) -> None:
    labels = {"tea": ["take", "pour"]}
    cases: list[tuple[tuple[Any, ...], str]] = [
        ((labels,), "expected a run or its folder, or predictions and ref; got one dict"),
        ((labels, 3), "expected a file, a folder, or a mapping from videos to .*; got int"),
        ((labels, tmp_path), "labels per frame are scored against labels per frame"),
    ]
    for arguments, words in cases:
        with pytest.raises(ConfigError, match=words):
            keyseg.evaluate(*arguments)
    for needless in ({"fps": 25}, {"bootstrap": 100}):
        with pytest.raises(ConfigError, match="fps and bootstrap go with predictions"):
            keyseg.evaluate(tmp_path, **needless)
    with pytest.raises(DataError, match="nowhere: no run here"):
        keyseg.evaluate(tmp_path / "nowhere")


def test_several_timelines_in_one_file(tmp_path: Path) -> None:
    tea = keyseg.Annotation("tea", (keyseg.Interval(1, 3, "pour"), keyseg.Interval(4, 5, "stir")))
    both = {"tea": tea, "coffee": keyseg.Annotation("coffee", (keyseg.Interval(0, 2, "grind"),))}
    path = keyseg.write(both, tmp_path / "both.csv", fps=10)
    assert {
        name: one.actions().intervals for name, one in keyseg.read(str(path), background=["background"]).items()
    } == {name: one.intervals for name, one in both.items()}
    for name, one in both.items():
        keyseg.write(one, tmp_path / "all" / f"{name}.vtt")
    assert {name: one.intervals for name, one in keyseg.read(tmp_path / "all").items()} == {
        name: one.intervals for name, one in both.items()
    }
    (tmp_path / "all" / "tea.srt").write_text("1\n00:00:00,500 --> 00:00:02,000\na\n")
    with pytest.raises(DataError, match="two timelines in it are called 'tea'; read one file at a time"):
        keyseg.read(tmp_path / "all")
    with pytest.raises(ConfigError, match=r"expected an Annotation, a Prediction, or a mapping .* got int"):
        keyseg.write(3, tmp_path / "x.csv")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="a file of vtt holds one video, got 2"):
        keyseg.write(both, tmp_path / "both.vtt")


def test_a_users_script_runs(user_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("pyannote.core")
    runpy.run_path(str(SCRIPT), run_name="__main__")
    *_, tuning, pulling = capsys.readouterr().out.splitlines()
    assert "none" in tuning
    assert "got './shared'" in pulling


@pytest.mark.slow
def test_a_users_script_is_well_typed(tmp_path: Path) -> None:
    mypy = pytest.importorskip("mypy.api")
    source = Path(keyseg.__file__).parents[1]
    config = tmp_path / "mypy.ini"
    skipped = "".join(f"[mypy-{name}.*]\nfollow_imports = skip\n" for name in ("torch", "lightning", "scipy", "pandas"))
    config.write_text(f"[mypy]\nstrict = True\nmypy_path = {source}\nfollow_imports = silent\n{skipped}")
    out, err, code = mypy.run(["--config-file", str(config), "--cache-dir", str(tmp_path / "cache"), str(SCRIPT)])
    assert (code, err) == (0, ""), out
