"""Inputs in several processes, in parts, from lists and from addresses; and what of it makes no sense."""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from dying_stage import DyingStage
from keyseg.timeline import ConfigError, DataError
from keyseg.timeline.files import file_sha256
from keyseg.video.addresses import address_of, fetched, inside_address
from keyseg.video.engines import Engine, Event
from keyseg.video.find_videos import find_videos
from keyseg.video.make_features import features
from keyseg.video.manifest import listed, part_of
from moving_square import pictures


@pytest.fixture(scope="module")
def film(make_clip: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("films") / "day1.mp4", pictures(0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "--workers takes a number >= 1, got 0"),
        ({"name": "ray", "workers": 2}, "Ray uses all it has"),
        ({"name": "dask"}, "--engine is processes or ray, got 'dask'"),
        ({"address": "auto"}, "add --engine ray"),
    ],
)
def test_engines_that_are_none(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Engine(**options)


@pytest.mark.slow
def test_processes_do_every_input_once_and_a_failure_stops_none() -> None:
    names = [f"v{number}" for number in range(20)]
    events = list[Event]()
    Engine(workers=2).process([Path(name) for name in (*names, "bad")], [DyingStage()], [], events.append)
    assert Counter(event.video.name for event in events if event.kind == "made") == Counter(names)
    assert [event.message for event in events if event.kind == "failed"] == ["bad: no good"]
    with pytest.raises(DataError, match="fewer workers: finished inputs are kept"):
        Engine(workers=2).process([Path("a"), Path("ends")], [DyingStage()], [], events.append)
    with pytest.raises(ZeroDivisionError):
        Engine(workers=2).process([Path("a"), Path("mistake")], [DyingStage()], [], events.append)


def test_what_only_some_need_is_imported_by_them_alone() -> None:
    code = "import sys, keyseg.cli.features, keyseg.cli.predict; print({'ray', 'fsspec', 'torch'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_one_process_uses_what_is_started() -> None:
    events = list[Event]()
    Engine(workers=8).process([Path("a")], [], [DyingStage().start()], events.append)
    assert [event.kind for event in events] == ["frames", "made"]


PLANTED = [3, 1, 1, 3]  # the part of three


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_every_input_is_in_one_part_and_stays_there(parts: int) -> None:
    inputs = [Path(f"videos/day{number}.mp4") for number in range(500)]
    shares = [part_of(inputs, f"{i}/{parts}") for i in range(1, parts + 1)]
    assert Counter(path for share in shares for path in share) == Counter(inputs)
    assert all(0.7 < len(share) * parts / len(inputs) < 1.3 for share in shares)
    fewer = inputs[::-3]  # in another order, without others, and elsewhere
    moved = [Path("/mnt/elsewhere") / path.name for path in fewer]
    for number, share in enumerate(shares, 1):
        assert {path.name for path in part_of(moved, f"{number}/{parts}")} == {path.name for path in share} & {
            path.name for path in fewer
        }


def test_parts_are_the_same_on_every_machine_and_for_every_spelling() -> None:
    """Planted: the numbers may never change, or two parts of one job would not fit together."""
    names = ["day1.mp4", "day2.mp4", "Tür.mp4", "猫.mp4"]
    assert [next(i for i in (1, 2, 3) if part_of([Path(name)], f"{i}/3")) for name in names] == PLANTED
    for other in ("DAY1.avi", "day1.npy", "day1DLC_resnet50_xshuffle1_50.csv"):
        assert part_of([Path(other)], f"{PLANTED[0]}/3")
    assert part_of([Path(unicodedata.normalize("NFD", "Tür.mp4"))], f"{PLANTED[2]}/3")


@pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "a/b", "1/2/3", "-1/2", "1/0", "١/٢"])
def test_parts_that_are_none(shard: str) -> None:
    with pytest.raises(ConfigError, match="--shard takes i/n"):
        part_of([], shard)


