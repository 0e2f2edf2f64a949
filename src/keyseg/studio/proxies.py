"""Proxies as jobs: films that browsers do not play, as H.264 and AAC in MP4, every picture at its own time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from keyseg.studio.predicting import videos_of
from keyseg.studio.store import Store
from keyseg.studio.worker import ReportWork, ServerEvent
from keyseg.timeline import DataError, KeysegError
from keyseg.timeline.files import whole_file

MOST_LINES = 720
_ENCODER = {"preset": "veryfast", "crf": "23", "bf": "0"}  # pictures in their order, so that times stay as they are
_KEY_SECONDS = 2  # between pictures that one can jump to
_GAP_SECONDS = 0.1  # of the sound; less is a rounded time
_MOST_PIXELS = 100_000_000


def gather(store: Store, asked: dict[str, Any]) -> dict[str, Any]:
    """The videos to make proxies of. asked: `videos`, a list of ids or None for all that browsers do not play.

    Raises DataError if there are none.
    """
    ids, folder = asked.get("videos"), store.private / "proxies"
    if ids is None:
        rows = store.select("SELECT id FROM videos WHERE playable = 0 AND missing = 0 ORDER BY path")
        ids = [row["id"] for row in rows if not (folder / f"{row['id']}.mp4").exists()]
        if not ids:
            raise DataError(f"{store.folder}: browsers play all videos that are here, or their proxies")
    return {"videos": videos_of(store, ids), "proxies": str(folder)}


def work(request: dict[str, Any], report: ReportWork) -> dict[str, Any]:
    """Write FOLDER/.keyseg/proxies/ID.mp4 of each video; parts are `{video: id}`.

    Returns `{made: [ids], failed: {id: reason}}`. Raises DataError if none could be made.
    """
    videos = request["videos"]
    made: list[str] = []
    failed: dict[str, str] = {}
    for number, video in enumerate(videos):
        file = Path(video["file"])
        message = f"video {number + 1} of {len(videos)}: {file.name}"

        def within(share: float, number: int = number, message: str = message) -> None:
            report((number + share) / len(videos), message)

        within(0.0)
        try:
            write_proxy(file, Path(request["proxies"]) / f"{video['id']}.mp4", within)
        except (KeysegError, OSError) as error:
            failed[video["id"]] = str(error)
            continue
        report((number + 1) / len(videos), message, part={"video": video["id"]})
        made.append(video["id"])
    if failed and not made:
        raise DataError(f"no proxy of {len(failed)} videos could be made: {next(iter(failed.values()))}")
    return {"made": made, "failed": failed}


def write_proxy(file: Path, proxy: Path, progress: Callable[[float], None] = lambda share: None) -> None:
    """Write a film again as browsers play it, at most 720 lines high; the new file appears whole or not at all.

    Each picture has the time that it has in the film, whose clock starts at 0; so a frame of the timeline shows the
    same picture in both. progress: called with the share that is done. Raises DataError where the film cannot be read,
    or its pictures not be written.
    """
    import av

    from keyseg.video.decode_client import open_file
    from keyseg.video.decode_process import ONLY_THIS_FILE
    from keyseg.video.opening import Refusal

    try:
        with (
            open_file(file) as opened,
            av.open(opened, "r", options={**ONLY_THIS_FILE, "max_pixels": str(_MOST_PIXELS)}) as film,
            whole_file(proxy) as partial,
            av.open(str(partial), "w", format="mp4", options={"movflags": "+faststart"}) as written,
        ):
            if _Copy(film, written).all(progress) == 0:
                raise Refusal("it has no picture that can be decoded; fetch it again")
    except Refusal as error:
        raise DataError(f"{file}: {error}") from error
    except av.FFmpegError as error:
        raise DataError(f"{file}: no proxy could be made ({error}); convert it to H.264 in MP4 with ffmpeg") from error


class _Copy:
    """The pictures and the sound of a film on their way into another container."""

    def __init__(self, film: Any, written: Any) -> None:
        from av.audio.resampler import AudioResampler
        from av.video.reformatter import VideoReformatter

        from keyseg.video.opening import clock_start, picture_stream

        self.film, self.written = film, written
        self.pictures = picture_stream(film, _MOST_PIXELS)
        self.sound = next(iter(film.streams.audio), None)
        self.reformatter = VideoReformatter()
        self.last = -1
        self.clock = Fraction(self.pictures.time_base or 1)
        zero = clock_start(film, self.pictures)
        self.zero = (self.pictures.start_time or 0) if zero is None else zero
        self.audio: Any = None
        if self.sound is not None and self.sound.codec_context is not None:
            rate = self.sound.codec_context.sample_rate
            self.resampler = AudioResampler("fltp", "stereo", rate)
            self.audio = written.add_stream("aac", rate=rate, layout="stereo")
        rate = self.pictures.average_rate or Fraction(25)
        self.video = written.add_stream("libx264", rate=rate, options=_ENCODER)
        self.video.pix_fmt, self.video.codec_context.time_base = "yuv420p", self.clock
        self.video.gop_size = max(1, round(_KEY_SECONDS * rate))
        self.size: tuple[int, int] | None = None
        self.position = 0  # samples of sound so far
        self.waiting: list[Any] = []  # sound, until the size of the pictures is known

    def all(self, progress: Callable[[float], None]) -> int:
        """Copy everything; the number of pictures."""
        from keyseg.video.opening import packets_of

        seconds = self.film.duration / 1_000_000 if self.film.duration else None
        count = 0
        streams = (self.pictures, self.sound) if self.audio is not None else (self.pictures,)
        for packet in packets_of(self.film, *streams):
            for frame in _decoded(packet):
                if packet.stream is not self.pictures:
                    self._add_sound(frame)
                elif self._add_picture(frame):
                    count += 1
                    progress(min(1.0, float(self.last * self.clock) / seconds) if seconds else 0.0)
        for stream in (self.video, self.audio) if self.audio is not None else (self.video,):
            if count:
                self.written.mux(stream.encode())
        return count

    def _add_picture(self, frame: Any) -> bool:
        """Write a picture, unless its time is unknown or was reached before."""
        import av

        from keyseg.video.opening import displayed, displayed_size

        time = None if frame.pts is None else frame.pts - self.zero
        if time is None or time <= self.last:
            return False
        if self.size is None:
            height, width = displayed_size(frame)
            lines = min(height, MOST_LINES)
            self.size = _even(lines), _even(round(width * lines / height))
            self.video.height, self.video.width = self.size
        picture = av.VideoFrame.from_ndarray(displayed(frame, self.size, self.reformatter), format="rgb24")
        picture.pts, picture.time_base, self.last = time, self.clock, time
        self.written.mux(self.video.encode(picture))
        return True

    def _add_sound(self, frame: Any) -> None:
        """Write a piece of the sound after what there is of it, or later if the film has a gap there."""
        if frame.pts is None:
            return
        begin = round((frame.pts * Fraction(frame.time_base) - self.zero * self.clock) * self.audio.rate)
        if begin < 0:
            return
        frame.pts = None  # containers round it
        for piece in self.resampler.resample(frame):
            self.position = begin if begin - self.position > _GAP_SECONDS * self.audio.rate else self.position
            piece.pts, piece.time_base = self.position, Fraction(1, self.audio.rate)
            self.position += piece.samples
            self.waiting.append(piece)
        if self.size is not None:
            for piece in self.waiting:
                self.written.mux(self.audio.encode(piece))
            self.waiting.clear()


def _decoded(packet: Any) -> list[Any]:
    """The frames of a packet; none of one that is damaged."""
    import av

    try:
        return list(packet.decode())
    except av.error.InvalidDataError:
        return []


def _even(number: int) -> int:
    return max(2, number // 2 * 2)


def save(store: Store, request: dict[str, Any], part: dict[str, Any]) -> Iterator[ServerEvent]:
    """The file is there; the pages are to hear of it."""
    yield "library", {}
