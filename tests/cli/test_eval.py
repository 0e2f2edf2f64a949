"""keyseg eval: scores of folders and of runs, and what cannot be scored."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from keyseg.formats import FORMATS, annotations_text
from keyseg.formats.format import WriteSettings
from keyseg.formats.frame_labels import read_frame_labels
from keyseg.metrics import OVERLAPS, evaluate_labels
from keyseg.timeline import Annotation, Interval
from keyseg.timeline.files import write_content

SCORES = ["acc", "edit", "f1@10", "f1@25", "f1@50", "videos", "frames"]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Annotations of three videos, and predictions of two of them: one label per line, and a recog file."""
    ref, pred = tmp_path / "ref", tmp_path / "pred"
    ref.mkdir()
    pred.mkdir()
    labels = {"a": "background cut idle pour pour idle", "b": "cut cut cut pour idle idle", "c": "pour pour"}
    for name, text in labels.items():
        (ref / f"{name}.txt").write_text("\n".join(text.split()) + "\n")
    (pred / "a.txt").write_text("background\ncut\ncut\npour\npour\npour\n")
    (pred / "b").write_text("### Frame level recognition: ###\ncut cut pour pour background idle\n")
    return ref, pred


def test_eval_of_folders_is_the_evaluator_with_json_as_its_only_output(folders: tuple[Path, Path], keyseg: Any) -> None:
    ref, pred = folders
    reference = {name: read_frame_labels(ref / f"{name}.txt") for name in "ab"}
    prediction = {"a": read_frame_labels(pred / "a.txt"), "b": read_frame_labels(pred / "b")}
    cases: dict[tuple[str, ...], tuple[str, ...]] = {
        (): ("background",),
        ("--background", "background", "idle"): ("background", "idle"),
        ("--background", "idle"): ("idle",),
        ("--background", "none"): (),
    }
    found = {}
    for arguments, background in cases.items():
        answer = keyseg("eval", "--ref", ref, "--pred", pred, "--json", *arguments)
        assert answer.code == 0
        scores = json.loads(answer.out)
        assert list(scores) == SCORES
        wanted = evaluate_labels(reference, prediction, background=background).to_json()
        assert scores == {key: wanted[key] for key in SCORES}
        assert answer.err == "note: 1 of 3 annotated videos have no prediction and are not scored\n"
        found[background] = scores["edit"], scores["f1@50"]
    assert len(set(found.values())) == 4  # so the background matters here
    assert (scores["videos"], scores["frames"]) == (2, 12)
    answer = keyseg("eval", "--ref", ref, "--pred", pred, "--json", "--details", "--protocol", "tcn")
    details = json.loads(answer.out)
    assert set(SCORES) | {"protocol", "background", "per_class", "per_video"} <= set(details)
    assert details["protocol"] == "tcn"
    assert set(details["per_video"]) == {"a", "b"}


def test_eval_of_folders_as_a_table(folders: tuple[Path, Path], keyseg: Any) -> None:
    ref, pred = folders
    answer = keyseg("eval", "--ref", ref, "--pred", pred, "--background", "background", "idle")
    header, row, note = answer.out.splitlines()
    assert header.split() == ["f1@10", "f1@25", "f1@50", "edit", "acc", "videos", "frames"]
    wanted = json.loads(
        keyseg("eval", "--ref", ref, "--pred", pred, "--background", "background", "idle", "--json").out
    )
    assert [float(cell) for cell in row.split()] == [round(wanted[name], 2) for name in header.split()]
    assert note == "protocol ms-tcn; left out of edit and F1: background, idle"
    assert keyseg("eval", "--ref", ref, "--pred", pred, "--background", "none").out.endswith("and F1: none\n")


