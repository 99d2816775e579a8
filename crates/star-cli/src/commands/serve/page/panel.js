// What stands beside the image: faces, the point that is looked at, the table of all, and what the network is.

import { axes, placed, ratioColor } from "./shapes.js";

const $ = (id) => document.getElementById(id);

export function make(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

export const number = (value, digits = 1) => (Number.isFinite(value) ? value.toFixed(digits) : "–");

/** What the network's landmarks are of, in a word. */
export const noun = (about, count = 1) => (about.finds_faces ? "face" : "object") + (count === 1 ? "" : "s");

/** The curves that a point lies on: "left eye". */
export function curves(about, point) {
  return about.edges.filter((edge) => edge.points.includes(point)).map((edge) => edge.name.replaceAll("_", " ")).join(", ");
}

/** A point in lines of name and value. */
export function describe(face, point, sigma) {
  const p = face.points[point];
  const spread = axes(face.covariance[point]);
  const lines = [
    ["place", placed(p) ? `${number(p.x)}, ${number(p.y)}` : "none"],
    ["score", number(face.scores[point], 2)],
  ];
  if (spread) {
    lines.push(
      ["ellipse", `${number(spread.long * sigma)} × ${number(spread.short * sigma)} px at ${sigma} σ`],
      ["axes", `${ratio(spread)}, long one at ${number(spread.angle, 0)}°`],
    );
  }
  return lines;
}

/** The same in few words. */
export function brief(face, point, sigma) {
  const p = face.points[point];
  const spread = axes(face.covariance[point]);
  const lines = [`${number(p.x)}, ${number(p.y)} · score ${number(face.scores[point], 2)}`];
  if (spread) lines.push(`${number(spread.long * sigma)} × ${number(spread.short * sigma)} px · ${ratio(spread)} · ${number(spread.angle, 0)}°`);
  return lines;
}

const ratio = (spread) => (Number.isFinite(spread.ratio) ? `${number(spread.ratio, 1)} : 1` : "a line");

function list(dl, lines) {
  dl.replaceChildren(...lines.flatMap(([name, value]) => [make("dt", { textContent: name }), make("dd", { textContent: value })]));
}

/** Something besides the pointer's own tip, and for who uses none. */
export function showPoint(focus, faces, about, sigma) {
  const face = focus && faces[focus.face];
  $("point-none").hidden = !!face;
  $("point").hidden = !face;
  $("point-title").textContent = face ? `Point ${focus.point}` : "Point";
  for (const row of $("table").querySelectorAll("tr.on")) row.classList.remove("on");
  if (!face) return;
  const lines = describe(face, focus.point, sigma);
  const on = curves(about, focus.point);
  if (on) lines.unshift(["on", on]);
  if (faces.length > 1) lines.unshift([noun(about), String(focus.face + 1)]);
  list($("point"), lines);
  $("table").querySelector(`tr[data-face="${focus.face}"][data-point="${focus.point}"]`)?.classList.add("on");
}

/** A line a face: how sure the network is of it. */
export function showFaces(faces, boxes, about, choose) {
  $("faces-title").textContent = faces.length ? `${faces.length} ${noun(about, faces.length)}` : `No ${noun(about)}`;
  $("faces").replaceChildren(
    ...faces.map((face, index) => {
      const bar = make("i");
      bar.style.width = `${Math.round(100 * (face.score || 0))}%`;
      const found = face.detected ? `; the detector scores it ${number(face.detected.score)}` : "";
      const turned = face.detected?.turned ? ` It is turned by ${face.detected.turned} degrees.` : "";
      const button = make(
        "button",
        { type: "button", title: `Mean score of its points: 1 where every heatmap is one narrow peak${found}.${turned} Click to see it near.` },
        make("span", { textContent: String(index + 1) }),
        make("span", { className: "meter" }, bar),
        make("span", { className: "value", textContent: `score ${number(face.score, 2)}` }),
      );
      button.addEventListener("click", () => choose(index));
      return make("li", {}, button);
    }),
  );
  $("by-hand").hidden = !boxes.length;
  $("by-hand").firstElementChild.textContent = boxes.length === 1 ? "1 box by hand" : `${boxes.length} boxes by hand`;
  $("again").textContent = about.finds_faces ? "Find faces instead" : "Take away";
}

/** Every point with its numbers. */
export function showTable(faces, pick) {
  $("table-group").hidden = !faces.length;
  const head = ["point", "x", "y", "score", "σ long", "σ short", "tilt"];
  const rows = faces.flatMap((face, f) =>
    face.points.map((p, i) => {
      const spread = axes(face.covariance[i]) ?? {};
      const name = faces.length > 1 ? `${f + 1}.${i}` : String(i);
      const cells = [number(p.x), number(p.y), number(face.scores[i], 2), number(spread.long), number(spread.short), `${number(spread.angle, 0)}°`];
      const row = make("tr", {}, make("th", { scope: "row", textContent: name }), ...cells.map((text) => make("td", { textContent: text })));
      Object.assign(row.dataset, { face: f, point: i });
      row.addEventListener("click", () => pick({ face: f, point: i }));
      return row;
    }),
  );
  const header = make("tr", {}, ...head.map((text) => make("th", { scope: "col", textContent: text })));
  const caption = make("caption", { textContent: "Pixels of the image; the middle of the first is (0, 0). σ: the heatmap's spread, as it is." });
  $("table").replaceChildren(caption, make("thead", {}, header), make("tbody", {}, ...rows));
}

/** What does not change while the page is open. */
export function showAbout(about) {
  const whose = about.shipped ? "the network that comes with the program" : "";
  const name = about.shipped ? "shipped network" : about.weights_file.split(/[/\\]/).pop();
  const more = make("span", { className: "more", textContent: `${about.points} points · ` });
  $("network").replaceChildren(`${about.layout} · `, more, name);
  $("network").title = about.weights_file;
  $("network").hidden = false;
  const megapixels = Math.round(about.most_pixels / 1e6);
  const lines = [
    ["layout", `${about.layout}, ${about.points} points, ${about.edges.length} curves`],
    ["weights", about.weights_file],
    ["", whose],
    ["trained", about.weights],
    ["uploads", `up to ${about.most_bytes / 2 ** 20} MiB and ${megapixels} megapixels; in memory, for as long as it takes`],
  ];
  list($("about"), lines.filter(([, value]) => value));
  explain(about);
  ramp(about);
}

function explain(about) {
  const some = [
    "The network gives a heatmap for each point. An ellipse has its shape and direction, drawn at so many standard deviations (σ). A long red one " +
      "lies along a contour: the point is uncertain along it. A round green one is as certain in every direction.",
  ];
  some.push(
    about.calibrated
      ? "Its size is that of the errors made on annotated faces that the network was not trained on, with one factor for each point: about 4 of 10 " +
          "points should lie inside 1 σ, and 9 of 10 inside 2 σ. docs/ambiguity.md has the figures."
      : "Compare their shapes rather than their sizes: these weights are not calibrated, and heatmaps are usually wider than the errors. " +
          "`star calibrate --write` measures by how much, on annotated faces.",
  );
  document.getElementById("explained").replaceChildren(...some.map((text) => make("p", { textContent: text })));
}

function ramp({ colors }) {
  const context = $("ramp").getContext("2d");
  const width = $("ramp").width;
  for (let x = 0; x < width; x++) {
    context.fillStyle = ratioColor(colors.most_ratio ** (x / (width - 1)), colors);
    context.fillRect(x, 0, 1, 1);
  }
  $("ramp-end").textContent = `${colors.most_ratio} : 1`;
}
