"""The studio's timeline in headless Chromium: opening time, and frame rate while panning, at 8 hours and 5,000 segments.

python benchmarks/studio_page.py [--hours 8] [--segments 5000] [--pictures 240] [--chromium /usr/bin/chromium]
Four rows with a waveform and a confidence strip, from files of the same size as the server's answers, 1,400 pixels
wide. One wheel event moves or zooms the timeline per picture. Writes benchmarks/results/studio_page.md and .json.
"""

from __future__ import annotations

import argparse
import json
import random
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any

from provenance import provenance, write_results

PAGE = Path(__file__).parents[1] / "src" / "keyseg" / "studio" / "page"
RATE, ROWS, CLASSES = 25, ("correction", "prediction:kitchen", "proposal", "reference"), 20
HTML = '<!doctype html><meta charset="utf-8"><div><canvas id="timeline"></canvas></div>'
OPEN = """async () => {
  const { createTimeline } = await import("/timeline.js");
  const { openRow } = await import("/edits.js");
  const { nextColour } = await import("/colours.js");
  const { frames, fps, rows, classes, peaks } = await (await fetch("/video.json")).json();
  const coloured = [];
  for (const name of classes) coloured.push({ name, colour: nextColour(coloured) });
  const nothing = () => {};
  const timeline = createTimeline(document.getElementById("timeline"),
    { onEdit: nothing, onSeek: (frame) => timeline.setPlayhead(frame), onSelect: nothing, onContext: nothing });
  timeline.setVideo({ frames, fps });
  timeline.setClasses(coloured);
  timeline.setRows(rows.map((row, at) => (at ? row : { ...row, editable: true, state: openRow(row, frames) })));
  timeline.setWaveform(peaks);
  window.timeline = timeline;
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now();
}"""
MOVE = """async ([span, pictures, zoom]) => {
  const canvas = document.getElementById("timeline");
  const middle = timeline.view().to / 2;
  timeline.zoomTo(middle - span / 2, middle + span / 2);
  const next = () => new Promise(requestAnimationFrame);
  for (let picture = 0; picture < 20; picture += 1) await next();
  const times = [];
  for (let picture = 0; picture < pictures; picture += 1) {
    const way = picture % 120 < 60 ? 1 : -1;
    const wheel = zoom ? { deltaY: 30 * way } : { deltaX: 23 * way };
    canvas.dispatchEvent(new WheelEvent("wheel", { ...wheel, clientX: 700, clientY: 100, cancelable: true }));
    times.push(await next());
  }
  return times;
}"""


def video(hours: float, segments: int) -> dict[str, Any]:
    """Rows of segments of random lengths, as the server would give them."""
    chance = random.Random(0)
    frames = int(hours * 3600 * RATE)
    classes = [f"action {number}" for number in range(CLASSES)]
    rows = []
    for name in ROWS:
        cuts = sorted(chance.sample(range(frames), segments + 1))
        parts = [
            {"start_frame": start, "end_frame": end, "label": chance.choice(classes), "confidence": chance.random()}
            for start, end in zip(cuts, cuts[1:], strict=False)
        ]
        rows.append({"name": name, "revision": 1, "segments": parts, "details": {}})
    strip = [chance.randint(30, 100) for _ in range(4000)]
    rows[1]["details"] = {"boundaries": [part["start_frame"] for part in rows[1]["segments"]], "strip": strip}
    peaks = [chance.randint(0, 255) for _ in range(20000)]
    return {"frames": frames, "fps": str(RATE), "rows": rows, "classes": classes, "peaks": peaks}


class Files(SimpleHTTPRequestHandler):
    """The page's modules, an empty page and the video."""

    answers: dict[str, tuple[str, bytes]]

    def do_GET(self) -> None:
        """Answer from memory, else from the folder of the page."""
        if self.path not in self.answers:
            return super().do_GET()
        kind, body = self.answers[self.path]
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def spent(session: Any) -> float:
    """CPU seconds of all processes of the browser so far."""
    return sum(process["cpuTime"] for process in session.send("SystemInfo.getProcessInfo")["processInfo"])


def moving(page: Any, session: Any, script: Any, span: float, pictures: int, zoom: bool) -> dict[str, float]:
    """Frame rate and CPU milliseconds per picture while the timeline moves."""

    def busy() -> float:
        metrics = {metric["name"]: metric["value"] for metric in script.send("Performance.getMetrics")["metrics"]}
        return float(metrics["TaskDuration"])

    page.evaluate(MOVE, [span, 60, zoom])
    before, tasks = spent(session), busy()
    times = page.evaluate(MOVE, [span, pictures, zoom])
    drawn = pictures + 20
    gaps = sorted(later - earlier for earlier, later in zip(times, times[1:], strict=False))
    return {
        "rate": 1000 * (len(times) - 1) / (times[-1] - times[0]),
        "late": gaps[int(0.99 * len(gaps))],
        "script_ms": 1000 * (busy() - tasks) / drawn,
        "processor_ms": 1000 * (spent(session) - before) / drawn,
    }


def measure(options: argparse.Namespace) -> tuple[list[float], list[dict[str, Any]]]:
    """Milliseconds of each opening, and one row per kind of movement."""
    from playwright.sync_api import sync_playwright

    body = json.dumps(video(options.hours, options.segments)).encode()
    answers = {"/": ("text/html", HTML.encode()), "/video.json": ("application/json", body)}
    handler = partial(type("Answering", (Files,), {"answers": answers}), directory=str(PAGE))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    views = {"4 hours": 4 * 3600 * RATE, "10 minutes": 600 * RATE, "10 seconds": 10 * RATE}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=["--no-sandbox"])
        session = browser.new_browser_cdp_session()
        opened = []
        for _ in range(5):
            page = browser.new_context(viewport={"width": 1416, "height": 500}).new_page()
            page.goto(f"http://127.0.0.1:{server.server_port}/")
            opened.append(float(page.evaluate(OPEN)))
        script = page.context.new_cdp_session(page)
        script.send("Performance.enable")
        rows = [
            {"what": f"{what}, {name} in view", **moving(page, session, script, span, options.pictures, zoom)}
            for what, zoom in (("panning", False), ("zooming", True))
            for name, span in views.items()
        ]
        browser.close()
    server.shutdown()
    return opened, rows


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=8)
    parser.add_argument("--segments", type=int, default=5000)
    parser.add_argument("--pictures", type=int, default=240)
    parser.add_argument("--chromium", help="an installed Chromium; by default the one that playwright has")
    options = parser.parse_args()
    opened, rows = measure(options)
    table = [
        "| | pictures a second | slowest 1 % of pictures, from ms | script ms per picture | browser CPU ms per picture |",
        "|---|---|---|---|---|",
    ]
    table += [
        f"| {row['what']} | {row['rate']:.1f} | {row['late']:.1f} | {row['script_ms']:.2f} | {row['processor_ms']:.1f} |"
        for row in rows
    ]
    title = f"The timeline of {options.hours:g} hours and {options.segments:,} segments in each of {len(ROWS)} rows"
    note = (
        f"From the start of loading to the first picture of all rows: {median(opened):.0f} ms "
        f"(median of {len(opened)}, each with an empty cache). A screen of 60 Hz asks for 60 pictures a second at most. "
        "Script is the page's main thread; browser CPU adds up all processes, with the canvas drawn without a GPU."
    )
    result = {"opened_ms": opened, "moving": rows}
    write_results(Path(__file__).parent / "results" / "studio_page", title, table, result, provenance(), note)


if __name__ == "__main__":
    main()
