// node page.mjs URL OUTPUT: opens the image's page as a user does, and types a line into the xterm of its desktop, whose
// program appends the lines it gets to OUTPUT.

import { readFile } from "node:fs/promises";
import { check, colours, eventually, launch, main } from "../../t/browser/browser.mjs";

const ROOT = "#2a6f97";

await main(async () => {
  const [url, output] = process.argv.slice(2);
  const { browser, context } = await launch({ width: 640, height: 480 });
  try {
    const page = await context.newPage();
    await page.goto(url);
    check(new URL(page.url()).pathname === "/vnc.html", "/ leads to noVNC's page", page.url());
    const connected = () => page.evaluate(() => document.documentElement.classList.contains("noVNC_connected"));
    check(await eventually(connected), "it connects by itself");
    const pixels = await eventually(() => colours(page, [[2, 2], [637, 477]]), (found) => found.every((c) => c === ROOT));
    check(pixels.every((colour) => colour === ROOT), "the desktop is painted", pixels);

    const top = () => page.evaluate(() => document.elementFromPoint(300, 120).tagName);
    check(await eventually(top, (tag) => tag === "CANVAS") === "CANVAS", "nothing covers it", await top());
    await page.mouse.click(300, 120);
    await page.keyboard.type("typed in the container's page\n");
    const lines = async () => (await readFile(output, "utf8").catch(() => "")).split("\n");
    const arrived = await eventually(async () => (await lines()).includes("typed in the container's page"));
    check(arrived, "what is typed reaches the program in the xterm", await lines());
  } finally {
    await browser.close();
  }
});
