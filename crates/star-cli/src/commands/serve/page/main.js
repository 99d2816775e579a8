// What happens when: an image comes in, is sent, is answered, is looked at.

import { Problem, about as askAbout, predict } from "./api.js";
import { Camera } from "./camera.js";
import { brief, curves, describe, make, noun, number, showAbout, showFaces, showPoint, showTable } from "./panel.js";
import { saveJson, savePng, saveSvg } from "./save.js";
import { bounds } from "./shapes.js";
import { Stage } from "./stage.js";

const $ = (id) => document.getElementById(id);

/** A followed face whose score falls below this is looked for again; `predict --track-score` has the same. */
const TRACK_SCORE = 0.5;
/** After so long new faces are looked for, milliseconds. */
const LOOK_AGAIN = 2000;
/** Nothing is told of what is done sooner, milliseconds. */
const PATIENCE = 250;
/** The panel follows the camera this often, milliseconds: a button that is made anew at every frame cannot be pressed. */
const PANEL_EVERY = 400;
/** On a stage narrower than this there is no room beside a point, pixels. */
const NARROW = 560;
const SAMPLE = "astronaut.jpg";

let about = null;
/** The image: image, width, height, name, blob; `taken` if the camera made it. */
let shown = null;
/** Its answer: text and document. */
let answer = null;
let boxes = [];
let asking = null;
let camera = null;
let opened = 0;
let panelShown = 0;

const look = { points: true, edges: true, ellipses: true, numbers: false, boxes: false, sigma: 1 };
const stage = new Stage($("stage"), { pick: focusOn, box: addBox });
stage.look = look;
stage.onpaint = placeTip;

const faces = () => answer?.document.faces ?? [];

// An image comes in

async function open(blob, name) {
  stopCamera();
  hideCard();
  if (blob.size > about.most_bytes) {
    return showCard("That file is too large", `${name} has ${number(blob.size / 2 ** 20, 0)} MiB; up to ${about.most_bytes / 2 ** 20} are taken. Save it smaller and try again.`);
  }
  const mine = ++opened;
  const image = await decode(blob);
  if (mine !== opened) return; // Another one came meanwhile.
  show({ image, width: image?.width ?? 0, height: image?.height ?? 0, name, blob });
  if (about.finds_faces || !image) return ask();
  boxMode(true);
  showCard(
    "Where is it?",
    `These weights are for “${about.layout}”, which the face detector cannot find. Draw a box around one: it should just hold all ${about.points} points.`,
    { label: "Take the whole image", action: () => addBox({ x: 0, y: 0, w: shown.width, h: shown.height }) },
    "Draw a box",
  );
}

/** Upright; null for what this browser cannot show. The server has the last word. */
async function decode(blob) {
  const bitmap = await createImageBitmap(blob).catch(() => null);
  if (bitmap) return bitmap;
  // A file that is cut off, for one: an image element shows as much as there is.
  const url = URL.createObjectURL(blob);
  const image = new Image();
  const loaded = new Promise((resolve) => Object.assign(image, { onload: () => resolve(image), onerror: () => resolve(null) }));
  image.src = url;
  return loaded.finally(() => URL.revokeObjectURL(url));
}

function show(next) {
  asking?.abort();
  busy(null);
  shown?.image?.close?.();
  shown = next;
  answer = null;
  boxes = [];
  boxMode(false);
  $("empty").hidden = true;
  stage.setImage(shown.image, shown.width, shown.height);
  update();
}

// The server is asked

