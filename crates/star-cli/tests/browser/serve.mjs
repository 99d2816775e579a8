// Drives the page of `star serve` in a real browser, as a person would; by hand, because it needs Node and Chromium.
//
//     cargo xtask serve --port 7827                                   # in one terminal
//     mkdir -p /tmp/page && cd /tmp/page && npm i playwright-core      # in another; outside the project
//     node PROJECT/crates/star-cli/tests/browser/serve.mjs http://127.0.0.1:7827/ screenshots
//
// Chromium is looked for at /usr/bin/chromium (Debian: apt-get install chromium), or where CHROMIUM says. A second server whose weights are of
// no faces can be given as BEETLE=http://127.0.0.1:7828/. PAGE=FOLDER takes the page's files from there: to work on them without building.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const { chromium } = createRequire(join(process.cwd(), "index.js"))("playwright-core");

const [url = "http://127.0.0.1:7827/", out = "screenshots"] = process.argv.slice(2);
const project = join(dirname(fileURLToPath(import.meta.url)), "../../../..");
const photo = join(project, "docs/astronaut.jpg");
const work = mkdtempSync(join(tmpdir(), "serve-"));
mkdirSync(out, { recursive: true });

// The camera shows the sample: a film of one JPEG.
const film = join(work, "film.mjpeg");
writeFileSync(film, readFileSync(photo));

const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
  `--use-file-for-fake-video-capture=${film}`];

const WIDE = { width: 1440, height: 900 };
const NARROW = { width: 390, height: 844 };

async function browse(name, options, visit) {
  const context = await chromium.launchPersistentContext(join(work, name), {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: ARGUMENTS,
    acceptDownloads: true,
    permissions: ["camera"],
    ...options,
  });
  const page = context.pages()[0] ?? (await context.newPage());
  const errors = [];
  const strange = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("request", (request) => {
    if (!/^(blob:|data:)/.test(request.url()) && new URL(request.url()).hostname !== "127.0.0.1") strange.push(request.url());
  });
  if (process.env.PAGE) {
    await page.route(/\.(js|css)$|\/$/, async (route) => {
      const file = basename(new URL(route.request().url()).pathname) || "index.html";
      const response = await route.fetch();
      await route.fulfill({ response, body: readFileSync(join(process.env.PAGE, file)) });
    });
  }
  const shot = (label) => page.screenshot({ path: join(out, `${name}-${label}.png`) });
  try {
    await visit(page, { shot, errors });
    // What a refused upload says in the console is the browser's own line, not an error of the page.
    const own = errors.filter((text) => !/Failed to load resource: the server responded with a status of (422|413|503)|net::ERR_FAILED/.test(text));
    assert.deepEqual(own, [], "errors in the console");
    assert.deepEqual(strange, [], "requests to other machines");
  } catch (error) {
    // The reason is what counts.
    await shot("failed").catch(() => {});
    throw error;
  } finally {
    await context.close();
  }
  console.log(`${name}: fine`);
}

const shapes = (page, name) => page.locator(`#overlay ${name}`).count();
const settled = (page) => page.waitForTimeout(700);

async function answered(page, says) {
  await page.waitForFunction((text) => document.getElementById("status").textContent.includes(text), says, { timeout: 20_000 });
  await settled(page);
}

async function download(page, button) {
  const [file] = await Promise.all([page.waitForEvent("download"), page.click(button)]);
  const path = join(work, file.suggestedFilename());
  await file.saveAs(path);
  return { name: file.suggestedFilename(), bytes: readFileSync(path) };
}

