"""The headless server: starting it, and the prediction that it queues."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from keyseg.studio.address import in_address, listening, secret_for
from keyseg.studio.predicting import as_row
from keyseg.studio.store import Store
from keyseg.studio.worker import ReportWork, ServerEvent
from keyseg.timeline import ConfigError, DataError
from keyseg.timeline.extras import extra


def serve(
    bundle: Path | str,
    *,
    folder: Path | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    token: str | None = None,
    most_mib: int = 4096,
    most_queued: int = 20,
    most_minutes: int = 60,
    report: Callable[[str], None] = lambda line: None,
) -> None:
    """Serve a bundle to other programs: a video in, its timeline out, over HTTP.

    POST /api/predict takes an upload, or the path of a video below --folder, and answers with the timeline in any
    format, or with a job where that takes long. GET /api/openapi.json describes everything. Nothing is kept: uploads
    and their features are deleted when their job has ended. Stop it with Ctrl-C.

    Args:
        bundle: Bundle that keyseg train wrote, or a run folder that holds one.
        folder: Folder of videos that clients may name by their path in it. Default: none; clients upload videos.
        host: Address to listen on. The default is open to this machine only; any other, such as 0.0.0.0, needs --token.
        port: Port to listen on. Default: the first free one from 8765.
        token: Secret that clients send as "Authorization: Bearer TOKEN", at least 16 characters long. Default: a new
            random one at each start.
        most_mib: Largest upload, in MiB.
        most_queued: Largest number of videos that wait; further ones are refused until some are done.
        most_minutes: Minutes that the prediction of one video may take; it is stopped then.
        report: Called with the address and the token.
    """
    secret = secret_for(host, token)
    limits = {"most-mib": most_mib, "most-queued": most_queued, "most-minutes": most_minutes}
    for name, value in limits.items():
        if value < 1:
            raise ConfigError(f"--{name} must be at least 1, got {value}")
    if folder is not None and not folder.is_dir():
        raise DataError(f"{folder}: no such folder; name a folder of videos")
    with extra("studio", "the server"):
        import python_multipart  # noqa: F401

        from keyseg.studio.headless import create_headless
        from keyseg.studio.http_server import StudioServer
    with (
        tempfile.TemporaryDirectory(prefix="keyseg-serve-") as place,
        closing(listening(host, port)) as listener,
        closing(Store(Path(place))) as store,
    ):
        app = create_headless(
            store,
            Path(bundle),
            folder=folder,
            token=secret,
            host=host,
            most_bytes=most_mib * 2**20,
            most_queued=most_queued,
            most_seconds=60.0 * most_minutes,
        )
        report(f"http://{in_address(host)}:{listener.getsockname()[1]}")
        if token is None:
            report(f"token: {secret}")
        StudioServer(app).run(sockets=[listener])


def gather(store: Store, asked: dict[str, Any]) -> dict[str, Any]:
    """What was asked for: `bundle`, `file` and `name`. Raises DataError if the file is gone."""
    if not Path(asked["file"]).is_file():
        raise DataError(f"{asked['name']}: the file is gone; send it again")
    return asked


def work(request: dict[str, Any], report: ReportWork) -> dict[str, Any]:
    """Predict one video: its `name`, `fps`, `frames`, `segments` and `details`, `background` and `tier`."""
    from keyseg.inference.bundle import load

    report(0.0, request["name"])
    predictor, file = load(request["bundle"]), Path(request["file"])

    def within(frames: int, expected: int | None) -> None:
        report(min(frames / expected, 1.0) if expected else 0.0, request["name"])

    made = predictor.predict(file, cache=Path(request["scratch"]) / "features", progress=within)
    fps, frames = predictor.timebase.fps, made.segmentation.length
    facts = {"name": request["name"], "fps": str(fps), "frames": frames}
    names = {"background": list(predictor.labels.background), "tier": made.tier}
    return facts | names | as_row(predictor, made, fps, frames)


def save(store: Store, request: dict[str, Any], part: dict[str, Any]) -> Iterator[ServerEvent]:
    """There are no parts: the timeline is the result."""
    yield from ()
