"""`train --ensemble`: the trained splits and seeds of a run, averaged in one bundle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from keyseg.cli.main import run as keyseg
from keyseg.data.folders import claimed
from keyseg.inference.bundle import find_bundle, load, name_digest, read_config, save_bundle
from keyseg.inference.confidence import Calibration
from keyseg.inference.decoders import FrameDecoder, KeypointDecoder, Match
from keyseg.inference.decoding import Rules
from keyseg.inference.ensemble import ensemble_of
from keyseg.inference.predictor import Predictor
from keyseg.inference.systems import SYSTEMS
from keyseg.matching.alignment import MatchWeights
from keyseg.timeline import ConfigError, DataError, LabelMap, Segmentation, TimeBase
from keyseg.training import fold_ensemble, running
from keyseg.training.fold_ensemble import common_rules, common_weights
from keyseg.training.run import Run
from keyseg.training.tables import summary_lines

QUICK = ("optimiser.epochs=1", "matching.join_epoch=0")


@pytest.fixture(scope="module")
def folds(workshop: Any, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two splits with a seed each. Not to be changed."""
    run: Run = workshop.start(tmp_path_factory.mktemp("folds") / "run", *QUICK, splits=())
    workshop.finish(run)
    return run


@pytest.fixture
def copied(folds: Run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folds.folder, tmp_path / "run"))


def test_the_folds_are_averaged_without_training_again(
    workshop: Any, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "run_fit", None)
    summary = workshop.finish(workshop.start(copied, *QUICK, ensemble=True, resume=True))
    assert summary["ensemble"] == 2
    assert find_bundle(copied) == copied / "ensemble" / "bundle"
    config, whole = read_config(copied), load(copied)
    assert (config.members, config.decoder.match) == (2, None)
    assert set(config.seen or ()) == {name_digest(f"v{i}") for i in range(8)}
    digests = [read_config(copied / f"split{split}").sha256["weights.safetensors"][:8] for split in (1, 2)]
    assert config.provenance["members"] == f"split1/seed0 {digests[0]}, split2/seed0 {digests[1]}"
    features = np.load(workshop.data / "features" / "v6.npy").T
    parts = [load(copied / f"split{split}").run(features) for split in (1, 2)]
    np.testing.assert_allclose(whole.run(features).frames, np.mean([p.frames for p in parts], 0), rtol=1e-6)
    text = (copied / "results.md").read_text()
    assert "the average of 2 models. It has no score: what one split tests on, another trains on." in text