await browse("wide", { viewport: WIDE, colorScheme: "light" }, async (page, { shot }) => {
  await page.goto(url);
  await page.waitForSelector("#network:not([hidden])");
  await shot("empty");

  // A file from the disk.
  await page.setInputFiles("#file", photo);
  await answered(page, "1 face");
  const about = await page.evaluate(async () => (await fetch("/api/about")).json());
  assert.equal(await shapes(page, "circle"), about.points, "a dot a point");
  // A dark rim and a colour each.
  assert.equal(await shapes(page, "ellipse"), 2 * about.points);
  assert.equal(await shapes(page, "path"), 2);
  assert.equal(await shapes(page, "text"), 0);
  await shot("light");

  // Layers, by click and by key.
  for (const [layer, key, shape] of [["points", "1", "circle"], ["edges", "2", "path"], ["ellipses", "3", "ellipse"]]) {
    const before = await shapes(page, shape);
    await page.click(`[data-layer="${layer}"]`);
    await page.waitForFunction((s) => !document.querySelector(`#overlay ${s}`), shape);
    await page.keyboard.press(key);
    await page.waitForFunction((s) => document.querySelector(`#overlay ${s}`), shape);
    assert.equal(await shapes(page, shape), before, layer);
  }
  await page.click('[data-layer="numbers"]');
  await page.click('[data-layer="boxes"]');
  await settled(page);
  assert.equal(await shapes(page, "text"), about.points);
  assert.equal(await shapes(page, "rect"), 2, "the crop and the detector's box");
  await shot("all-layers");
  await page.click('[data-layer="numbers"]');
  await page.click('[data-layer="boxes"]');

  // The ellipses grow with their slider.
  const radius = () => page.locator("#overlay ellipse").first().getAttribute("rx").then(Number);
  const small = await radius();
  await page.locator("#sigma").fill("2");
  await settled(page);
  assert.ok(Math.abs((await radius()) - 2 * small) < 0.01 * small, `${await radius()} and ${small}`);
  await page.click("#sigmas button");
  await settled(page);
  assert.equal(await radius(), small);

  // A point under the pointer says what it is.
  const eye = page.locator("#overlay circle").nth(36);
  const { x, y, width, height } = await eye.boundingBox();
  await page.mouse.move(x + width / 2, y + height / 2);
  await page.waitForSelector("#tip:not([hidden])");
  assert.match(await page.textContent("#tip"), /^36right eye.*score 0\.\d\d/);
  assert.match(await page.textContent("#point"), /right eye.*score0\.\d\d.*ellipse/s);
  await shot("point");
  // By keyboard it is said aloud.
  await page.focus("#stage");
  await page.keyboard.press("ArrowRight");
  assert.match(await page.textContent("#say"), /point 37, right eye/);

  // Nearer with the wheel, aside with the mouse, and back.
  const view = () => page.getAttribute("#overlay", "viewBox").then((text) => text.split(" ").map(Number));
  const near = await view();
  await page.mouse.wheel(0, -400);
  await settled(page);
  const nearer = await view();
  assert.ok(nearer[2] < near[2] * 0.8, `${near} ${nearer}`);
  await page.mouse.down();
  await page.mouse.move(x + 120, y + 40, { steps: 4 });
  await page.mouse.up();
  await settled(page);
  assert.ok((await view())[0] < nearer[0], "moved along");
  await page.focus("#stage");
  await page.keyboard.press("0");
  await settled(page);
  assert.ok((await view())[3] > 511, "the whole image");
  await page.keyboard.press("f");
  await settled(page);

  // Downloads.
  const json = await download(page, "#save-json");
  assert.equal(json.name, "astronaut-landmarks.json");
  const document = JSON.parse(json.bytes);
  assert.equal(document.version, 2);
  assert.equal(document.image, "astronaut.jpg");
  assert.equal(document.faces[0].points.length, about.points);
  const drawn = await page.evaluate(() => Number(window.document.querySelector("#overlay circle").getAttribute("cx")));
  assert.ok(Math.abs(drawn - document.faces[0].points[0].x) < 0.01, "drawn where the document says");
  const png = await download(page, "#save-png");
  assert.equal(png.bytes.toString("latin1", 1, 4), "PNG");
  assert.deepEqual([png.bytes.readUInt32BE(16), png.bytes.readUInt32BE(20)], [1536, 1536], "enlarged by a whole number");
  const svg = await download(page, "#save-svg");
  assert.match(svg.bytes.toString(), /href="data:image\/jpeg;base64,[^]*<ellipse/);
  writeFileSync(join(out, png.name), png.bytes);
  writeFileSync(join(out, svg.name), svg.bytes);

  // A box by hand, at the face, with the mouse.
  await page.click("#whole");
  await settled(page);
  await page.click("#box");
  const place = (px, py) => page.evaluate(([a, b]) => {
    const svg = window.document.getElementById("overlay");
    const at = new DOMPoint(a, b).matrixTransform(svg.getScreenCTM());
    return [at.x, at.y];
  }, [px, py]);
  await page.mouse.move(...(await place(170, 70)));
  await page.mouse.down();
  await page.mouse.move(...(await place(275, 175)), { steps: 8 });
  await shot("drawing-a-box");
  await page.mouse.up();
  await page.waitForSelector("#by-hand:not([hidden])");
  await settled(page);
  const byHand = JSON.parse((await download(page, "#save-json")).bytes);
  assert.equal(byHand.faces.length, 1);
  assert.equal(byHand.faces[0].detected, undefined);
  await page.click("#again");
  await page.waitForSelector("#by-hand", { state: "hidden" });
  await page.click("#passes");
  await answered(page, "1 face");

  // Several faces, each of which can be seen near.
  const two = await page.evaluate(async () => {
    const image = await createImageBitmap(await (await fetch("/astronaut.jpg")).blob());
    const canvas = Object.assign(window.document.createElement("canvas"), { width: 1024, height: 512 });
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    context.setTransform(-1, 0, 0, 1, 1024, 0);
    context.drawImage(image, 0, 0);
    return canvas.toDataURL("image/jpeg", 0.95).split(",")[1];
  });
  await page.setInputFiles("#file", { name: "two.jpg", mimeType: "image/jpeg", buffer: Buffer.from(two, "base64") });
  await answered(page, "2 faces");
  assert.equal(await shapes(page, "circle"), 2 * about.points);
  await page.click('[data-layer="boxes"]');
  await settled(page);
  await shot("two-faces");
  await page.click('[data-layer="boxes"]');
  await page.click("#faces li:nth-child(2) button");
  await settled(page);
  assert.ok((await view())[2] < 512, "one of them");

  // A busy server is asked again; one that is gone is told of.
  let refused = 0;
  await page.route("**/api/predict*", async (route) => {
    if (refused++) return route.continue();
    const body = JSON.stringify({ error: "busy", message: "other images are being looked at" });
    await route.fulfill({ status: 503, headers: { "retry-after": "1" }, contentType: "application/json", body });
  });
  await page.click("#sample");
  await answered(page, "1 face");
  assert.equal(refused, 2);
  await page.unroute("**/api/predict*");
  await page.route("**/api/predict*", (route) => route.abort());
  await page.click("#passes");
  await page.waitForFunction(() => /does not answer/.test(window.document.getElementById("card").textContent));
  await page.unroute("**/api/predict*");
  await page.click("#card-do");
  await answered(page, "1 face");

  // Half a file: what there is of it, and a word about the rest.
  const half = readFileSync(photo);
  await page.setInputFiles("#file", { name: "half.jpg", mimeType: "image/jpeg", buffer: half.subarray(0, half.length / 2) });
  await answered(page, "cut off");
  await shot("cut-off");

  // What is no image.
  await page.setInputFiles("#file", { name: "text.jpg", mimeType: "image/jpeg", buffer: Buffer.alloc(100_000, "No image. ") });
  await page.waitForSelector("#card:not([hidden])");
  assert.match(await page.textContent("#card"), /cannot be read.*it looks like text/s);
  await shot("no-image");
  await page.setInputFiles("#file", { name: "text.jpg", mimeType: "image/jpeg", buffer: Buffer.alloc(30_000_000, "No image. ") });
  await page.waitForFunction(() => /too large/.test(window.document.getElementById("card").textContent));

  // No face: said kindly, and a way on.
  const grey = await page.evaluate(() => {
    const canvas = Object.assign(window.document.createElement("canvas"), { width: 320, height: 200 });
    const context = canvas.getContext("2d");
    context.fillStyle = "#789";
    context.fillRect(0, 0, 320, 200);
    return canvas.toDataURL("image/png").split(",")[1];
  });
  await page.setInputFiles("#file", { name: "sky.png", mimeType: "image/png", buffer: Buffer.from(grey, "base64") });
  await page.waitForFunction(() => /No face/.test(window.document.getElementById("card").textContent));
  await settled(page);
  await shot("no-face");
  await page.click("#card-do");
  assert.equal(await page.getAttribute("#box", "aria-pressed"), "true");
});

await browse("dark", { viewport: WIDE, colorScheme: "dark" }, async (page, { shot }) => {
  await page.goto(url);
  await page.click("#sample");
  await answered(page, "1 face");
  await shot("sample");

  // The camera: images follow each other until one is kept.
  await page.click("#camera");
  await answered(page, "images a second");
  await page.waitForTimeout(2500);
  await shot("camera");
  console.log(`  ${await page.textContent("#status")}`);
  assert.equal(await page.isDisabled("#save-json"), true);
  await page.click("#camera");
  await page.waitForFunction(() => !window.document.getElementById("save-json").disabled);
  const kept = JSON.parse((await download(page, "#save-json")).bytes);
  assert.equal(kept.faces.length, 1);
  await settled(page);
  await shot("kept");
});

for (const colorScheme of ["light", "dark"]) {
  await browse(`narrow-${colorScheme}`, { viewport: NARROW, colorScheme, hasTouch: true, isMobile: true, deviceScaleFactor: 2 }, async (page, { shot }) => {
    await page.goto(url);
    await page.waitForSelector("#network:not([hidden])");
    await shot("empty");
    await page.tap("#try");
    await answered(page, "1 face");
    await shot("sample");
    const eye = await page.locator("#overlay circle").nth(45).boundingBox();
    await page.touchscreen.tap(eye.x + eye.width / 2, eye.y + eye.height / 2);
    await page.waitForSelector("#tip:not([hidden])");
    assert.match(await page.textContent("#tip"), /^45left eye/);
    await shot("tapped");
    await page.screenshot({ path: join(out, `narrow-${colorScheme}-all.png`), fullPage: true });
    const wide = await page.evaluate(() => window.document.documentElement.scrollWidth > innerWidth);
    assert.equal(wide, false, "nothing sticks out to the side");
  });
}

if (process.env.BEETLE) {
  await browse("own-layout", { viewport: WIDE }, async (page, { shot }) => {
    await page.goto(process.env.BEETLE);
    await page.waitForSelector("#network:not([hidden])");
    await page.setInputFiles("#file", process.env.BEETLE_PHOTO ?? photo);
    await page.waitForSelector("#card:not([hidden])");
    await settled(page);
    await shot("asks-for-a-box");
    await page.click("#card-do");
    await answered(page, "1 object");
    await shot("answered");
  });
}
