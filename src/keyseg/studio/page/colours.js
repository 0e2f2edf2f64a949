/** Colours of classes, ink that is readable on them, and the page's own colours, which style.css sets. */

/** Colours for classes that have none yet; the first are safe for colour-blind people (Okabe and Ito 2008). */
export const PALETTE = [
  "#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#f0e442", "#0f4b00", "#8778ff", "#69c387",
  "#96005a", "#5a4be1", "#b4e196", "#a54b3c", "#5a0f78", "#87d2ff", "#3c7878", "#f0c34b", "#ff78d2", "#4b4b78",
];

/** Red, green and blue, 0 to 255, of `#rrggbb`. */
export function channels(colour) {
  const number = parseInt(colour.slice(1), 16);
  return [(number >> 16) & 255, (number >> 8) & 255, number & 255];
}

/** Luminance of a colour, 0 to 1, as WCAG 2 defines it. */
function luminance(colour) {
  const [red, green, blue] = channels(colour).map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Contrast of two colours, from 1 to 21, as WCAG 2 defines it. */
export function contrast(one, other) {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

/** Black or white, whichever is readable on a colour: the contrast is at least 4.5. */
export function inkOn(colour) {
  return contrast(colour, "#000000") >= contrast(colour, "#ffffff") ? "#000000" : "#ffffff";
}

/** A colour for a new class: the first of the palette that no class has, or one by turns. */
export function nextColour(classes) {
  const taken = new Set(classes.map(({ colour }) => colour.toLowerCase()));
  return PALETTE.find((colour) => !taken.has(colour)) ?? PALETTE[classes.length % PALETTE.length];
}

/**
 * Colour and ink of each label. A label that is no class has a colour of the palette by its name.
 * @returns {(label: string) => {colour: string, ink: string, rgb: number[]}}
 */
export function colouring(classes) {
  const known = new Map();
  const add = (label, colour) => {
    const entry = { colour, ink: inkOn(colour), rgb: channels(colour) };
    known.set(label, entry);
    return entry;
  };
  for (const { name, colour } of classes) add(name, colour);
  return (label) => known.get(label) ?? add(label, PALETTE[hashed(label) % PALETTE.length]);
}

function hashed(text) {
  let value = 0;
  for (let place = 0; place < text.length; place += 1) value = (Math.imul(value, 31) + text.charCodeAt(place)) >>> 0;
  return value;
}

/** The page's colours as the style sheet has them now, with those of a page without one; font: the family. */
export function theme(element) {
  const style = getComputedStyle(element);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const colour = (name, light, night) => style.getPropertyValue(`--${name}`).trim() || (dark ? night : light);
  return {
    paper: colour("timeline-paper", "#ffffff", "#16181d"),
    track: colour("timeline-track", "#f1f3f6", "#20242b"),
    line: colour("timeline-line", "#dfe3e9", "#323841"),
    ink: colour("timeline-ink", "#1c2129", "#eef1f5"),
    muted: colour("timeline-muted", "#5d6673", "#9aa4b2"),
    wave: colour("timeline-wave", "#9db1cc", "#4d6180"),
    accent: colour("timeline-accent", "#1a66e0", "#78aaff"),
    font: style.fontFamily || "system-ui, sans-serif",
  };
}