def test_eval_of_a_run_gives_the_scores_of_training(trained: Path, keyseg: Any) -> None:
    answer = keyseg("eval", trained, "--json")
    assert (answer.code, answer.err) == (0, "")
    scores = json.loads(answer.out)
    assert list(scores) == SCORES
    said = json.loads((trained / "split1/seed0/scores.json").read_text())["rtk"]
    assert scores == {key: said[key] for key in SCORES}
    header = keyseg("eval", trained).out.splitlines()[0].split()
    assert sorted(header) == sorted(SCORES)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "give a run folder, or both --ref and --pred; see: keyseg eval --help"),
        (("--ref", "{ref}"), 2, "give a run folder, or both --ref and --pred"),
        (("--pred", "{pred}"), 2, "give a run folder, or both --ref and --pred"),
        (("{ref}", "--ref", "{ref}", "--pred", "{pred}"), 2, "give a run folder, or both --ref and --pred"),
        (
            ("{ref}", "--background", "idle"),
            2,
            "--background goes with --ref; a run has its own background classes\n",
        ),
        (("--ref", "{ref}", "--pred", "{pred}", "--protocol", "mstcn"), 2, "unknown protocol 'mstcn' (did you mean"),
        (("{ref}",), 1, "no run here; expected a folder that keyseg train --out made"),
        (
            ("--ref", "{ref}", "--pred", "nowhere"),
            1,
            "nowhere: no such folder; expected one label file per video",
        ),
        (("--ref", "{ref}", "--pred", "{empty}"), 1, "no predictions here; expected VIDEO.txt or VIDEO"),
        (("--ref", "{pred}", "--pred", "{ref}"), 1, "for c (1 in all)"),
    ],
)
def test_eval_of_what_cannot_be_scored(
    arguments: tuple[str, ...], code: int, words: str, folders: tuple[Path, Path], keyseg: Any, tmp_path: Path
) -> None:
    ref, pred = folders
    (tmp_path / "empty").mkdir()
    answer = keyseg("eval", *(word.format(ref=ref, pred=pred, empty=tmp_path / "empty") for word in arguments))
    assert (answer.code, answer.out) == (code, "")
    assert words in answer.err


def test_eval_of_predictions_of_another_length(folders: tuple[Path, Path], keyseg: Any) -> None:
    ref, pred = folders
    (pred / "c.txt").write_text("pour\n")
    answer = keyseg("eval", "--ref", ref, "--pred", pred)
    assert answer.code == 1
    assert "different numbers of frames (1): c (2 in the reference, 1 predicted)" in answer.err


# timelines of any format

GOLDEN = Path(__file__).parents[1] / "metrics" / "golden" / "random_pairs.json"
TRUTH = ((0, 1, "background"), (1, 3, "take_cup"), (3, 4, "pour"), (4, 5, "background"))
GUESS = ((0, 2, "background"), (2, 3, "take_cup"), (3, 5, "pour"))


def write(path: Path, form: str, actions: Any, fps: int = 10, video: str = "tea") -> Path:
    annotation = Annotation(video, tuple(Interval(*action) for action in actions), 5, fps, ("background",))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_content(path, annotations_text(form, [annotation], WriteSettings()))
    return path


def spread(actions: Any, fps: int) -> list[str]:
    return [label for start, end, label in actions for _ in range((end - start) * fps)]


def test_eval_of_label_folders_gives_the_golden_scores(keyseg: Any, tmp_path: Path) -> None:
    group = json.loads(GOLDEN.read_text())
    for kind, side in (("gt", "ref"), ("pred", "pred")):
        (tmp_path / side).mkdir()
        for name, video in group["videos"].items():
            labels = chain.from_iterable([label] * length for label, length in video[kind])
            (tmp_path / side / f"{name}.txt").write_text("".join(f"{label}\n" for label in labels))
    background = group["background"] or ["none"]
    answer = keyseg(
        "eval", "--ref", tmp_path / "ref", "--pred", tmp_path / "pred", "--json", "--background", *background
    )
    scores, expected = json.loads(answer.out), group["expected"]
    for overlap in OVERLAPS:
        number = f"{round(100 * overlap)}"
        assert scores[f"f1@{number}"] == pytest.approx(expected[f"f1_{number}"], rel=0, abs=1e-9)
    for name in ("acc", "edit", "videos", "frames"):
        assert scores[name] == pytest.approx(expected[name], rel=0, abs=1e-9)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("form_of_the_other_side", ["txt", "json", "eaf"])
