/** Photos on their way to the service: read, and made smaller where they are larger than it takes. */

import { Problem } from "./service.js";
import { bytes } from "./words.js";

const MOST_BYTES = 10 * 2 ** 20; // what a service takes that was set up to nothing else
const SIDE = 2048; // of a smaller copy
const QUALITY = 0.92;

/**
 * Read a file as it is sent; the note says what was changed, if anything.
 * @throws {Problem} a folder, a file that is gone, or one that is too large and no picture
 */
export async function read(file) {
  if (file.size > MOST_BYTES) return smaller(file, `It has ${bytes(file.size)}, more than the service takes`);
  const type = file.type.startsWith("image/") ? file.type : "application/octet-stream";
  try {
    return { body: new Blob([await file.arrayBuffer()], { type }), note: "" };
  } catch {
    throw new Problem("This file cannot be read. Is it a folder, or was it moved?", { status: 400 });
  }
}

/** Make a smaller copy of a photo, and say why. */
export async function smaller(file, why) {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Problem(`${why}, and this browser cannot make a smaller copy of it.`, { status: 413 });
  });
  const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(scale * side)));
  const body = await jpeg(bitmap, width, height);
  bitmap.close();
  return { body, note: `${why}: a smaller copy of ${width} × ${height} pixels was sent.` };
}

/** Encode what a bitmap or a video shows; what is transparent becomes white, as it does in the service. */
export function jpeg(source, width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(source, 0, 0, width, height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
}