async function ask() {
  asking?.abort();
  hideCard();
  const mine = (asking = new AbortController());
  const { name, blob } = shown;
  const begin = performance.now();
  const patience = setTimeout(() => busy("Looking …"), PATIENCE);
  try {
    const options = { name, boxes, passes: passes(), signal: mine.signal, onBusy: () => busy("The server is busy; trying again …") };
    const answered = await predict(blob, options);
    if (mine !== asking) return;
    const first = !answer;
    take(answered);
    tellResult(performance.now() - begin, answered.truncated);
    if (faces().length && first) stage.showFaces();
    if (!faces().length) offerBox();
  } catch (error) {
    if (error.name === "AbortError" || mine !== asking) return;
    answer = null;
    update();
    tell("");
    const again = error.code === "gone" || error.code === "busy";
    const title = { unreadable: "That file cannot be read", gone: "No answer", query: "That box cannot be used" }[error.code];
    showCard(title ?? "That did not work", error.message, again ? { label: "Try again", action: ask } : null);
    if (error.code === "query") boxes = [];
    if (!shown.image && !again) forget();
  } finally {
    clearTimeout(patience);
    if (mine === asking) busy(null);
  }
}

function take(answered) {
  answer = answered;
  const { width, height } = answered.document;
  if (shown.width !== width || shown.height !== height) {
    // What the server saw counts: it is what the points are pixels of.
    Object.assign(shown, { width, height });
    stage.setImage(shown.image, width, height);
  }
  hideCard();
  boxMode(false);
  update();
}

function tellResult(milliseconds, truncated) {
  const count = faces().length;
  const scores = faces().map((face) => number(face.score, 2));
  const told = [
    `${shown.name}, ${shown.width} × ${shown.height} pixels: `,
    count ? `${count} ${noun(about, count)}, ${count === 1 ? "score" : "scores"} ${scores.join(", ")}` : `no ${noun(about)} found`,
    `, ${number(milliseconds / 1000, 2)} s`,
    truncated ? ". The file is cut off; what is missing is grey." : "",
  ];
  tell(told.join(""));
}

function offerBox() {
  showCard(
    "No face found here",
    "Faces are found when they are upright, look more or less this way, and are not tiny in the image. If there is one, draw a box around it, from the brows to the chin, and see what the network makes of it.",
    { label: "Draw a box", action: () => boxMode(true) },
  );
}

// Boxes by hand

function addBox(box) {
  if (camera) {
    boxes = [box];
    return boxMode(false);
  }
  boxes = [...boxes, box];
  ask();
}

function boxMode(on) {
  stage.set({ boxing: on, boxes });
  $("box").setAttribute("aria-pressed", String(on));
  const from = about.finds_faces ? "from the brows to the chin" : "just around all its points";
  hint(on ? `Drag a box ${from}. Escape ends it.` : null);
  if (on) focusOn(null);
}

// The camera

async function startCamera() {
  hideCard();
  const next = new Camera();
  busy("Waiting for the camera …");
  try {
    await next.start();
  } catch (error) {
    busy(null);
    return showCard("No camera", error.message);
  }
  asking?.abort();
  busy(null);
  camera = next;
  show({ image: null, width: 0, height: 0, name: "camera.jpg", blob: null, taken: true });
  $("camera").setAttribute("aria-pressed", "true");
  $("camera").textContent = "Keep this image";
  watch(next);
}

/** Stops it, and leaves its last image with its answer. */
function stopCamera() {
  if (!camera) return;
  camera.stop();
  camera = null;
  $("camera").setAttribute("aria-pressed", "false");
  $("camera").textContent = "Camera";
  hint(null);
  update();
}

