// Landmarks as SVG shapes, in pixels of the image: the middle of the first pixel is (0, 0). The looks are those of `star predict`.

const NS = "http://www.w3.org/2000/svg";
const DARK = "#000";
const DETECTED = "#ffe14d";
const CROP = "#b9a7ff";

export function element(name, attributes, parent) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent?.append(made);
  return made;
}

export const placed = (p) => p && Number.isFinite(p.x) && Number.isFinite(p.y);

/** Half axes at one standard deviation (pixels), the long one's angle (degrees, clockwise from the right, -90 to 90), their ratio. */
export function axes(covariance) {
  const { xx, xy, yy } = covariance ?? {};
  if (![xx, xy, yy].every(Number.isFinite)) return null;
  const mean = (xx + yy) / 2;
  const half = Math.hypot((xx - yy) / 2, xy);
  if (mean + half <= 0) return null;
  const long = Math.sqrt(mean + half);
  const short = Math.sqrt(Math.max(mean - half, 0));
  return { long, short, angle: (Math.atan2(2 * xy, xx - yy) / 2) * (180 / Math.PI), ratio: short > 0 ? long / short : Infinity };
}

/** The box of a face's points. */
export function bounds(points) {
  const good = points.filter(placed);
  if (!good.length) return null;
  const xs = good.map((p) => p.x);
  const ys = good.map((p) => p.y);
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return { x, y, w: Math.max(...xs) - x, h: Math.max(...ys) - y };
}

export function ratioColor(ratio, colors) {
  const { ratios, most_ratio: most } = colors;
  const fraction = Math.min(Math.log(Math.max(ratio, 1)) / Math.log(most), 1);
  return ratios[Math.round(fraction * (ratios.length - 1))];
}

/**
 * Widths in pixels of the image. On the page, where it is seen at `scale`, lines neither vanish nor hide the face; in an image that is
 * saved (no `scale`) they have the proportions that `star predict` gives them.
 */
function pen(points, scale) {
  const box = bounds(points);
  const size = box ? Math.sqrt(box.w * box.h) || 0 : 0;
  const unit = scale ? Math.min(Math.max(size * scale, 125), 430) / scale : Math.min(Math.max(size, 90), 4000);
  return { line: unit * 0.0065, dot: unit * 0.0085, rim: unit * 0.0045, text: Math.max(unit * 0.032, scale ? 10.5 / scale : 6), clear: unit * 0.06 };
}

/** Draws faces into `parent`. `look` has the layers (points, edges, ellipses, numbers, boxes) and `sigma`. */
export function drawFaces(parent, faces, about, look, scale) {
  faces.forEach((face, index) => {
    const group = element("g", { "stroke-linecap": "round", "stroke-linejoin": "round" }, parent);
    const widths = pen(face.points, scale);
    if (look.boxes) drawBoxes(group, face, widths, faces.length > 1 ? index + 1 : null);
    if (look.edges) drawEdges(group, face, about, widths);
    if (look.ellipses) drawEllipses(group, face, about, look.sigma, widths);
    if (look.points) drawPoints(group, face, about, widths);
    if (look.numbers) drawNumbers(group, face, about, widths);
  });
}

function drawBoxes(group, face, { line, text }, number) {
  const [x, y, w, h] = face.crop;
  element("rect", { x, y, width: w, height: h, fill: "none", stroke: CROP, "stroke-width": line, "stroke-dasharray": `${line * 4} ${line * 3}` }, group);
  const found = face.detected;
  if (found) {
    element("rect", { x: found.x, y: found.y, width: found.w, height: found.h, rx: line * 2, fill: "none", stroke: DETECTED, "stroke-width": line * 1.3 }, group);
  }
  if (number) label(group, { x: (found?.x ?? x) + text, y: (found?.y ?? y) + text }, text * 1.2, String(number), DETECTED);
}

function drawEdges(group, face, about, { line }) {
  const paths = about.edges.map(({ points, closed }) => {
    const good = points.map((i) => face.points[i]).filter(placed);
    return good.length > 1 ? `M${good.map((p) => `${round(p.x)} ${round(p.y)}`).join("L")}${closed ? "Z" : ""}` : "";
  });
  const d = paths.join("");
  element("path", { d, fill: "none", stroke: DARK, "stroke-opacity": 0.35, "stroke-width": line * 2 }, group);
  element("path", { d, fill: "none", stroke: about.colors.edges, "stroke-opacity": 0.95, "stroke-width": line }, group);
}