def test_it_is_made_again_only_where_the_folds_are_others(
    workshop: Any, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []

    def counted(predictor: Any, *rest: Any, **options: Any) -> Path:
        saved.append(len(predictor.networks))
        return save_bundle(predictor, *rest, **options)

    monkeypatch.setattr(fold_ensemble, "save_bundle", counted)
    workshop.finish(workshop.start(copied, *QUICK, ensemble=True, resume=True))
    workshop.finish(workshop.start(copied, *QUICK, resume=True))  # --ensemble need not be repeated
    assert saved == [2]
    workshop.finish(workshop.start(copied, *QUICK, seeds=(1,), resume=True))
    assert saved == [2, 4]
    assert read_config(copied).members == 4
    bundles = [copied / f"split{split}" / "seed0" / "bundle" for split in (1, 2)]  # as if split 1 was trained again
    shutil.rmtree(bundles[0])
    shutil.copytree(bundles[1], bundles[0])
    workshop.finish(workshop.start(copied, *QUICK, resume=True))
    assert saved == [2, 4, 4]


def test_of_several_final_models_beside_an_ensemble_the_first_is_named(workshop: Any, copied: Path) -> None:
    run = workshop.start(copied, *QUICK, seeds=(0, 1), splits=(), final=True, ensemble=True, resume=True)
    said = "\n".join(summary_lines(run, workshop.finish(run)))
    bundle = copied / "final" / "seed0" / "bundle"
    assert f"\nbundle:      {bundle}\n" in said
    assert f"\nnext:        keyseg predict {bundle} " in said


def test_on_the_command_line(workshop: Any, tmp_path: Path, capsys: Any) -> None:
    words = [word for change in (*workshop.changes, *QUICK) for word in ("--set", change)]
    run = tmp_path / "run"
    command = ["train", str(workshop.data), *words, "--seed", "0", "1", "--out", str(run)]
    assert keyseg([*command, "--ensemble"]) == 0
    out = capsys.readouterr().out
    assert f"next:        keyseg predict {run} FEATURES.npy" in out
    assert "the average of 2 models. It has no score. The confidence" in out
    assert set(read_config(run).seen or ()) == set(map(name_digest, workshop.train))
    assert keyseg(["predict", str(run), str(workshop.data / "features" / "v6.npy"), "--out", str(tmp_path / "p")]) == 0


def test_it_waits_for_every_fold_and_for_who_makes_it(workshop: Any, folds: Run, copied: Path) -> None:
    run = workshop.start(copied, *QUICK, ensemble=True, resume=True)
    first = run.fits()[0]
    with claimed(run.ensemble_bundle.parent) as mine:
        assert mine
        assert workshop.finish(run)["ensemble"] == 0
    shutil.rmtree(first.folder)
    with claimed(first.folder) as mine:  # another command trains it
        assert mine
        assert workshop.finish(run)["ensemble"] == 0
    assert not run.ensemble_bundle.exists()


def test_one_model_and_features_of_splits_are_refused(workshop: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--ensemble averages the models of at least two splits or seeds"):
        workshop.start(tmp_path / "run", ensemble=True)
    root = workshop.write(tmp_path / "set")
    (root / "features").rename(root / "features_split1")
    shutil.copytree(root / "features_split1", root / "features_split2")
    with pytest.raises(DataError, match="features are those of split 1 alone, .*leave out --ensemble"):  # noqa: RUF043
        workshop.start(tmp_path / "run", data=root, splits=(), ensemble=True)
    assert not (tmp_path / "run").exists()


def matching(**weights: Any) -> Any:
    match = Match.to([Segmentation([0, 4], [1])], 2, MatchWeights(**weights)) if weights else None
    return SimpleNamespace(decoder=FrameDecoder(match=match))


def test_the_match_weighs_what_most_networks_learnt() -> None:
    some, other = matching(frames=0.1, cut=1.0, jump=0.2), matching(frames=0.4, cut=2.0, jump=0.1)
    weights = common_weights([some, other, matching()])
    assert weights is not None
    assert weights.frames == pytest.approx(0.2)  # learning multiplies it
    assert weights.cut == pytest.approx(1.5)
    assert weights.jump == pytest.approx(0.15)
    assert weights.moves == pytest.approx(MatchWeights().moves)
    assert common_weights([some, matching()]) is None
    assert common_weights([matching(), matching()]) is None


def test_the_rules_are_the_median_of_what_splits_learnt(workshop: Any, copied: Path) -> None:
    learnt = [Rules(boundary_threshold=b, frame_weight=w) for b, w in ((0.1, 0.5), (0.2, 2.0), (0.15, 1.0))]
    decoders = [SimpleNamespace(decoder=KeypointDecoder(rules=rules)) for rules in learnt]
    assert common_rules(decoders) == learnt[2]  # type: ignore[arg-type]
    assert common_rules([matching()]) is None
    file = copied / "split1" / "seed0" / "bundle" / "config.json"
    config = json.loads(file.read_text())
    config["decoder"]["rules"]["boundary_threshold"] = 0.1
    file.write_text(json.dumps(config))
    workshop.finish(workshop.start(copied, *QUICK, ensemble=True, resume=True))
    decoder = load(copied).decoder
    assert isinstance(decoder, KeypointDecoder)
    assert decoder.rules == Rules(boundary_threshold=(0.1 + 0.2) / 2)


def test_the_match_remembers_the_training_videos_of_all_folds(
    workshop: Any, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fold_ensemble, "common_weights", lambda predictors: MatchWeights(cut=1.25))
    workshop.finish(workshop.start(copied, *QUICK, ensemble=True, resume=True))
    match = load(copied).decoder.match
    assert match is not None
    assert (len(match.annotations), match.weights.cut) == (8, 1.25)


def test_a_kill_while_it_is_written_is_made_good(workshop: Any, copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = workshop.start(copied, *QUICK, ensemble=True, resume=True)

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fold_ensemble, "save_bundle", killed)
        with pytest.raises(KeyboardInterrupt):
            workshop.finish(run)
    assert not run.ensemble_bundle.exists()
    assert workshop.finish(workshop.start(copied, *QUICK, resume=True))["ensemble"] == 2


def test_it_has_no_calibration_of_a_single_network() -> None:
    calibration = Calibration(intercept=0.5, mean=0.5, length=0.4, edges=1.5, segments=310)
    labels, system = LabelMap(("background", "cut")), SYSTEMS["ms-tcn++"]
    part = Predictor(
        system="ms-tcn++",
        model=system.network(system.config(channels=8), 7, 2),
        labels=labels,
        timebase=TimeBase(10),
        decoder=system.decoder(),
        calibration=calibration,
    )
    assert ensemble_of([part, part]).calibration is None