def test_every_format_on_either_side_gives_the_scores_of_the_frames(
    form: str, form_of_the_other_side: str, keyseg: Any, tmp_path: Path
) -> None:
    wanted = evaluate_labels({"tea": spread(TRUTH, 10)}, {"tea": spread(GUESS, 10)}).to_json()
    sides = {"ref": TRUTH, "pred": GUESS}
    for special in sides:
        files = {
            side: write(tmp_path / special / side / f"tea{FORMATS[kind].suffix}", kind, actions)
            for side, actions in sides.items()
            for kind in [form if side == special else form_of_the_other_side]
        }
        for places in (files, {side: file.parent for side, file in files.items()}):
            answer = keyseg("eval", "--ref", places["ref"], "--pred", places["pred"], "--fps", 10, "--json")
            assert answer.code == 0, answer.err
            scores = json.loads(answer.out)
            if wanted["frames"] == scores["frames"]:
                assert scores == {key: wanted[key] for key in SCORES}
            else:  # neither format has the length of the video, so the gap at the end is not scored
                assert {"eaf"} <= {form, form_of_the_other_side}
                assert scores["frames"] == 50


def test_rates_of_both_sides_become_that_of_the_reference(keyseg: Any, tmp_path: Path) -> None:
    ref = write(tmp_path / "ref" / "tea.json", "json", TRUTH, fps=10)
    pred = write(tmp_path / "pred" / "tea.json", "json", GUESS, fps=25)
    answer = keyseg("eval", "--ref", ref, "--pred", pred, "--json")
    wanted = evaluate_labels({"tea": spread(TRUTH, 10)}, {"tea": spread(GUESS, 10)}).to_json()
    assert json.loads(answer.out) == {key: wanted[key] for key in SCORES}
    assert json.loads(keyseg("eval", "--ref", pred, "--pred", ref, "--json").out)["frames"] == 125
    # A picture of the coarser rate more or less is the same video.
    text = tmp_path / "short.txt"
    text.write_text("".join(f"{label}\n" for label in spread(GUESS, 25)[:-2]))
    answer = keyseg("eval", "--ref", ref, "--pred", text, "--fps", 25, "--json")
    assert {key: json.loads(answer.out)[key] for key in SCORES} == {key: wanted[key] for key in SCORES}
    text.write_text("".join(f"{label}\n" for label in spread(GUESS, 25)[:-10]))
    answer = keyseg("eval", "--ref", ref, "--pred", text, "--fps", 25, "--json")
    assert answer.code == 1
    assert "short.txt: ends at 4.60 s, and the other timeline of this video at 5.00 s" in answer.err


def test_labels_with_white_space_are_their_classes_and_gaps_are_background(keyseg: Any, tmp_path: Path) -> None:
    ref, pred = tmp_path / "tea.vtt", tmp_path / "tea.txt"
    ref.write_text("WEBVTT\n\n00:01.000 --> 00:03.000\ntake cup\n\n00:03.000 --> 00:04.000\npour\n")
    pred.write_text("".join(f"{label}\n" for label in spread(TRUTH, 10)))
    answer = keyseg("eval", "--ref", ref, "--pred", pred, "--fps", 10, "--json")
    assert json.loads(answer.out)["acc"] == 100
    assert f"note: {ref}: ends at 4.00 s, and the other timeline" not in answer.err  # a second is not worth a note
    pred.write_text("".join(f"{label}\n" for label in [*spread(TRUTH, 10), *["background"] * 5]))
    answer = keyseg("eval", "--ref", ref, "--pred", pred, "--fps", 10, "--json")
    assert (json.loads(answer.out)["acc"], json.loads(answer.out)["frames"]) == (100, 55)
    assert f"note: {ref}: ends at 4.00 s, and the other timeline of this video at 5.50 s" in answer.err


