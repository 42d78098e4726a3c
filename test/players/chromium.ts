import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";

/** A headless Chromium of Debian's; one for all media of a test. */
export async function startChromium(): Promise<Browser & AsyncDisposable> {
  const browser = await chromium.launch({
    executablePath: Bun.which("chromium") ?? "chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--autoplay-policy=no-user-gesture-required",
    ],
  });
  return Object.assign(browser, { [Symbol.asyncDispose]: () => browser.close() });
}

export interface Played {
  readonly durationS: number;
  /** Playback went on from the start, and after each seek, from there. */
  readonly wentOn: readonly boolean[];
}

/** Plays a medium in a page, seeks in it, and watches `currentTime` go on. */
export async function playInChromium(
  browser: Browser,
  url: string,
  kind: "video" | "audio",
  seeksS: readonly number[],
): Promise<Played> {
  const page = await browser.newPage();
  try {
    await openOrigin(page, url);
    const asked = JSON.stringify({ url, kind, seeksS });
    return await page.evaluate<Played>(`playInPage(${asked})`);
  } finally {
    await page.close();
  }
}

/** @returns the natural size of an image that the page shows, in pixels */
export async function showInChromium(browser: Browser, url: string): Promise<[number, number]> {
  const page = await browser.newPage();
  try {
    await openOrigin(page, url);
    return await page.evaluate<[number, number]>(`showInPage(${JSON.stringify(url)})`);
  } finally {
    await page.close();
  }
}

/** An empty page of the gateway's own origin; players on other origins need CORS, a later issue. */
async function openOrigin(page: Page, url: string): Promise<void> {
  await page.goto(new URL("/healthz", url).href);
  await page.addScriptTag({ path: join(import.meta.dir, "in-page.js") });
}
