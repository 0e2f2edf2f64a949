"""keyseg predict: videos or features in, timelines out; no labels needed."""

from __future__ import annotations

import sys
from pathlib import Path


def predict_verb(
    bundle: Path,
    /,
    *inputs: Path,
    out: Path,
    format: str = "txt",
    scores: bool = False,
    extractor: Path | None = None,
    device: str | None = None,
    cache: Path | None = None,
    damaged: bool = False,
    resume: bool = False,
    force: bool = False,
) -> int:
    """Label the timelines of videos, from the video files or from their features; write OUT/VIDEO.txt and the like.

    A file that cannot be read is reported, and the others are still processed.

    Parameters
    ----------
    bundle
        Bundle that keyseg train wrote, or a run folder that holds one.
    inputs
        Video files, if the bundle was trained on features of keyseg features: it records how to make them. Or .npy
        files, (D, T) or (T, D), made by the extractor that the bundle was trained with. Or folders of either.
    out
        Folder for the timelines.
    format
        txt (one label per line), csv, json, eaf (ELAN), vtt and more (see keyseg convert); several as txt,eaf,vtt.
    scores
        Also write OUT/VIDEO.scores.npz. Its array stages holds the output of every stage of the network, (stages, C, T)
        float32, with T in feature steps. RTK adds its heatmaps: action (C, T) and boundary (T,).
    extractor
        Folder of the feature extractor's model, if it is a local one that has moved since training.
    device
        Where the feature extractor's network runs, such as cpu or cuda. Default: a GPU if there is one.
    cache
        Folder that keeps the features of videos. Default: keyseg/features in the system's cache folder.
    damaged
        Accept damaged videos: the last good picture fills each gap.
    resume
        Keep existing timelines and write those that are missing.
    force
        Overwrite existing timelines.
    """
    from keyseg.cli.features import FeatureProgress
    from keyseg.inference.folder import predict_files

    with FeatureProgress(len(inputs)) as shown:

        def report(line: str) -> None:
            shown.clear()  # the video that the line is about is finished
            shown.print(line)

        result = predict_files(
            bundle,
            inputs,
            out,
            formats=[name.strip() for name in format.split(",")],
            scores=scores,
            extractor=extractor,
            device=device,
            cache=cache,
            damaged=damaged,
            resume=resume,
            force=force,
            report=report,
            progress=shown.advance,
        )
    if result.failed:
        others = f"; the others are in {out}" if len(result.failed) < result.inputs else ""
        print(f"{len(result.failed)} of {result.inputs} videos failed{others}", file=sys.stderr)
    return 1 if result.failed else 0
