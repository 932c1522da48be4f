// What the browser tests share: a headless Chromium, reports in TAP's words, and the pixels of a page's canvas.

import { chromium } from "playwright-core";

// On a machine that does other things as well, a browser may take its time.
const PATIENCE = 60000;

export async function launch(viewport) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--ignore-certificate-errors",
    ],
  });
  const context = await browser.newContext({ viewport });
  context.setDefaultTimeout(PATIENCE);
  return { browser, context };
}

/** Runs `body`, which calls check() for each thing it shows, and ends the process with what came of it. */
export async function main(body) {
  try {
    await body();
  } catch (error) {
    check(false, `the script came to its end: ${error.message.split("\n")[0]}`);
    console.log(error.stack.replace(/^/gm, "# "));
    process.exitCode = 1;
  }
}

export function check(passed, what, ...details) {
  console.log(`${passed ? "ok" : "not ok"} - ${what}`);
  if (!passed) {
    for (const detail of details) {
      console.log(`# ${JSON.stringify(detail)}`);
    }
  }
}

/** Asks `probe` until `enough` likes its answer, and returns the last answer whether or not it did. */
export async function eventually(probe, enough = Boolean) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const answer = await probe();
    if (enough(answer) || Date.now() > end) {
      return answer;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The colours ("#rrggbb") of the page's canvas at [x, y]..., in the canvas's own pixels. */
export function colours(page, points) {
  return page.evaluate((points) => {
    const context = document.querySelector("canvas").getContext("2d");
    return points.map(([x, y]) => {
      const [red, green, blue] = context.getImageData(x, y, 1, 1).data;
      return "#" + [red, green, blue].map((value) => value.toString(16).padStart(2, "0")).join("");
    });
  }, points);
}

/** How many pixels of a rectangle have not the colour `background`. */
export function inked(page, [x, y, width, height], background) {
  return page.evaluate(([x, y, width, height, background]) => {
    const { data } = document.querySelector("canvas").getContext("2d").getImageData(x, y, width, height);
    const [red, green, blue] = background.match(/[0-9a-f]{2}/g).map((digits) => parseInt(digits, 16));
    let count = 0;
    for (let i = 0; i < data.length; i += 4) {
      if (data[i] !== red || data[i + 1] !== green || data[i + 2] !== blue) {
        count++;
      }
    }
    return count;
  }, [x, y, width, height, background]);
}
