/** The camera: one frame of it, taken in a dialog. */

import { jpeg } from "./photo.js";

const [dialog, video, shoot, leave] = ["viewfinder", "video", "shoot", "leave"].map((id) => document.getElementById(id));

const REFUSALS = {
  NotAllowedError: "This page may not use the camera. Allow it in the browser's settings for this site, and try again.",
  NotFoundError: "No camera was found.",
  OverconstrainedError: "No camera was found.",
  NotReadableError: "The camera cannot be used. Does another program use it?",
};
const UNSAFE = "Browsers give the camera only to pages that come over https, or from this very computer.";

/**
 * Take a photo; null where the person changed their mind.
 * @throws {Error} no camera, or not allowed; the message is a sentence
 */
export async function takePhoto() {
  if (!navigator.mediaDevices) throw new Error(UNSAFE);
  const stream = await open();
  try {
    return await oneFrame(stream);
  } finally {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  }
}

async function open() {
  try {
    return await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 960 } },
    });
  } catch (error) {
    throw new Error(REFUSALS[error.name] ?? `The camera cannot be used (${error.name}).`);
  }
}

function oneFrame(stream) {
  return new Promise((resolve) => {
    const take = async () => {
      const blob = await jpeg(video, video.videoWidth, video.videoHeight);
      dialog.close();
      resolve(new File([blob], "From the camera", { type: blob.type }));
    };
    const finish = () => {
      shoot.removeEventListener("click", take);
      resolve(null);
    };
    shoot.disabled = true;
    shoot.addEventListener("click", take);
    dialog.addEventListener("close", finish, { once: true });
    video.srcObject = stream;
    dialog.showModal();
    video.play().then(ready, () => dialog.close());
  });
}

function ready() {
  shoot.disabled = false;
  shoot.focus();
}

leave.addEventListener("click", () => dialog.close());
