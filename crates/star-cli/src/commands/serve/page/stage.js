// The image with what is drawn over it: zoom, pan, picking points, drawing boxes. Everything is in pixels of the image, the middle of
// the first pixel at (0, 0), so the image itself begins at -0.5.

import { bounds, drawBox, drawFaces, drawFocus, placed } from "./shapes.js";

/** How near a point has to be to the pointer, in pixels of the screen. */
const NEAR = { mouse: 16, touch: 28 };
/** A drag that is shorter is a click. */
const CLICK = 5;
/** Pixels of the screen for one of the image, at most. */
const MOST_SCALE = 40;
const SMALLEST_BOX = 8;
const STEP = 1.35;
/** A view that is not smaller than this fraction of the whole is no nearer look. */
const NEAR_IS = 0.8;

const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Stage {
  /** Calls back `pick(face, point)` (null for none) when the pointer is at a point, and `box({x, y, w, h})` when one was drawn. */
  constructor(root, { pick, box }) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.overlay = root.querySelector("svg#overlay");
    this.on = { pick, box };
    this.shown = null;
    this.faces = [];
    this.boxes = [];
    this.look = {};
    this.focus = null;
    this.boxing = false;
    this.drawn = null;
    this.fit = "whole";
    this.view = { x: 0, y: 0, w: 1, h: 1 };
    this.pointers = new Map();
    new ResizeObserver(() => this.#resize()).observe(root);
    for (const kind of ["down", "move", "up", "cancel", "leave"]) {
      root.addEventListener(`pointer${kind}`, (event) => this.#pointer(kind, event));
    }
    root.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  /** `image` is anything that a canvas can draw, or null for an image that this browser cannot show. */
  setImage(image, width, height, keepView = false) {
    const same = keepView && this.shown?.width === width && this.shown?.height === height;
    this.shown = width ? { image, width, height } : null;
    this.root.classList.toggle("filled", !!this.shown);
    if (!same) {
      this.faces = [];
      this.focus = null;
      this.showWhole(false);
    }
    this.paint();
  }

  /** What is drawn over it, all at once. */
  set(changes) {
    Object.assign(this, changes);
    this.root.classList.toggle("boxing", this.boxing);
    this.paint();
  }

  get scale() {
    return this.root.clientWidth / this.view.w;
  }

  showWhole(slowly = true) {
    this.fit = "whole";
    if (this.shown) this.#go(this.#around({ x: -0.5, y: -0.5, w: this.shown.width, h: this.shown.height }), slowly);
  }

  /** Brings these faces near; all of them if none are named. */
  showFaces(indices = this.faces.keys(), slowly = true) {
    const boxes = [...indices].map((i) => bounds(this.faces[i].points)).filter(Boolean);
    if (!this.shown || !boxes.length) return;
    const x = Math.min(...boxes.map((b) => b.x));
    const y = Math.min(...boxes.map((b) => b.y));
    const w = Math.max(...boxes.map((b) => b.x + b.w)) - x;
    const h = Math.max(...boxes.map((b) => b.y + b.h)) - y;
    // Room for the forehead and for what is around.
    const side = Math.max(...boxes.map((b) => Math.max(b.w, b.h)), 8);
    const view = this.#around({ x: x - side * 0.3, y: y - side * 0.42, w: w + side * 0.6, h: h + side * 0.66 });
    const { width, height } = this.shown;
    const whole = this.#around({ x: -0.5, y: -0.5, w: width, h: height });
    if (view.w > whole.w * NEAR_IS) return this.showWhole(slowly);
    // Rather more of the image than emptiness beside it.
    const inside = (start, length, all) => (length > all ? (all - length) / 2 : Math.min(Math.max(start, -0.5), all - length));
    this.fit = null;
    this.#go({ ...view, x: inside(view.x, view.w, width), y: inside(view.y, view.h, height) }, slowly);
  }

  zoom(factor, at) {
    if (!this.shown) return;
    const { clientWidth: width, clientHeight: height } = this.root;
    const whole = this.#around({ x: -0.5, y: -0.5, w: this.shown.width, h: this.shown.height });
    const scale = Math.min(Math.max(this.scale * factor, width / whole.w), MOST_SCALE);
    const point = at ?? { x: width / 2, y: height / 2 };
    const before = this.toImage(point);
    this.view = { x: before.x - point.x / scale, y: before.y - point.y / scale, w: width / scale, h: height / scale };
    this.fit = null;
    if (scale <= (width / whole.w) * 1.001) return this.showWhole(false);
    this.#settle();
  }

  zoomIn() {
    this.zoom(STEP);
  }

  zoomOut() {
    this.zoom(1 / STEP);
  }

  toImage({ x, y }) {
    return { x: this.view.x + x / this.scale, y: this.view.y + y / this.scale };
  }

  toScreen({ x, y }) {
    return { x: (x - this.view.x) * this.scale, y: (y - this.view.y) * this.scale };
  }

  /** Draws before the browser shows the next frame. */
  paint() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.#paint();
    });
  }

  #paint() {
    const { clientWidth: width, clientHeight: height } = this.root;
    const sharp = Math.min(devicePixelRatio || 1, 3);
    const context = this.canvas.getContext("2d");
    const [w, h] = [Math.round(width * sharp), Math.round(height * sharp)];
    if (this.canvas.width !== w || this.canvas.height !== h) Object.assign(this.canvas, { width: w, height: h });
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, w, h);
    this.overlay.replaceChildren();
    if (!this.shown) return;
    const scale = this.scale * sharp;
    context.setTransform(scale, 0, 0, scale, -this.view.x * scale, -this.view.y * scale);
    context.imageSmoothingEnabled = this.scale < 12;
    context.imageSmoothingQuality = "high";
    const { image, width: pw, height: ph } = this.shown;
    if (image) {
      context.drawImage(image, -0.5, -0.5, pw, ph);
    } else {
      context.fillStyle = "#8888";
      context.fillRect(-0.5, -0.5, pw, ph);
    }
    this.overlay.setAttribute("viewBox", [this.view.x, this.view.y, this.view.w, this.view.h].join(" "));
    drawFaces(this.overlay, this.faces, this.about, this.look, this.scale);
    for (const box of this.boxing || this.look.boxes ? this.boxes : []) drawBox(this.overlay, box, this.scale);
    if (this.drawn) drawBox(this.overlay, this.drawn, this.scale);
    const focused = this.focus && this.faces[this.focus.face];
    if (focused) drawFocus(this.overlay, focused, this.focus.point, this.about, this.look.sigma, this.scale);
    this.onpaint?.();
  }

  /** The smallest view in the stage's shape that has all of `box`. */
  #around(box) {
    const shape = this.root.clientWidth / Math.max(this.root.clientHeight, 1) || 1;
    const w = Math.max(box.w, box.h * shape);
    const h = w / shape;
    return { x: box.x + (box.w - w) / 2, y: box.y + (box.h - h) / 2, w, h };
  }

  #go(view, slowly) {
    cancelAnimationFrame(this.moving);
    const from = this.view;
    if (!slowly || calm.matches || document.hidden) {
      this.view = view;
      return this.#settle();
    }
    const begin = performance.now();
    const step = (now) => {
      const t = Math.min(Math.max((now - begin) / 420, 0), 1);
      const ease = 1 - (1 - t) ** 3;
      this.view = Object.fromEntries(Object.keys(view).map((k) => [k, from[k] + (view[k] - from[k]) * ease]));
      this.#settle();
      if (t < 1) this.moving = requestAnimationFrame(step);
    };
    this.moving = requestAnimationFrame(step);
  }

  /** Keeps the image in sight. */
  #settle() {
    if (this.shown) {
      const { width, height } = this.shown;
      const keep = (start, length, whole) => {
        const [low, high] = length > whole ? [whole - length, 0] : [0, whole - length];
        // A third of the view may be empty: points can lie beyond the border.
        const room = length / 3;
        return Math.min(Math.max(start, low - room), high + room);
      };
      this.view.x = keep(this.view.x, this.view.w, width);
      this.view.y = keep(this.view.y, this.view.h, height);
    }
    this.root.classList.toggle("zoomed", this.fit !== "whole");
    this.paint();
  }

  #resize() {
    if (this.fit === "whole") return this.showWhole(false);
    // The same middle, the same scale across.
    const shape = this.root.clientWidth / Math.max(this.root.clientHeight, 1);
    const h = this.view.w / shape;
    this.view = { ...this.view, y: this.view.y + (this.view.h - h) / 2, h };
    this.#settle();
  }

  #place(event) {
    const box = this.root.getBoundingClientRect();
    return { x: event.clientX - box.left - this.root.clientLeft, y: event.clientY - box.top - this.root.clientTop };
  }

  #pointer(kind, event) {
    if (!this.shown || event.target.closest?.("button, a, .card, .empty")) return;
    const at = this.#place(event);
    if (kind === "down") {
      if (event.button !== 0) return;
      cancelAnimationFrame(this.moving);
      this.root.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, at);
      this.start = { at, view: { ...this.view }, moved: false };
      if (this.boxing && this.pointers.size === 1) this.drawn = { ...this.toImage(at), w: 0, h: 0 };
      if (this.pointers.size === 2) this.drawn = null;
      return;
    }
    if (kind === "leave") {
      if (!this.pointers.size && event.pointerType === "mouse") this.on.pick(null);
      return;
    }
    const held = this.pointers.has(event.pointerId);
    if (kind === "move") {
      if (!held) return this.#pick(at, event.pointerType);
      return this.#drag(event.pointerId, at);
    }
    if (!held) return;
    this.pointers.delete(event.pointerId);
    this.root.classList.remove("panning");
    if (this.pointers.size) {
      // One finger of two is left: it goes on from where it is.
      const [rest] = this.pointers.values();
      this.start = { at: rest, view: { ...this.view }, moved: true };
    } else if (this.drawn) {
      this.#endBox(kind === "up");
    } else if (kind === "up" && !this.start.moved) {
      this.#pick(at, event.pointerType);
    }
  }

  #drag(id, at) {
    const before = this.pointers.get(id);
    this.pointers.set(id, at);
    if (this.pointers.size === 2) {
      const [other] = [...this.pointers].filter(([key]) => key !== id).map(([, place]) => place);
      const apart = (place) => Math.hypot(place.x - other.x, place.y - other.y) || 1;
      this.start.moved = true;
      return this.zoom(apart(at) / apart(before), { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 });
    }
    const [dx, dy] = [at.x - this.start.at.x, at.y - this.start.at.y];
    this.start.moved ||= Math.hypot(dx, dy) > CLICK;
    if (this.drawn) {
      const [a, b] = [this.toImage(this.start.at), this.toImage(at)];
      this.drawn = { x: Math.min(a.x, b.x), y: Math.min(a.y, b.y), w: Math.abs(a.x - b.x), h: Math.abs(a.y - b.y) };
      return this.paint();
    }
    if (this.start.moved && this.fit !== "whole") {
      this.root.classList.add("panning");
      this.view = { ...this.view, x: this.start.view.x - dx / this.scale, y: this.start.view.y - dy / this.scale };
      this.#settle();
    }
  }

  /** The part of the box that is in the image, if it is large enough to be meant. */
  #endBox(meant) {
    const { width, height } = this.shown;
    const { x, y, w, h } = this.drawn;
    this.drawn = null;
    const [left, top] = [Math.max(x, 0), Math.max(y, 0)];
    const box = { x: left, y: top, w: Math.min(x + w, width) - left, h: Math.min(y + h, height) - top };
    this.paint();
    if (meant && box.w >= SMALLEST_BOX && box.h >= SMALLEST_BOX) {
      this.on.box(Object.fromEntries(Object.entries(box).map(([k, v]) => [k, Math.round(v * 10) / 10])));
    }
  }

  #pick(at, kind) {
    if (this.boxing) return;
    let best = null;
    let least = kind === "mouse" ? NEAR.mouse : NEAR.touch;
    this.faces.forEach((face, f) => {
      face.points.forEach((p, i) => {
        if (!placed(p)) return;
        const screen = this.toScreen(p);
        const away = Math.hypot(screen.x - at.x, screen.y - at.y);
        if (away < least) {
          least = away;
          best = { face: f, point: i };
        }
      });
    });
    this.root.classList.toggle("on-point", !!best);
    this.on.pick(best);
  }

  #wheel(event) {
    if (!this.shown || event.target.closest?.(".card")) return;
    // At the whole image the page scrolls on.
    if (event.deltaY > 0 && this.fit === "whole") return;
    event.preventDefault();
    cancelAnimationFrame(this.moving);
    const lines = event.deltaMode === 1 ? 16 : 1;
    this.zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0018)), this.#place(event));
  }
}
