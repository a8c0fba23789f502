/** The service, as the page sees it: one function a route. What goes wrong is a Problem, and its message a sentence. */

import { sentence } from "./words.js";

const BUSY = [429, 503];
const TRIES = 4;
const LONGEST_WAIT = 30; // seconds
const AWAY = "The service cannot be reached. Is it running, and this computer on the network?";
const GARBLED = "The service gave an answer that this page cannot read.";

export class Problem extends Error {
  /** The status is 0 where there was no answer. */
  constructor(message, { status = 0, reason = "" } = {}) {
    super(message);
    Object.assign(this, { status, reason, mayPass: status === 0 || status >= 500 || BUSY.includes(status) });
  }
}

/**
 * Classify a photo: what POST /predict answers, and how long its last try took.
 * `waiting` is told, in a sentence, why nothing happens for a while; "" ends that.
 */
export const predict = (photo, waiting) => post("predict", photo, waiting);

/** Ask where the model looked, and which training photos are alike. */
export const explain = async (photo, label, waiting) =>
  (await post(`explain?label=${encodeURIComponent(label)}`, photo, waiting)).answer;

/** Tell the service what a photo really shows. */
export const feedback = (id, label, waiting) =>
  post("feedback", new Blob([JSON.stringify({ id, label })], { type: "application/json" }), waiting);

/** The build manifest. */
export const version = async () => (await ask("version", {}, () => {})).answer;

const post = (path, body, waiting) =>
  ask(path, { method: "POST", body, headers: { "Content-Type": body.type, "Petpark-Source": "page" } }, waiting);

async function ask(path, options, waiting) {
  for (let attempt = 1; ; attempt += 1) {
    const { response, begin } = await reach(path, options, waiting);
    if (response.ok) return { answer: await parsed(response), milliseconds: performance.now() - begin };
    const pause = wait(response);
    if (pause === null || attempt === TRIES) throw await problem(response);
    waiting(`The service is busy. Trying again in ${pause} s (${attempt + 1} of ${TRIES}).`);
    await new Promise((resolve) => setTimeout(resolve, 1000 * pause));
  }
}

/** Fetch; while the browser is offline, wait for the network. */
async function reach(path, options, waiting) {
  for (;;) {
    const begin = performance.now();
    try {
      return { response: await fetch(path, options), begin };
    } catch {
      if (navigator.onLine) throw new Problem(AWAY);
      waiting("You are offline. The photo is sent as soon as the network is back.");
      await new Promise((resolve) => addEventListener("online", resolve, { once: true }));
      waiting("");
    }
  }
}

/** How many seconds to wait before the next try, or null where it would be the same again. */
function wait(response) {
  if (!BUSY.includes(response.status)) return null;
  const after = response.headers.get("Retry-After") ?? "2";
  const seconds = /^\d+$/.test(after) ? Number(after) : (Date.parse(after) - Date.now()) / 1000;
  return Math.min(Math.max(Math.ceil(seconds || 0), 1), LONGEST_WAIT);
}

async function parsed(response) {
  try {
    return await response.json();
  } catch {
    throw new Problem(GARBLED);
  }
}

/** Read an answer of RFC 9457. */
async function problem(response) {
  const { title, detail, reason } = await response.json().catch(() => ({}));
  const text = detail || title || `The service answers with status ${response.status}`;
  return new Problem(sentence(String(text)), { status: response.status, reason });
}
