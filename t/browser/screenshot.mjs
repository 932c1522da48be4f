// node screenshot.mjs URL FILE: the picture for the README, of the desktop that `make demo` shows at URL.
//
// PS1="$ " SHELL=/bin/sh make demo, and then: node t/browser/screenshot.mjs http://127.0.0.1:6080/ docs/screenshot.png

import { eventually, inked, launch, main } from "./browser.mjs";

const PROMPT = [50, 280, 800, 200];

await main(async () => {
  const [url, file] = process.argv.slice(2);
  const { browser, context } = await launch({ width: 1280, height: 720 });
  try {
    const page = await context.newPage();
    await page.goto(url);
    await page.waitForSelector("html.noVNC_connected");
    await eventually(() => page.evaluate(() => document.elementFromPoint(600, 400).tagName === "CANVAS"));
    await page.mouse.click(600, 400);
    const before = await inked(page, PROMPT, "#101820");
    await page.keyboard.type("grep -A5 'location = /websockify' demo/nginx.conf.in\n");
    await eventually(() => inked(page, PROMPT, "#101820"), (count) => count > before + 2000);
    await page.click("#noVNC_control_bar_handle");
    await page.waitForFunction(() => !document.getElementById("noVNC_transition")?.offsetParent);
    await page.waitForTimeout(1000);
    await page.screenshot({ path: file });
  } finally {
    await browser.close();
  }
});