async function watch(mine) {
  let followed = [];
  let looked = 0;
  let times = [];
  while (mine === camera && mine.running) {
    const frame = await mine.frame();
    if (!frame || document.hidden) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      continue;
    }
    const search = !followed.length || performance.now() - looked > LOOK_AGAIN;
    try {
      if (about.finds_faces || boxes.length) {
        const where = boxes.length ? boxes : search ? [] : followed;
        const answered = await predict(frame.blob, { name: "camera.jpg", boxes: where, passes: passes(), tries: 1 });
        if (mine !== camera) return;
        if (search) looked = performance.now();
        answer = answered;
        const sure = faces().every((face) => face.score >= TRACK_SCORE);
        followed = sure ? faces().map((face) => inside(bounds(face.points), frame.canvas)).filter(Boolean) : [];
        if (followed.length < faces().length) followed = [];
      } else {
        await new Promise((resolve) => setTimeout(resolve, 60));
        if (mine !== camera) return;
        if (!stage.boxing) boxMode(true);
      }
    } catch (error) {
      if (mine !== camera) return;
      if (error.code !== "busy") {
        stopCamera();
        return showCard("The camera was stopped", error.message);
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
      continue;
    }
    const { width, height } = frame.canvas;
    Object.assign(shown, { image: frame.canvas, width, height, blob: frame.blob });
    stage.setImage(shown.image, width, height, true);
    stage.focus = null;
    times = [...times, performance.now()].slice(-15);
    const rate = times.length > 4 ? `, ${number((times.length - 1) / ((times.at(-1) - times[0]) / 1000), 0)} images a second` : "";
    tell(`camera, ${width} × ${height} pixels: ${faces().length || "no"} ${noun(about, faces().length)}${rate}`, false);
    update();
  }
  if (mine === camera) {
    stopCamera();
    showCard("The camera stopped", "It was unplugged, or the browser took it away.");
  }
}

/** The part of a followed face's box that is in the image, or null if that is too little to go on. */
function inside(box, { width, height }) {
  if (!box || box.w < 16 || box.h < 16 || box.w > width * 2 || box.h > height * 2) return null;
  const middle = { x: box.x + box.w / 2, y: box.y + box.h / 2 };
  const seen = middle.x > 0 && middle.y > 0 && middle.x < width && middle.y < height;
  return seen ? Object.fromEntries(Object.entries(box).map(([k, v]) => [k, Math.round(v * 10) / 10])) : null;
}

// What is shown

/** Makes everything follow the image and its answer. */
function update() {
  stage.set({ faces: faces(), boxes });
  const ready = !!shown?.image || !!answer;
  const live = !!camera;
  for (const id of ["out", "in", "whole"]) $(id).disabled = !ready;
  $("near").disabled = !faces().length;
  $("box").disabled = !ready || live;
  $("numbers-do").disabled = !ready || live;
  for (const id of ["save-json", "save-png", "save-svg"]) $(id).disabled = live;
  $("result").hidden = !answer;
  if (live && performance.now() - panelShown < PANEL_EVERY) return;
  panelShown = performance.now();
  const size = ready ? `${shown.width} × ${shown.height} pixels` : "";
  $("numbers-hint").textContent = ready ? `Pixels of the image, which has ${size}. The box should just hold the points.` : "When there is an image.";
  const what = answer ? `${faces().length} ${noun(about, faces().length)}` : "not answered yet";
  $("stage").setAttribute("aria-label", ready ? `${shown.name}, ${size}, ${what}` : "No image yet");
  showFaces(faces(), boxes, about, (index) => stage.showFaces([index]));
  // Sixty tables a second help nobody.
  showTable(live ? [] : faces(), focusOn);
  showPoint(stage.focus, faces(), about, look.sigma);
}

function forget() {
  shown = null;
  stage.setImage(null, 0, 0);
  update();
}

function focusOn(focus) {
  const same = focus?.face === stage.focus?.face && focus?.point === stage.focus?.point;
  if (same && !!focus === !!stage.focus) return;
  stage.set({ focus });
  showPoint(focus, faces(), about, look.sigma);
}

/** Beside the point, where there is room. */
function placeTip() {
  const tip = $("tip");
  const focus = stage.focus;
  const face = focus && faces()[focus.face];
  tip.hidden = !face;
  if (!face) return;
  const on = curves(about, focus.point);
  const lines = brief(face, focus.point, look.sigma).map((text) => make("span", { textContent: text }));
  tip.replaceChildren(make("b", { textContent: String(focus.point) }), on, ...lines);
  const at = stage.toScreen(face.points[focus.point]);
  const { clientWidth: width, clientHeight: height } = stage.root;
  const [wide, high] = [tip.offsetWidth, tip.offsetHeight];
  const box = bounds(face.points);
  const place =
    width < NARROW
      ? { x: (width - wide) / 2, y: at.y > height / 2 ? 0 : height }
      : // Away from the face's middle, so that it does not hide what is looked at.
        { x: at.x < stage.toScreen({ x: box.x + box.w / 2, y: 0 }).x ? at.x - 24 - wide : at.x + 24, y: at.y - high / 2 };
  const clamp = (value, most) => Math.min(Math.max(value, 8), Math.max(most - 8, 8));
  tip.style.transform = `translate(${clamp(place.x, width - wide)}px, ${clamp(place.y, height - high)}px)`;
}

