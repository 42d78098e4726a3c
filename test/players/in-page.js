// Runs in Chromium, where there is a document: plain JavaScript, so that the types of the browser
// stay out of a project for Bun.

/** How long playback may stand still before it counts as broken. */
const timeoutMs = 20_000;

globalThis.playInPage = async ({ url, kind, seeksS }) => {
  const medium = document.createElement(kind);
  medium.muted = true;
  medium.src = url;
  document.body.replaceChildren(medium);
  const wentOn = [];
  const started = goesOnFrom(medium, 0);
  await medium.play();
  wentOn.push(await started);
  for (const seekS of seeksS) {
    const resumed = goesOnFrom(medium, seekS);
    medium.currentTime = seekS;
    wentOn.push(await resumed);
  }
  return { durationS: medium.duration, wentOn };
};

globalThis.showInPage = async (url) => {
  const image = new Image();
  image.src = url;
  await image.decode();
  return [image.naturalWidth, image.naturalHeight];
};

/** Resolves when `currentTime` has moved on behind the place where playback was put. */
function goesOnFrom(medium, fromS) {
  return new Promise((resolve, reject) => {
    const where = () => `${medium.error?.message ?? "no error"} at ${medium.currentTime} s`;
    const stands = () => reject(new Error(`playback stands still: ${where()}`));
    const timer = setTimeout(stands, timeoutMs);
    medium.addEventListener("timeupdate", function watch() {
      if (medium.currentTime < fromS + 0.3 || medium.currentTime > fromS + 8) return;
      medium.removeEventListener("timeupdate", watch);
      clearTimeout(timer);
      resolve(true);
    });
  });
}
