// A video and its timeline: the current position, seeking by a click on a bar, and the label of each row at that moment.
const timeline = {
  // Frames per second from "30000/1001" or "25".
  rate: (text) => {
    const [above, below = "1"] = text.split("/");
    return Number(above) / Number(below);
  },
  // The frame on screen at a time, with a tolerance: browsers round times to a millionth of a second.
  frameAt: (seconds, rate, frames) => Math.max(0, Math.min(frames - 1, Math.floor(seconds * rate + 1e-3))),
  // A time at which a frame is certainly on screen: its middle.
  middleOf: (frame, rate, frames) => (Math.max(0, Math.min(frames - 1, frame)) + 0.5) / rate,
  // Index of the last of some sorted starts that is not after a frame; -1 before the first.
  lastStart: (starts, frame) => {
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const half = (low + high) >> 1;
      if (starts[half] <= frame) low = half + 1;
      else high = half;
    }
    return low - 1;
  },
  // A time as the axis shows it: seconds, or minutes if the video lasts two minutes or more.
  clock: (seconds, total) => {
    if (total < 120) return `${seconds.toFixed(2)} s`;
    const hundredths = Math.round(100 * seconds);
    const two = (number) => String(number).padStart(2, "0");
    const minutes = Math.floor(hundredths / 6000);
    const rest = `${two(Math.floor(hundredths / 100) % 60)}.${two(hundredths % 100)}`;
    return total < 3600 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${rest}`;
  },
  // The frame that a key moves to; null for a key that does not move.
  moved: (key, frame, rate, frames) => {
    const second = Math.max(1, Math.round(rate));
    const steps = { ArrowLeft: -second, ArrowRight: second, ",": -1, ".": 1, Home: -frames, End: frames };
    return key in steps ? Math.max(0, Math.min(frames - 1, frame + steps[key])) : null;
  },
};

(() => {
  const players = [...document.querySelectorAll("article[data-fps]")].filter((article) => article.querySelector("video"));
  players.forEach(play);

  function play(article) {
    const video = article.querySelector("video");
    const scrubber = article.querySelector(".scrubber");
    const keyFrames = [...article.querySelectorAll(".frame")];
    const rate = timeline.rate(article.dataset.fps);
    const frames = Number(article.dataset.frames);
    const rows = [...article.querySelectorAll(".bar")].map(read);
    const items = [...article.querySelectorAll(".now li")];
    let marked = undefined;
    let chosen = 0; // seconds, where the video cannot be played
    const now = () => (video.error ? chosen : video.currentTime);
    const keyStarts = keyFrames.map((frame) => Number(frame.dataset.frame));

    function read(bar) {
      const rects = [...bar.querySelectorAll("rect")].sort((a, b) => a.x.baseVal.value - b.x.baseVal.value);
      const classes = rects.map((rect) => [...rect.classList].find((name) => name !== "on"));
      const names = classes.map((name) => document.querySelector(`.legend [data-class="${name}"]`).textContent);
      return { starts: rects.map((rect) => rect.x.baseVal.value), classes, names };
    }

    function show() {
      const frame = timeline.frameAt(now(), rate, frames);
      const place = Math.min(now() * rate, frames);
      article.style.setProperty("--at", `${(100 * place) / frames}%`);
      const time = `${timeline.clock(frame / rate, frames / rate)}, frame ${frame}`;
      article.querySelector(".time").textContent = video.error ? `${time}. This browser cannot play the video.` : time;
      const spoken = rows.map((row, i) => {
        const at = timeline.lastStart(row.starts, frame);
        items[i].querySelector(".swatch").className = `swatch ${row.classes[at]}`;
        items[i].querySelector(".what").textContent = row.names[at];
        items[i].classList.toggle("differs", row.names[at] !== rows[0].names[timeline.lastStart(rows[0].starts, frame)]);
        return `${items[i].querySelector(".who").textContent} ${row.names[at]}`;
      });
      scrubber.setAttribute("aria-valuenow", String(frame));
      scrubber.setAttribute("aria-valuetext", [time, ...spoken].join(", "));
      mark(keyFrames[timeline.lastStart(keyStarts, frame)]);
    }

    // Mark the last key frame that was passed, and scroll the strip to it.
    function mark(keyFrame) {
      if (keyFrame === marked) return;
      if (marked) marked.removeAttribute("aria-current");
      marked = keyFrame;
      if (!keyFrame) return;
      keyFrame.setAttribute("aria-current", "true");
      const strip = keyFrame.parentElement;
      strip.scrollLeft = keyFrame.offsetLeft - (strip.clientWidth - keyFrame.offsetWidth) / 2;
    }

    function follow() {
      show();
      if (!video.paused && !video.ended) requestAnimationFrame(follow);
    }

    function seek(frame) {
      chosen = timeline.middleOf(frame, rate, frames);
      video.currentTime = chosen;
      show();
    }

    function toggle() {
      if (video.paused) video.play().catch(() => {});
      else video.pause();
    }

    video.addEventListener("play", () => {
      players.map((other) => other.querySelector("video")).forEach((other) => other !== video && other.pause());
      follow();
    });
    ["seeking", "seeked", "timeupdate", "loadedmetadata", "pause", "error"].forEach((name) => video.addEventListener(name, show));
    scrubber.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const go = (at) => {
        const box = scrubber.querySelector(".track").getBoundingClientRect();
        seek(Math.floor((frames * (at.clientX - box.left)) / box.width));
      };
      if (!event.target.closest(".track")) return;
      go(event);
      // Moving a finger scrolls the page; only a mouse drags.
      if (event.pointerType !== "mouse") return;
      scrubber.setPointerCapture(event.pointerId);
      scrubber.addEventListener("pointermove", go);
      const stop = () => scrubber.removeEventListener("pointermove", go);
      scrubber.addEventListener("pointerup", stop, { once: true });
      scrubber.addEventListener("pointercancel", stop, { once: true });
    });
    keyFrames.forEach((each) => each.addEventListener("click", () => seek(Number(each.dataset.frame))));
    article.addEventListener("keydown", (event) => {
      // The video handles keys itself, and space presses a focused button.
      if (event.target === video || event.ctrlKey || event.metaKey || event.altKey) return;
      const to = timeline.moved(event.key, timeline.frameAt(now(), rate, frames), rate, frames);
      if (to !== null) seek(to);
      else if (event.key === " " && !event.target.closest("button")) toggle();
      else return;
      event.preventDefault();
    });
    show();
  }
})();