function setSigma(sigma) {
  look.sigma = Number(sigma.toFixed(2));
  $("sigma").value = String(look.sigma);
  $("sigma-value").textContent = `${look.sigma} σ`;
  stage.paint();
  showPoint(stage.focus, faces(), about, look.sigma);
}

function setLayer(name, on) {
  look[name] = on;
  document.querySelector(`[data-layer="${name}"]`).checked = on;
  $("ellipses").hidden = !look.ellipses;
  $("boxes-key").hidden = !look.boxes;
  stage.paint();
}

const passes = () => ($("passes").checked ? Math.max(2, about.passes) : 1);

function tell(text, aloud = true) {
  const status = $("status");
  status.setAttribute("aria-live", aloud ? "polite" : "off");
  if (status.textContent !== text) status.textContent = text;
}

function busy(text) {
  $("busy").hidden = !text;
  if (text) $("busy-text").textContent = text;
}

function hint(text) {
  $("hint").hidden = !text;
  $("hint").textContent = text ?? "";
}

let cardAction = null;

function showCard(title, text, action = null, close = "Close") {
  $("card-title").textContent = title;
  $("card-text").textContent = text;
  cardAction = action?.action ?? null;
  $("card-do").hidden = !action;
  $("card-do").textContent = action?.label ?? "";
  $("card-close").textContent = close;
  $("card-close").className = action ? "" : "main";
  $("card").hidden = false;
  $("empty").hidden = true;
  tell("");
  $(action ? "card-do" : "card-close").focus({ preventScroll: true });
}

function hideCard() {
  $("card").hidden = true;
  $("empty").hidden = !!shown;
}

// What a person does

function openFiles(files) {
  const [first] = files;
  if (!first) return showCard("That was no file", "An image of another page has to be saved first; then drop the file here.");
  open(first, first.name || "pasted.png");
}

async function openSample() {
  const response = await fetch(`/${SAMPLE}`).catch(() => null);
  if (!response?.ok) return showCard("No answer", "The server does not answer. Is it still running in its terminal?");
  open(await response.blob(), SAMPLE);
}

function stepPoint(step) {
  const all = faces().flatMap((face, f) => face.points.map((_, i) => ({ face: f, point: i })));
  if (!all.length) return;
  const now = all.findIndex((p) => p.face === stage.focus?.face && p.point === stage.focus?.point);
  const next = typeof step === "string" ? (step === "Home" ? 0 : all.length - 1) : (now + step + all.length + (now < 0 && step < 0 ? 1 : 0)) % all.length;
  focusOn(all[next]);
  const { face, point } = all[next];
  const lines = describe(faces()[face], point, look.sigma).map((line) => line.join(" "));
  $("say").textContent = [`point ${point}`, curves(about, point), ...lines].filter(Boolean).join(", ");
}

const STAGE_KEYS = {
  ArrowRight: () => stepPoint(1),
  ArrowDown: () => stepPoint(1),
  ArrowLeft: () => stepPoint(-1),
  ArrowUp: () => stepPoint(-1),
  Home: () => stepPoint("Home"),
  End: () => stepPoint("End"),
};

