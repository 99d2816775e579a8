// What the page asks of its server: one thing it reads, one thing it sends.

/** Tries of one image while the server is busy. */
const MOST_TRIES = 30;

/** Something that a person should read. */
export class Problem extends Error {
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

export async function about() {
  const response = await reach("/api/about");
  if (!response.ok) throw await problem(response);
  return response.json();
}

/**
 * Sends an image; gives the document's text as the server wrote it, the document itself, and whether the file was cut off.
 * When the server is busy it is asked again, after `onBusy`; `tries` 1 gives up at once.
 */
export async function predict(blob, { name, boxes = [], passes, signal, onBusy, tries = MOST_TRIES }) {
  const query = new URLSearchParams({ name, passes });
  for (const { x, y, w, h } of boxes) query.append("box", [x, y, w, h].join(","));
  for (let left = tries; ; left--) {
    const response = await reach(`/api/predict?${query}`, { method: "POST", body: blob, signal });
    if (response.ok) {
      const text = await response.text();
      return { text, document: JSON.parse(text), truncated: response.headers.has("star-truncated") };
    }
    if (response.status !== 503 || left <= 1) throw await problem(response);
    onBusy?.();
    const seconds = Number(response.headers.get("retry-after")) || 1;
    // Not all at the same moment.
    await pause(seconds * 1000 * (0.5 + Math.random()), signal);
  }
}

async function reach(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The server does not answer. Is it still running in its terminal?", "gone");
  }
}

async function problem(response) {
  const { message, error } = await response.json().catch(() => ({}));
  return new Problem(sentence(message ?? `the server answers ${response.status}`), error);
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.?!)]$/.test(text) ? "" : ".");
}
