/** Thumbnails, loaded when they come into view and a few at a time: a browser opens six connections, and a film needs one. */

const AT_ONCE = 2;

/** Loads the pictures that it is given in the order in which they were seen, unless it is held. */
export class Thumbnails {
  constructor() {
    this.seen = [];
    this.loading = 0;
    this.held = false;
    this.observer = new IntersectionObserver((entries) => this.#noticed(entries), { rootMargin: "200px" });
  }

  /** Load a picture from its `data-src` once it is in view. @param {HTMLImageElement} picture */
  watch(picture) {
    this.observer.observe(picture);
  }

  /** Load none of the pictures that wait. */
  forget() {
    this.observer.disconnect();
    this.seen = [];
  }

  /** Load no more pictures while the list is not shown. */
  hold(held) {
    this.held = held;
    if (!held) this.#next();
  }

  #noticed(entries) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) this.seen.push(target);
      else this.seen = this.seen.filter((picture) => picture !== target);
    }
    this.#next();
  }

  #next() {
    while (!this.held && this.loading < AT_ONCE && this.seen.length) {
      const picture = this.seen.shift();
      this.observer.unobserve(picture);
      this.loading += 1;
      const ended = () => {
        this.loading -= 1;
        this.#next();
      };
      picture.addEventListener("load", ended, { once: true });
      picture.addEventListener("error", ended, { once: true });
      picture.src = picture.dataset.src;
    }
  }
}
