"""V-TRACE's tables: the right video, animals as tiers and tracks, scores of predictions, lines that begin with #."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from keyseg.formats import AnnotationOptions, annotations_text, read_annotations
from keyseg.formats.table_of_formats import format_of
from keyseg.timeline import Annotation, DataError, Interval

PLAIN = "labelId,timestamp,endTimestamp\ngrooming,12.430,18.970\nrearing,42.100,45.650\n"
TWO = "# trace-meta: behaviors=groom:g,rear:r\n# a note, with a comma\nlabelId,timestamp,endTimestamp,animal\n"
TWO += "groom,0.0,2.0,A\nrear,1.0,3.0,B\ngroom,4,5,A\n"


def file(folder: Path, text: str, name: str = "day1.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def spans(annotation: Annotation) -> list[tuple[float, float, str]]:
    return [(float(i.start_seconds), float(i.end_seconds), i.label) for i in annotation.intervals]


@pytest.mark.parametrize("name", ["day1.csv", "day1.pred.csv", "day1.predict.csv", "day1.vtrace.csv"])
def test_the_video_is_the_one_beside_which_the_file_lies(name: str, tmp_path: Path) -> None:
    path = file(tmp_path, PLAIN, name)
    assert format_of(path) == "vtrace"
    (found,) = read_annotations(path)
    assert (found.video, spans(found)) == ("day1", [(12.43, 18.97, "grooming"), (42.1, 45.65, "rearing")])


def test_animals_are_tiers_and_tracks(tmp_path: Path) -> None:
    path = file(tmp_path, TWO)
    (both,) = read_annotations(path)
    assert spans(both) == [(0, 2, "groom"), (1, 3, "rear"), (4, 5, "groom")]
    (chosen,) = read_annotations(path, options=AnnotationOptions(tier=("C", "B")))
    assert spans(chosen) == [(1, 3, "rear")]
    tracks = read_annotations(path, options=AnnotationOptions(per_subject=True))
    assert [(track.name, len(track.intervals)) for track in tracks] == [("day1.A", 2), ("day1.B", 1)]


def test_scores_are_read_and_written_where_all_have_one(tmp_path: Path) -> None:
    text = "labelId,timestamp,endTimestamp,score,predictionId\nwalk,1,2.25,0.75,7\nrear,2,3,0.5,8\n"
    (found,) = read_annotations(file(tmp_path, text, "day1.pred.csv"))
    assert [interval.score for interval in found.intervals] == [0.75, 0.5]
    assert annotations_text("vtrace", [found]).splitlines()[:2] == [
        "labelId,timestamp,endTimestamp,score",
        "walk,1.000000,2.250000,0.75",
    ]
    unsure = Annotation("day1", (*found.intervals, Interval(Fraction(5), Fraction(6), "sit")))
    assert annotations_text("vtrace", [unsure]).startswith("labelId,timestamp,endTimestamp\nwalk,1.000000,2.250000\n")


def test_flaws_are_listed_or_repaired_as_in_other_tables(tmp_path: Path) -> None:
    path, notes = file(tmp_path, PLAIN + "sit,50,49\n,51,52\n"), []
    with pytest.raises(DataError, match=r"day1\.csv:4: 'sit' ends at 49 s(.|\n)*day1\.csv:5: expected a label"):
        read_annotations(path)
    (found,) = read_annotations(path, options=AnnotationOptions(lenient=True), note=notes.append)
    assert (len(found.intervals), len(notes)) == (2, 2)


def test_a_file_without_rows_is_a_video_without_actions(tmp_path: Path) -> None:
    assert read_annotations(file(tmp_path, PLAIN.splitlines()[0] + "\n")) == [Annotation("day1", ())]
