/** The page: photos come in, are asked about two at a time, and one of them is shown. */

import { takePhoto } from "./camera.js";
import { read, smaller } from "./photo.js";
import { explain, feedback, predict, version } from "./service.js";
import { part, showAnswer, showLabels, showModel, showPhoto, showTile, showVerdict, tileOf } from "./view.js";
import { spoken, summary } from "./words.js";

const AT_ONCE = 2;
const TOO_LARGE = ["too-many-bytes", "too-many-pixels"];
const NO_FILE = "There is no photo in it. Addresses are not fetched: save the photo first, and drop the file.";

/** All photos of this visit, the one that is shown, and what is unfolded. */
const page = { items: [], current: null, manifest: null, look: false, open: false, lanes: 0 };

// From a photo to its answer

function add(files) {
  const items = [...files].map((file) => ({ file, name: file.name || "Photo", url: URL.createObjectURL(file) }));
  notify(items.length ? "" : NO_FILE);
  if (!items.length) return;
  page.items.push(...items);
  for (const item of items) tileOf(item, () => show(item));
  show(items[0]);
  work();
}

const isNew = (item) => !item.busy && !item.answer && !item.problem;

function work() {
  while (page.lanes < AT_ONCE && page.items.some(isNew)) void lane();
}

async function lane() {
  page.lanes += 1;
  for (let item; (item = page.items.find(isNew)); ) await judge(item);
  page.lanes -= 1;
  if (!page.lanes && page.items.length > 1) announce(summary(page.items));
}

async function judge(item) {
  item.busy = true;
  refresh(item);
  try {
    const { answer, milliseconds } = await ask(item);
    Object.assign(item, { answer, milliseconds: Math.max(1, Math.round(milliseconds)) });
  } catch (problem) {
    item.problem = problem;
  }
  Object.assign(item, { busy: false, waiting: "" });
  refresh(item);
  if (item === page.current) announce(spoken(item));
}

/** Send a photo; where the service finds it too large, a smaller copy of it. */
async function ask(item) {
  const { body, note } = await read(item.file);
  if (note) keepCopy(item, body, note);
  try {
    return await predict(body, waiting(item));
  } catch (problem) {
    if (note || !(problem.status === 413 || TOO_LARGE.includes(problem.reason))) throw problem;
    const copy = await smaller(item.file, "It is larger than the service takes");
    keepCopy(item, copy.body, copy.note);
    return predict(copy.body, waiting(item));
  }
}

const keepCopy = (item, copy, note) => Object.assign(item, { copy, note });

const waiting = (item) => (why) => {
  item.waiting = why;
  refresh(item);
  if (item === page.current) announce(why);
};

function again() {
  page.current.problem = null;
  part("choose").focus();
  work();
}

// Why this answer

function toggleAll() {
  page.open = !page.open;
  refresh(page.current);
}

function toggleLook() {
  page.look = !page.look;
  if (page.current.whyNot) Object.assign(page.current, { asked: false, whyNot: "" });
  refresh(page.current);
}

async function lookInto(item) {
  item.asked = true;
  try {
    const body = item.copy ?? (await read(item.file)).body;
    item.why = await explain(body, item.answer.label, announce);
    if (item === page.current) announce(`The heat map for ${item.why.label} is shown.`);
  } catch (problem) {
    item.whyNot = problem.message;
    if (item === page.current) announce(item.whyNot);
  }
  refresh(item);
}

// Was it right?

const labels = () => page.manifest?.labels ?? Object.keys(page.current.answer.probabilities);

const actions = {
  right: () => tell(page.current.answer.label),
  wrong: () => verdict(page.current, { verdict: "choosing" }),
  cancel: () => verdict(page.current, { verdict: "open" }),
  choose: (label) => tell(label),
};

async function tell(label) {
  const item = page.current;
  verdict(item, { verdict: "sending", truth: label });
  try {
    await feedback(item.answer.id, label, announce);
    verdict(item, { verdict: "thanks", complaint: "" });
  } catch (problem) {
    verdict(item, { verdict: "open", complaint: problem.message });
  }
}

function verdict(item, changes) {
  Object.assign(item, changes);
  if (item !== page.current) return;
  showVerdict(item, labels(), actions);
  part("verdict").querySelector("button, select, [tabindex]")?.focus();
}

// What is seen

function show(item) {
  const before = page.current;
  Object.assign(page, { current: item, open: false });
  if (before) showTile(before, false);
  document.body.classList.add("used");
  refresh(item);
}

function refresh(item) {
  showTile(item, item === page.current);
  part("photos").hidden = page.items.length < 2;
  part("summary").textContent = summary(page.items);
  if (item !== page.current) return;
  showPhoto(item, page.look);
  showAnswer(item, page);
  if (item.answer) showVerdict(item, labels(), actions);
  else part("verdict").hidden = true;
  if (page.look && item.answer && !item.asked) void lookInto(item);
}

function notify(text) {
  part("notice").textContent = text;
}

/** Say something to those who do not see the page; the same words twice are said twice. */
function announce(text) {
  part("announcer").textContent = "";
  setTimeout(() => (part("announcer").textContent = text), 50);
}

// What a person does

async function useCamera() {
  part("camera").disabled = true;
  notify("");
  try {
    const photo = await takePhoto();
    if (photo) add([photo]);
  } catch (error) {
    notify(error.message);
  }
  part("camera").disabled = false;
  part("camera").focus();
}

function choose() {
  add(part("files").files);
  part("files").value = ""; // so that the same file can be chosen again
}

function drop(event) {
  event.preventDefault();
  drag(false);
  add(event.dataTransfer.files);
}

function hover(event) {
  event.preventDefault(); // so that it may be dropped
  drag(true);
}

const drag = (over) => document.body.classList.toggle("dragging", over);

const CLICKS = {
  choose: () => part("files").click(),
  camera: useCamera,
  look: toggleLook,
  more: toggleAll,
  again,
  clear: () => location.reload(),
};

function listen() {
  for (const [id, act] of Object.entries(CLICKS)) part(id).addEventListener("click", act);
  part("files").addEventListener("change", choose);
  part("photo").addEventListener("load", fit);
  part("photo").addEventListener("error", unseen);
  addEventListener("dragover", hover);
  addEventListener("dragleave", (event) => event.relatedTarget === null && drag(false));
  addEventListener("drop", drop);
  addEventListener("paste", (event) => add(event.clipboardData.files));
}

/** Give the heat map exactly the place of the photo. */
function fit() {
  const { naturalWidth: width, naturalHeight: height } = part("photo");
  part("fitted").style.setProperty("--ratio", width / height);
  page.current.pixels = `${width} × ${height}`;
  refresh(page.current);
}

/** Some formats the service reads, and the browser does not. */
function unseen() {
  page.current.visible = false;
  refresh(page.current);
}

async function start() {
  listen();
  part("curl").textContent = `curl --data-binary @photo.jpg -H "Content-Type: image/jpeg" ${new URL("predict", location)}`;
  if (navigator.platform.startsWith("Mac")) part("paste").textContent = "⌘ V";
  try {
    page.manifest = await version();
  } catch (problem) {
    return notify(problem.message);
  }
  showModel(page.manifest);
  if (page.current) refresh(page.current);
  else showLabels(page.manifest.labels);
}

void start();
