/** What the page says: figures and sentences. */

/** A share as a percentage; it says 0 or 100 only where that is meant. */
export function percent(share) {
  if (share > 0 && share < 0.0005) return "<0.1%";
  if (share < 1 && share >= 0.9995) return ">99.9%";
  return `${(100 * share).toFixed(1)}%`;
}

export function bytes(count) {
  if (count < 1000) return `${count} bytes`;
  return count < 1e6 ? `${(count / 1e3).toFixed(0)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

/** "1 photo", "12 photos". */
export const counted = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

/** Make a sentence of what a service says: a capital letter, a full stop. */
export function sentence(text) {
  const plain = text.trim();
  return plain && plain[0].toUpperCase() + plain.slice(1) + (/[.!?]$/.test(plain) ? "" : ".");
}

/** Why an answer counts as unsure. */
export function doubt(confidence, threshold) {
  if (!threshold) return "The model is not sure: let a person decide.";
  const [is, least] = [confidence, threshold].map(percent);
  return `${is} is less than the ${least} at which this model begins to be sure. Let a person decide.`;
}

/** The result of one photo, in a few words. */
export function brief(item) {
  if (item.problem) return "no answer";
  if (!item.answer) return item.busy ? "looking" : "waiting";
  const { label, confidence, unsure } = item.answer;
  return unsure ? `not sure: ${label}?` : `${label} ${percent(confidence)}`;
}

/** The result of one photo, for the ear. */
export function spoken(item) {
  if (item.problem) return `${item.name}: ${item.problem.message}`;
  const { label, confidence, unsure } = item.answer;
  return `${item.name}: ${unsure ? "not sure, perhaps " : ""}${label}, ${percent(confidence)}.`;
}

/** The results of many photos: "12 photos: 7 ash, 4 elm, 1 not sure." */
export function summary(items) {
  const counts = new Map();
  for (const item of items) counts.set(kind(item), (counts.get(kind(item)) ?? 0) + 1);
  const parts = [...counts].sort((one, other) => other[1] - one[1]).map(([word, count]) => `${count} ${word}`);
  return `${counted(items.length, "photo")}: ${parts.join(", ")}.`;
}

function kind(item) {
  if (item.answer) return item.answer.unsure ? "not sure" : item.answer.label;
  return item.problem ? "without an answer" : "waiting";
}
