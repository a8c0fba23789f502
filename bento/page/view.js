/** What is seen: every function brings one part of the page up to an item; none keeps a state of its own. */

import { brief, bytes, counted, doubt, percent } from "./words.js";

const FIRST = 5; // bars before "show all"
const FEW = 8; // labels that are offered as buttons; more come as a list
const SHORT = 12; // characters of a hash

export const part = (id) => document.getElementById(id);

/** Make an element; texts are never taken for HTML. */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Show a text, or nothing of the element where there is none. */
function say(id, text) {
  part(id).textContent = text;
  part(id).hidden = !text;
}

export function showModel({ version, labels, threshold, architecture, image_size: side, commit, data, model }) {
  part("version").textContent = `version ${version}`;
  const more = labels.length > FEW ? ` and ${labels.length - FEW} more` : "";
  const facts = [
    ["Labels", labels.slice(0, FEW).join(", ") + more],
    ["Sure from", percent(threshold)],
    ["Network", `${architecture}, ${side} px`],
    ["Commit", short(commit)],
    ["Data", short(data)],
    ["Model file", short(model)],
  ];
  const known = facts.filter(([, value]) => value);
  part("facts").replaceChildren(...known.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

const short = (hash) => hash && make("code", { title: hash }, hash.slice(0, SHORT));

const span = (className, text = "") => make("span", { className }, text);

const button = (text, onclick, className = "") => make("button", { onclick, className }, text);

/** Before the first photo: the labels that can be answered, with empty bars. */
export function showLabels(labels) {
  part("shares").hidden = false;
  part("bars").replaceChildren(...labels.slice(0, FIRST).map((label) => bar(label, null, null)));
  say("key", labels.length > FIRST ? `and ${counted(labels.length - FIRST, "more label")}` : "");
}

export function showPhoto(item, look) {
  part("figure").hidden = false;
  part("unseen").hidden = item.visible !== false;
  part("fitted").hidden = item.visible === false;
  if (part("photo").src !== item.url) part("photo").src = item.url;
  part("photo").alt = item.answer ? `${item.name}: ${brief(item)}` : item.name;
  part("caption").textContent = [item.name, item.pixels, bytes(item.file.size)].filter(Boolean).join(" · ");
  showHeat(item, look);
}

function showHeat(item, look) {
  const map = look && item.why?.heat_map;
  part("look").hidden = !item.answer;
  part("look").setAttribute("aria-pressed", String(look));
  part("heat").hidden = !map;
  if (!map) return;
  part("heat").src = map;
  part("heat").alt = `Heat map of where the model looked for ${item.why.label}`;
  part("caption").textContent = `Orange speaks for ${item.why.label}, blue against it.`;
}

const TITLES = { problem: "No answer", busy: "Looking …", unsure: "Not sure", sure: "The answer" };

export function showAnswer(item, { manifest, open, look }) {
  const { answer, problem } = item;
  const state = problem ? "problem" : !answer ? "busy" : answer.unsure ? "unsure" : "sure";
  part("answer").dataset.state = state;
  part("said").textContent = TITLES[state];
  part("label").textContent = answer ? answer.label + (answer.unsure ? "?" : "") : "";
  part("confidence").textContent = answer ? percent(answer.confidence) : "";
  say("words", problem?.message ?? (answer?.unsure ? doubt(answer.confidence, manifest?.threshold) : item.waiting));
  part("again").hidden = !problem?.mayPass;
  showShares(answer, manifest?.threshold, open);
  showWhy(look ? item : {});
  const source = answer && `Answered in ${item.milliseconds} ms by version ${answer.version}.`;
  say("meta", [item.note, source].filter(Boolean).join(" "));
  part("raw").hidden = !answer;
  part("json").textContent = JSON.stringify(answer, null, 2) ?? "";
}

function showShares(answer, threshold, open) {
  part("shares").hidden = !answer;
  if (!answer) return;
  const shares = Object.entries(answer.probabilities).sort((one, other) => other[1] - one[1]);
  const seen = open ? shares : shares.slice(0, FIRST);
  part("bars").replaceChildren(...seen.map(([label, share]) => bar(label, share, threshold)));
  say("key", threshold ? `The mark at ${percent(threshold)} is where this model begins to be sure.` : "");
  part("more").hidden = shares.length <= FIRST;
  part("more").textContent = open ? "Show the first five" : `Show all ${counted(shares.length, "label")}`;
  part("more").setAttribute("aria-expanded", String(open));
}

function bar(label, share, threshold) {
  const fill = span("fill");
  fill.style.setProperty("--share", share ?? 0);
  const track = make("span", { className: "track", ariaHidden: "true" }, fill);
  if (threshold) {
    const mark = span("mark");
    mark.style.setProperty("--share", threshold);
    track.append(mark);
  }
  return make("li", {}, span("name", label), track, span("figure", share === null ? "–" : percent(share)));
}

/** The nearest training photos, or why there are none. */
function showWhy({ why, whyNot }) {
  part("why").hidden = !why && !whyNot;
  const rows = (why?.nearest ?? []).map(({ id, label, similarity }) =>
    make("li", {}, span("name", label), short(id), span("figure", similarity.toFixed(3))));
  const none = why ? "This version carries no index of its training photos." : whyNot;
  part("nearest").replaceChildren(...(rows.length || !none ? rows : [make("li", { className: "muted" }, none)]));
}

/** Ask whether the answer was right; `actions` are what the buttons do. What has not changed keeps the focus. */
export function showVerdict(item, labels, actions) {
  const { verdict = "open", complaint = "" } = item;
  const box = part("verdict");
  const key = [item.answer.id, verdict, complaint].join();
  box.hidden = false;
  if (box.dataset.shown === key) return;
  box.dataset.shown = key;
  const alert = complaint ? [make("p", { role: "alert" }, complaint)] : [];
  box.replaceChildren(...VERDICTS[verdict](item, labels, actions), ...alert);
}

const VERDICTS = {
  open: (item, labels, { right, wrong }) => [
    button("That was right", right),
    ...(labels.length > 1 ? [button("That was wrong", wrong)] : []),
  ],
  choosing: (item, labels, { choose, cancel }) => {
    const others = labels.filter((label) => label !== item.answer.label);
    const choice = others.length > FEW ? list(others, choose) : others.map((label) => button(label, () => choose(label)));
    const leave = button("Never mind", cancel, "plain");
    return [make("fieldset", {}, make("legend", {}, "What does it show?"), ...choice, leave)];
  },
  sending: () => [make("p", {}, "Sending …")],
  thanks: (item) => [make("p", { tabIndex: -1 }, "Thank you. Noted as ", make("b", {}, item.truth), ".")],
};

function list(labels, choose) {
  const select = make("select", { ariaLabel: "Label" }, ...labels.map((label) => make("option", {}, label)));
  return [select, button("Send", () => choose(select.value))];
}

/** One of many results. It stays the same element, so that it keeps the focus. */
export function tileOf(item, onclick) {
  const photo = make("img", { src: item.url, alt: "", loading: "lazy" });
  photo.onerror = () => photo.classList.add("blank");
  item.tile = button("", onclick);
  item.tile.append(photo, span("name", item.name), make("span"));
  part("tiles").append(make("li", {}, item.tile));
}

export function showTile(item, current) {
  item.tile.ariaCurrent = String(current);
  item.tile.className = item.problem ? "problem" : item.answer?.unsure ? "unsure" : "";
  item.tile.lastElementChild.textContent = brief(item);
}