def test_background_that_a_file_names_is_left_out(keyseg: Any, tmp_path: Path) -> None:
    ref = tmp_path / "tea.json"
    text = write(ref, "json", TRUTH).read_text().replace("background", "idle").replace('"idle": [', '"background": [')
    ref.write_text(text)
    answer = keyseg(
        "eval", "--ref", ref, "--pred", write(tmp_path / "tea.eaf", "eaf", GUESS[1:]), "--json", "--details"
    )
    content = json.loads(answer.out)
    assert content["background"] == ["background", "idle"]
    assert content["acc"] == pytest.approx(60)  # of gaps too: those of the other file get the same name
    assert set(content["per_class"]) == {"idle", "take_cup", "pour"}


def test_a_file_of_several_videos_and_a_folder_match_by_name(keyseg: Any, tmp_path: Path) -> None:
    table = tmp_path / "all.csv"
    rows = [f"{video},{a},{b},{label}" for video in ("tea.mp4", "milk.mp4") for a, b, label in TRUTH]
    table.write_text("\n".join(["video,start_seconds,end_seconds,label", *rows]) + "\n")
    for kind in ("vtt", "csv", "eaf"):
        write(tmp_path / "pred" / f"tea.{kind}", kind, GUESS)
    answer = keyseg("eval", "--ref", table, "--pred", tmp_path / "pred", "--json")
    wanted = evaluate_labels({"tea": spread(TRUTH, 10)}, {"tea": spread(GUESS, 10)}).to_json()
    assert json.loads(answer.out) == {key: wanted[key] for key in SCORES}
    assert answer.err == "note: 1 of 2 annotated videos have no prediction and are not scored\n"
    write(tmp_path / "pred" / "tea.eaf", "eaf", TRUTH)  # corrected, and the others are old
    answer = keyseg("eval", "--ref", table, "--pred", tmp_path / "pred")
    assert answer.code == 1
    assert "are of one video and differ; move all but one of them elsewhere" in answer.err
    answer = keyseg("eval", "--ref", table, "--pred", write(tmp_path / "x.csv", "csv", GUESS, video="coffee"))
    assert answer.code == 1
    assert "for coffee (1 in all)" in answer.err


def test_files_of_one_prediction_are_one_whatever_their_format_says_of_the_end(keyseg: Any, tmp_path: Path) -> None:
    for kind in ("csv", "eaf", "vtt"):  # in two of them the background at the end is a gap
        write(tmp_path / "pred" / f"tea.{kind}", kind, TRUTH)
    corrected = write(tmp_path / "corrected" / "tea.eaf", "eaf", TRUTH)
    answer = keyseg("eval", "--ref", corrected.parent, "--pred", tmp_path / "pred", "--json")
    assert (answer.code, json.loads(answer.out)["f1@50"]) == (0, 100), answer.err


def test_single_files_belong_together_whatever_they_are_called(keyseg: Any, tmp_path: Path) -> None:
    ref, pred = write(tmp_path / "truth.eaf", "eaf", TRUTH), write(tmp_path / "mine.csv", "csv", GUESS)
    answer = keyseg("eval", "--ref", ref, "--pred", pred, "--json")
    assert answer.code == 0
    assert f"note: truth of {ref} is compared with tea of {pred}\n" in answer.err
    one, other = write(tmp_path / "one.csv", "csv", TRUTH, video="milk"), pred
    answer = keyseg("eval", "--ref", one, "--pred", other)
    assert (answer.code, answer.out) == (1, "")
    assert "no annotation in" in answer.err


