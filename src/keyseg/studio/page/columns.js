/** An index of a row for drawing: which segments are visible, and one colour per pixel where they are too narrow. */

/**
 * Typed arrays of a row, so that thousands of segments are walked through in microseconds.
 * @param {(label: string) => {rgb: number[]}} colourOf
 */
export function indexed(segments, colourOf) {
  const starts = new Int32Array(segments.length);
  const ends = new Int32Array(segments.length);
  const rgb = new Uint8Array(3 * segments.length);
  segments.forEach((segment, place) => {
    starts[place] = segment.start_frame;
    ends[place] = segment.end_frame;
    rgb.set(colourOf(segment.label).rgb, 3 * place);
  });
  return { starts, ends, rgb };
}

/** First and last (excluded) of the segments that overlap a view. */
export function visible({ starts, ends }, { from, to }) {
  return [firstAbove(ends, from), firstAbove(starts, to - 1e-9)];
}

/** Index of the first of sorted numbers that is greater. */
export function firstAbove(sorted, value) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Blend the segments of a view that are narrower than `widest` pixels into one colour per pixel, by the time that each
 * takes there; opacity is the share of the pixel that is labelled.
 * @param {Uint8ClampedArray} pixels RGBA, 4 per pixel; all are set.
 * @returns {number[]} the visible segments that are wider, to be drawn one by one.
 */
export function blend(index, view, pixels, widest) {
  const width = pixels.length / 4;
  const scale = width / (view.to - view.from);
  const sums = new Float32Array(4 * width);
  const wide = [];
  const [first, last] = visible(index, view);
  for (let place = first; place < last; place += 1) {
    const start = (index.starts[place] - view.from) * scale;
    const end = (index.ends[place] - view.from) * scale;
    if (end - start >= widest) wide.push(place);
    else add(sums, index.rgb, 3 * place, Math.max(0, start), Math.min(width, end));
  }
  for (let place = 0; place < sums.length; place += 4) {
    const share = sums[place + 3];
    for (let channel = 0; channel < 3; channel += 1) pixels[place + channel] = sums[place + channel] / (share || 1);
    pixels[place + 3] = 255 * share;
  }
  return wide;
}

function add(sums, rgb, colour, start, end) {
  for (let column = Math.floor(start); column < end; column += 1) {
    const share = Math.min(end, column + 1) - Math.max(start, column);
    for (let channel = 0; channel < 3; channel += 1) sums[4 * column + channel] += share * rgb[colour + channel];
    sums[4 * column + 3] += share;
  }
}

/**
 * The greatest (or smallest, by `better`) of evenly spaced values in each of so many pixels of a view; NaN outside.
 * @param {ArrayLike<number>} values over the whole video of so many frames.
 */
export function reduced(values, frames, view, pixels, better) {
  const result = new Float32Array(pixels).fill(NaN);
  const perPixel = (((view.to - view.from) / pixels) * values.length) / frames;
  const start = (view.from * values.length) / frames;
  for (let pixel = 0; pixel < pixels; pixel += 1) {
    const first = Math.floor(start + pixel * perPixel);
    const last = Math.min(values.length, Math.max(first + 1, Math.floor(start + (pixel + 1) * perPixel)));
    for (let place = first; place < last; place += 1) {
      if (!(result[pixel] >= 0)) result[pixel] = values[place];
      else result[pixel] = better(result[pixel], values[place]);
    }
  }
  return result;
}