function drawEllipses(group, face, about, sigma, { line, clear }) {
  face.points.forEach((point, i) => {
    const spread = axes(face.covariance[i]);
    if (!placed(point) || !spread) return;
    const [rx, ry] = [spread.long * sigma, spread.short * sigma].map((r) => Math.max(r, 0.35 * line));
    // Many wide ones would hide the face, and matter less than its points.
    const ink = Math.min(Math.max(clear / rx, 0.2), 1);
    const color = ratioColor(spread.ratio, about.colors);
    const shape = { cx: round(point.x), cy: round(point.y), rx: round(rx), ry: round(ry), transform: `rotate(${round(spread.angle)} ${round(point.x)} ${round(point.y)})` };
    element("ellipse", { ...shape, fill: "none", stroke: DARK, "stroke-opacity": 0.3 * ink, "stroke-width": line * 1.5 }, group);
    element("ellipse", { ...shape, fill: color, "fill-opacity": 0.14 * ink * ink, stroke: color, "stroke-opacity": 0.9 * ink, "stroke-width": line * 0.8 }, group);
  });
}

function drawPoints(group, face, about, { dot, rim }) {
  for (const p of face.points.filter(placed)) {
    element("circle", { cx: round(p.x), cy: round(p.y), r: dot + rim / 2, fill: about.colors.points, stroke: DARK, "stroke-opacity": 0.55, "stroke-width": rim }, group);
  }
}

/** Each number stands on the far side of its point from the middle of the face, where there is most room. */
function drawNumbers(group, face, about, { dot, text }) {
  const good = face.points.filter(placed);
  const mean = (key) => good.reduce((sum, p) => sum + p[key], 0) / good.length;
  const [cx, cy] = [mean("x"), mean("y")];
  face.points.forEach((p, i) => {
    if (!placed(p)) return;
    const away = Math.hypot(p.x - cx, p.y - cy) || 1;
    const out = dot + text * 0.85;
    label(group, { x: p.x + ((p.x - cx) / away) * out, y: p.y + ((p.y - cy) / away) * out }, text, String(i), about.colors.points);
  });
}

function label(group, { x, y }, size, text, color) {
  const shape = { x: round(x), y: round(y), "font-size": round(size), "text-anchor": "middle", "dominant-baseline": "central", "font-family": "sans-serif" };
  const made = element("text", { ...shape, fill: color, stroke: DARK, "stroke-opacity": 0.75, "stroke-width": round(size * 0.22), "paint-order": "stroke" }, group);
  made.textContent = text;
}

/** The point that a person looks at: a ring, and its ellipse even where ellipses are off. */
export function drawFocus(parent, face, point, about, sigma, scale) {
  const p = face.points[point];
  if (!placed(p)) return;
  const group = element("g", {}, parent);
  const px = 1 / scale;
  const spread = axes(face.covariance[point]);
  if (spread) {
    const color = ratioColor(spread.ratio, about.colors);
    const shape = { cx: p.x, cy: p.y, rx: Math.max(spread.long * sigma, px), ry: Math.max(spread.short * sigma, px), transform: `rotate(${spread.angle} ${p.x} ${p.y})` };
    element("ellipse", { ...shape, fill: color, "fill-opacity": 0.28, stroke: DARK, "stroke-opacity": 0.5, "stroke-width": 4 * px }, group);
    element("ellipse", { ...shape, fill: "none", stroke: color, "stroke-width": 2 * px }, group);
  }
  element("circle", { cx: p.x, cy: p.y, r: 7.5 * px, fill: "none", stroke: DARK, "stroke-opacity": 0.6, "stroke-width": 4.5 * px }, group);
  element("circle", { cx: p.x, cy: p.y, r: 7.5 * px, fill: "none", stroke: "#fff", "stroke-width": 2 * px }, group);
  element("circle", { cx: p.x, cy: p.y, r: 2.4 * px, fill: "#fff", stroke: DARK, "stroke-width": 1 * px }, group);
}

/** A box that is being drawn, or was. */
export function drawBox(parent, { x, y, w, h }, scale) {
  const shape = { x, y, width: w, height: h, fill: "none", rx: 2 / scale };
  element("rect", { ...shape, stroke: DARK, "stroke-opacity": 0.5, "stroke-width": 4 / scale }, parent);
  element("rect", { ...shape, stroke: "#fff", "stroke-width": 2 / scale, "stroke-dasharray": `${6 / scale} ${4 / scale}` }, parent);
}

function round(value) {
  return Math.round(value * 1000) / 1000;
}