def test_a_folder_of_label_files_is_read_for_these_alone(folders: tuple[Path, Path], keyseg: Any) -> None:
    ref, pred = folders
    before = keyseg("eval", "--ref", ref, "--pred", pred, "--json")
    write(pred / "a.eaf", "eaf", TRUTH)
    (ref / "README.txt").write_text("Who annotated what, and when.\n")
    (pred / "a.scores.npz").write_bytes(b"")
    answer = keyseg("eval", "--ref", ref, "--pred", pred, "--json")
    assert answer.out == before.out
    assert "left out" not in answer.err
    write(pred / "c.csv", "csv", TRUTH)
    answer = keyseg("eval", "--ref", ref, "--pred", pred, "--json")
    assert answer.out == before.out
    assert f"note: {pred}: 1 other files are left out: c.csv\n" in answer.err


def test_a_text_beside_files_of_another_format_is_left_out(keyseg: Any, tmp_path: Path) -> None:
    for side in ("ref", "pred"):
        (tmp_path / side).mkdir()
        write(tmp_path / side / "tea.eaf", "eaf", TRUTH)
        (tmp_path / side / f"{side}-notes.txt").write_text("Who annotated what.\nAnd when.\n")
    answer = keyseg("eval", "--ref", tmp_path / "ref", "--pred", tmp_path / "pred", "--fps", 10)
    assert (answer.code, " 100.00 " in answer.out) == (0, True)
    for side in ("ref", "pred"):
        assert f"note: {tmp_path / side}: 1 other files are left out: {side}-notes.txt\n" in answer.err


def test_options_of_eval_reach_the_files(keyseg: Any, tmp_path: Path) -> None:
    pred = write(tmp_path / "tea.txt", "txt", TRUTH)
    ref = tmp_path / "tea.csv"
    rows = ["start_seconds,end_seconds,label", "0,3,take_cup", "2,5,pour"]
    ref.write_text("\n".join(rows) + "\n")
    answer = keyseg("eval", "--ref", ref, "--pred", pred, "--fps", 10)
    assert answer.code == 1
    assert "tea.csv" in answer.err
    assert "overlap" in answer.err
    assert keyseg("eval", "--ref", ref, "--pred", pred, "--fps", 10, "--overlap", "last").code == 0
    answer = keyseg("eval", "--ref", ref, "--pred", pred, "--overlap", "last")
    assert answer.code == 2
    assert "the frame rate of both is unknown; give --fps" in answer.err
    elan = write(tmp_path / "tea.eaf", "eaf", TRUTH)
    answer = keyseg("eval", "--ref", elan, "--pred", pred, "--fps", 10, "--tier", "gone")
    assert "no tier 'gone'" in answer.err


def test_eval_compares_two_folders(folders: tuple[Path, Path], keyseg: Any, tmp_path: Path) -> None:
    ref, pred = folders
    right = tmp_path / "right"
    right.mkdir()
    for name in "ab":
        (right / f"{name}.txt").write_text((ref / f"{name}.txt").read_text())
    answer = keyseg("eval", "--ref", ref, "--compare", pred, right)
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0] == "| | F1@10 | F1@25 | F1@50 | Edit | Acc |"
    assert [line.split(" | ")[0] for line in lines[2:6]] == [
        "| pred",
        "| right",
        "| right - pred, 95 % interval",
        "| right better",
    ]
    assert lines[3] == "| right | 100.0 | 100.0 | 100.0 | 100.0 | 100.0 |"
    assert lines[-1].startswith("Paired bootstrap over 2 videos, 10,000 resamplings, seed 0; protocol ms-tcn;")
    content = json.loads(keyseg("eval", "--ref", ref, "--compare", right, pred, "--json", "--protocol", "tcn").out)
    score = json.loads(keyseg("eval", "--ref", ref, "--pred", pred, "--json", "--protocol", "tcn").out)
    assert content["protocol"] == "tcn"
    assert content["b"]["acc"] == score["acc"] == 100 + content["difference"]["acc"]
    same = keyseg("eval", "--ref", ref, "--compare", pred, pred)
    assert "| B - A, 95 % interval | +0.0 [+0.0, +0.0] | " in same.out
    (right / "b.txt").unlink()
    answer = keyseg("eval", "--ref", ref, "--compare", pred, right)
    assert (answer.code, answer.out) == (1, "")
    assert "A and B must be tested on the same videos; only A was tested on b (1 in all)" in answer.err