const PAGE_KEYS = {
  "+": () => stage.zoomIn(),
  "=": () => stage.zoomIn(),
  "-": () => stage.zoomOut(),
  0: () => stage.showWhole(),
  f: () => stage.showFaces(),
};

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    if (stage.boxing) boxMode(false);
    else if (!$("card").hidden) hideCard();
    else focusOn(null);
    return;
  }
  if (event.target.matches("input:not([type=checkbox]), textarea, select")) return;
  const layers = [...document.querySelectorAll("[data-layer]")];
  const layer = layers[Number(event.key) - 1];
  const action = (event.target === stage.root && STAGE_KEYS[event.key]) || PAGE_KEYS[event.key.toLowerCase()];
  if (!action && !layer) return;
  event.preventDefault();
  if (layer) setLayer(layer.dataset.layer, !layer.checked);
  else action();
}

function listen() {
  $("choose").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", () => {
    if ($("file").files.length) openFiles($("file").files);
    $("file").value = "";
  });
  $("sample").addEventListener("click", openSample);
  $("try").addEventListener("click", openSample);
  $("camera").addEventListener("click", () => (camera ? stopCamera() : startCamera()));
  $("box").addEventListener("click", () => {
    hideCard();
    boxMode(!stage.boxing);
  });
  $("out").addEventListener("click", () => stage.zoomOut());
  $("in").addEventListener("click", () => stage.zoomIn());
  $("whole").addEventListener("click", () => stage.showWhole());
  $("near").addEventListener("click", () => stage.showFaces());
  $("again").addEventListener("click", () => {
    boxes = [];
    if (about.finds_faces) return ask();
    answer = null;
    update();
    boxMode(true);
  });
  for (const box of document.querySelectorAll("[data-layer]")) box.addEventListener("change", () => setLayer(box.dataset.layer, box.checked));
  $("sigma").addEventListener("input", () => setSigma($("sigma").valueAsNumber));
  $("passes").addEventListener("change", () => answer && !camera && ask());
  $("card-close").addEventListener("click", hideCard);
  $("card-do").addEventListener("click", () => {
    hideCard();
    cardAction?.();
  });
  $("numbers").addEventListener("submit", (event) => {
    event.preventDefault();
    const value = (name) => event.target.elements[name].valueAsNumber;
    addBox({ x: value("x"), y: value("y"), w: value("w"), h: value("h") });
  });
  const saving = (work) => () => Promise.resolve().then(work).catch((error) => showCard("That did not work", error.message));
  $("save-json").addEventListener("click", saving(() => saveJson(answer.text, shown.name)));
  $("save-png").addEventListener("click", saving(() => savePng(shown, faces(), about, look, shown.name)));
  $("save-svg").addEventListener("click", saving(() => saveSvg(shown, faces(), about, look, shown.name)));
  document.addEventListener("keydown", key);
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) openFiles(files);
  });
  let over = 0;
  addEventListener("dragenter", (event) => {
    event.preventDefault();
    over++;
    $("drop").hidden = false;
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("dragleave", () => {
    over = Math.max(0, over - 1);
    $("drop").hidden = over === 0;
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    over = 0;
    $("drop").hidden = true;
    openFiles([...(event.dataTransfer?.files ?? [])]);
  });
}

async function begin() {
  try {
    about = await askAbout();
  } catch (error) {
    return showCard("No answer", error instanceof Problem ? error.message : String(error));
  }
  stage.about = about;
  showAbout(about);
  $("sigma").max = String(Math.max(3, about.sigma));
  const presets = [...new Set([about.sigma, 1, 2, 3])].sort((a, b) => a - b);
  for (const sigma of presets) {
    const name = sigma === 1 && !about.calibrated ? "1 σ, raw" : `${sigma} σ`;
    const button = make("button", { type: "button", className: "small", textContent: name });
    button.addEventListener("click", () => setSigma(sigma));
    $("sigmas").append(button);
  }
  setSigma(about.sigma);
  $("passes").checked = about.passes > 1;
  // A browser that is shown an old page again remembers its boxes.
  for (const box of document.querySelectorAll("[data-layer]")) box.checked = look[box.dataset.layer];
  listen();
  update();
}

begin();
