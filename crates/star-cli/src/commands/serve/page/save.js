// What a person takes home: the document as the server wrote it, the image as it is seen.

import { drawFaces, element } from "./shapes.js";

const NS = "http://www.w3.org/2000/svg";

/** The document's text, to the letter. */
export function saveJson(text, name) {
  save(new Blob([text], { type: "application/json" }), `${stem(name)}.json`);
}

/** The longer side of an image that is saved, at least, in pixels: a small photo is enlarged by a whole number, or its lines were a blur. */
const LEAST_SIDE = 1400;

/** The photo with the layers that are on. */
export async function savePng(shown, faces, about, look, name) {
  const longer = Math.max(shown.width, shown.height);
  const canvas = photo(shown, Math.min(Math.ceil(LEAST_SIDE / longer), 8));
  const drawn = await load(new Blob([svg(shown, faces, about, look)], { type: "image/svg+xml" }));
  canvas.getContext("2d").drawImage(drawn, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  if (!blob) throw new Error("This browser cannot make an image of that size.");
  save(blob, `${stem(name)}.png`);
}

/** A drawing that stands alone: the photo inside, as JPEG. */
export function saveSvg(shown, faces, about, look, name) {
  const inside = photo(shown).toDataURL("image/jpeg", 0.92);
  save(new Blob([svg(shown, faces, about, look, inside)], { type: "image/svg+xml" }), `${stem(name)}.svg`);
}

function svg({ width, height }, faces, about, look, inside) {
  const root = element("svg", { width, height, viewBox: `-0.5 -0.5 ${width} ${height}` });
  if (inside) element("image", { x: -0.5, y: -0.5, width, height, href: inside }, root);
  drawFaces(root, faces, about, look);
  const text = new XMLSerializer().serializeToString(root);
  return text.includes(`xmlns="${NS}"`) ? text : text.replace("<svg", `<svg xmlns="${NS}"`);
}

function photo({ image, width, height }, times = 1) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: width * times, height: height * times });
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  if (image) context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}

async function load(blob) {
  const url = URL.createObjectURL(blob);
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    return image;
  } finally {
    URL.revokeObjectURL(url);
  }
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Not the name of the photo itself: `photo.png` beside `photo.png` helps nobody. */
function stem(name) {
  const base = name.replace(/\.[^.]*$/, "") || "image";
  return `${base}-landmarks`;
}