def test_eval_compares_folders_that_leave_out_the_same_classes(keyseg: Any, tmp_path: Path) -> None:
    for place, idle in (("ref", "rest"), ("a", "rest"), ("b", "idle")):
        video = Annotation("v", (Interval(0, 2, "cut"),), Fraction(3), Fraction(10), (idle,))
        (tmp_path / place).mkdir()
        write_content(tmp_path / place / "v.json", annotations_text("json", [video], WriteSettings()))
    sides = [tmp_path / name for name in ("ref", "a", "b")]
    answer = keyseg("eval", "--ref", sides[0], "--compare", *sides[1:])
    assert answer.code == 1
    assert "name the background classes of both with --background" in answer.err
    assert keyseg("eval", "--ref", sides[0], "--compare", *sides[1:], "--background", "idle", "rest").code == 0


def test_eval_draws_the_errors_of_folders(folders: tuple[Path, Path], keyseg: Any, tmp_path: Path) -> None:
    ref, pred = folders
    out = tmp_path / "errors"
    arguments = ("eval", "--ref", ref, "--pred", pred, "--background", "idle", "--json")
    answer = keyseg(*arguments, "--analysis", out)
    assert answer.code == 0
    assert answer.out == keyseg(*arguments).out
    assert f"wrote {out / 'confusion.png'}" in answer.err
    pictures = {"confusion.png", "segment_lengths.png", "boundary_errors.png"}
    assert {path.name for path in out.iterdir()} == pictures | {"analysis.json", "analysis.md"}
    content = json.loads((out / "analysis.json").read_text())
    assert (content["videos"], content["fps"], content["background"]) == (2, None, ["idle"])
    assert sum(map(sum, content["confusion"]["frames"])) == 12
    text = (out / "analysis.md").read_text()
    assert "| cut | 2 | 2 | " in text
    assert "frames |" in text
    keyseg(*arguments, "--analysis", out, "--fps", "10")
    assert json.loads((out / "analysis.json").read_text())["fps"] == "10"
    assert " s |" in (out / "analysis.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("{ref}", "--compare", "a", "b"), "--compare goes with --ref or alone"),
        (("--compare", "a", "b", "--pred", "{pred}"), "--compare goes with --ref or alone"),
        (("--compare", "a", "b", "--analysis", "c"), "--compare goes with --ref or alone"),
        (("--compare", "a", "b", "--background", "idle"), "--background goes with --ref; a run has"),
        (("--compare", "a"), "--compare"),
    ],
)
def test_what_does_not_go_with_a_comparison(
    arguments: tuple[str, ...], words: str, folders: tuple[Path, Path], keyseg: Any
) -> None:
    answer = keyseg("eval", *(word.format(ref=folders[0], pred=folders[1]) for word in arguments))
    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err


def test_eval_of_a_run_draws_and_compares_its_kept_predictions(trained: Path, keyseg: Any, tmp_path: Path) -> None:
    answer = keyseg("eval", trained, "--analysis", tmp_path / "errors")
    assert answer.code == 0
    drawn = (tmp_path / "errors" / "analysis.json").read_text()
    assert drawn == (trained / "analysis" / "analysis.json").read_text()
    answer = keyseg("eval", "--compare", trained, trained, "--json")
    assert answer.code == 0
    assert set(json.loads(answer.out)["difference"].values()) == {0}