def test_a_list_is_read_as_if_it_were_typed(tmp_path: Path) -> None:
    names = tmp_path / "videos.TXT"
    names.write_text("a b.mp4\r\n\n/mnt/c.mp4\ns3://bucket/d.mp4\n", encoding="utf-8")
    given = [Path("first.mp4"), names, Path("last.npy")]
    assert listed(given) == [Path(x) for x in ("first.mp4", "a b.mp4", "/mnt/c.mp4", "s3://bucket/d.mp4", "last.npy")]
    names.write_text("\n")
    with pytest.raises(DataError, match="the list is empty"):
        listed([names])
    with pytest.raises(DataError, match=r"none\.txt: cannot read it \(no such file\)"):
        listed([tmp_path / "none.txt"])


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("s3://bucket/a/b.mp4", "s3://bucket/a/b.mp4"),
        ("file:///srv/a.mp4", "file:///srv/a.mp4"),
        ("memory://a.mp4", "memory://a.mp4"),
        ("/srv/a.mp4", None),
        ("a:b.mp4", None),
        ("c:/videos/a.mp4", None),
        ("s3:", None),
    ],
)
def test_addresses_are_known_in_paths(typed: str, address: str | None) -> None:
    assert address_of(Path(typed)) == address


def test_the_error_says_what_to_install() -> None:
    pytest.importorskip("fsspec")
    try:
        import s3fs  # noqa: F401
    except ImportError:
        with pytest.raises(ConfigError, match=r"^s3://bucket/a\.mp4: Install s3fs"):
            find_videos([Path("s3://bucket/a.mp4")])
    with pytest.raises(ConfigError, match=r"^rtsp://camera/1: Protocol not known: rtsp"):
        find_videos([Path("rtsp://camera/1")])
    with pytest.raises(DataError, match="tracks are read from this machine"):
        find_videos([Path("memory://a.csv")], tracks=True)


@pytest.fixture
def store(film: Path) -> Any:
    """Two videos and another file in the memory of this process, below `memory://films`."""
    store = fsspec.filesystem("memory")
    for name in ("day1.mp4", "day2.mp4", "notes.doc", ".day3.mp4"):
        store.pipe_file(f"/films/{name}", film.read_bytes())
    yield store
    store.rm("/films", recursive=True)


def test_an_address_is_fetched_and_the_copy_is_removed(store: Any, film: Path, tmp_path: Path) -> None:
    folder = Path("memory://films")
    assert inside_address(folder, {".mp4"}) == [folder / "day1.mp4", folder / "day2.mp4"]
    with fetched(folder / "day1.mp4", tmp_path) as local:
        assert local.name == "day1.mp4"
        assert local.is_relative_to(tmp_path)
        assert local.read_bytes() == film.read_bytes()
    assert list(tmp_path.iterdir()) == []
    with fetched(film, tmp_path) as local:
        assert local == film
    with (
        pytest.raises(DataError, match=r"^memory://films/none\.mp4: no such file or folder"),
        fetched(folder / "none.mp4", tmp_path),
    ):
        pass
    with pytest.raises(DataError, match=r"^memory://films: no such file, or nothing to read"):
        inside_address(folder, {".avi"})
    with (
        pytest.raises(DataError, match=r"^memory://films/day1\.mp4: is bad$"),
        fetched(folder / "day1.mp4", tmp_path) as local,
    ):
        raise DataError(f"{local}: is bad")
    for name in ("a.npy", "a.json"):
        store.pipe_file(f"/films/{name}", name.encode())
    with fetched(folder / "a.npy", tmp_path) as local:
        assert {path.name for path in local.parent.iterdir()} == {"a.npy", "a.json"}


@pytest.mark.slow
def test_features_of_an_address_are_those_of_the_file(store: Any, film: Path, tmp_path: Path) -> None:
    store.pipe_file("/films/bad.mp4", b"no video")
    result = features("memory://films", out=tmp_path / "out", cache=tmp_path / "cache", fps=10)
    features(film, out=tmp_path / "alone", cache=tmp_path / "cache alone", fps=10)
    for name in ("day1.npy", "day1.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    assert file_sha256(tmp_path / "out" / "day2.npy") == file_sha256(tmp_path / "alone" / "day1.npy")
    [reason] = result.failed.values()
    assert reason.startswith("memory://films/bad.mp4: cannot read the video")
    assert not list((tmp_path / "cache").glob(".*"))
    again = features("memory://films", out=tmp_path / "out", cache=tmp_path / "cache", fps=10)
    assert again == result
