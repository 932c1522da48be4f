// node session.mjs OUTPUT URL...: works for a moment on the desktop that each page shows.
//
// The desktop is 640x480 of one colour with an xterm at 40,40 whose program appends the lines it gets to OUTPUT.

import { readFile } from "node:fs/promises";
import { check, colours, eventually, inked, launch, main } from "./browser.mjs";

const ROOT = "#2a6f97";
const PAPER = "#fdf0d5";
const OUTSIDE = [[2, 2], [637, 2], [2, 477], [637, 477], [600, 240], [320, 460]];
const XTERM = [50, 50, 300, 100];

await main(async () => {
  const [output, ...urls] = process.argv.slice(2);
  const { browser, context } = await launch({ width: 640, height: 480 });
  try {
    for (const url of urls) {
      await session(context, output, url);
    }
  } finally {
    await browser.close();
  }
});

async function session(context, output, url) {
  const scheme = new URL(url).protocol.replace("http", "ws").replace(":", "");
  const page = await context.newPage();
  const troubles = [];
  page.on("pageerror", (error) => troubles.push(error.message));
  page.on("console", (message) => message.type() === "error" && troubles.push(message.text()));
  const sockets = [];
  page.on("websocket", (socket) => sockets.push(socket.url()));

  await page.goto(url);
  const seen = await eventually(() => page.evaluate(() => window.seen), (seen) => seen?.connect || seen?.disconnect);
  check(seen?.connect && !seen.disconnect, `${scheme}: noVNC connects`, seen, troubles);
  check(sockets.length === 1 && sockets[0].startsWith(`${scheme}://`), `${scheme}: by one WebSocket`, sockets);

  const pixels = await eventually(() => colours(page, OUTSIDE), (found) => found.every((colour) => colour === ROOT));
  check(pixels.every((colour) => colour === ROOT), `${scheme}: the desktop is painted to its corners`, pixels);
  const [paper] = await eventually(() => colours(page, [[300, 120]]), ([colour]) => colour === PAPER);
  check(paper === PAPER, `${scheme}: the xterm is where it should be`, paper);

  await typing(page, scheme, output);
  await clipboard(page, scheme, output);

  await page.evaluate(() => window.rfb.disconnect());
  const { disconnect } = await eventually(() => page.evaluate(() => window.seen), (seen) => seen.disconnect);
  check(disconnect?.clean === true, `${scheme}: the session closes cleanly`, disconnect);
  check(troubles.length === 0, `${scheme}: the browser complains of nothing`, ...troubles);
  await page.close();
}

async function typing(page, scheme, output) {
  const before = await inked(page, XTERM, PAPER);
  const text = `typed over ${scheme}, "quoted" & ~tilde~`;
  // Without a window manager, X gives the keys to the window under the pointer. noVNC sends a mere move a little later,
  // and keys would overtake it; a click would count with those of the double click below.
  await page.mouse.click(600, 240);
  await page.mouse.move(300, 120);
  await page.mouse.wheel(0, -100);
  await page.keyboard.type(text);
  const after = await eventually(() => inked(page, XTERM, PAPER), (count) => count > before + 200);
  check(after > before + 200, `${scheme}: what is typed shows in the picture`, before, after);
  await page.keyboard.press("Enter");
  check(await arrives(output, text), `${scheme}: what is typed reaches the program in the xterm`, await lines(output));
}

async function clipboard(page, scheme, output) {
  const text = `pasted over ${scheme}`;
  await page.evaluate((text) => window.rfb.clipboardPasteFrom(text), text);
  const before = await inked(page, XTERM, PAPER);
  await page.mouse.click(300, 120, { button: "middle" });
  // The xterm asks Xvnc for the text and Xvnc asks the page: Enter would overtake it.
  await eventually(() => inked(page, XTERM, PAPER), (count) => count > before + 100);
  await page.keyboard.press("Enter");
  check(await arrives(output, text), `${scheme}: the page's clipboard reaches the xterm`, await lines(output));

  // The first word of the xterm's first line.
  await page.mouse.dblclick(55, 50);
  const seen = await eventually(() => page.evaluate(() => window.seen), (seen) => seen.clipboard);
  check(seen.clipboard?.text === "welcome", `${scheme}: what is selected in the xterm reaches the page`, seen.clipboard);
}

async function arrives(output, text) {
  return eventually(async () => (await lines(output)).includes(text));
}

async function lines(output) {
  return (await readFile(output, "utf8").catch(() => "")).split("\n");
}
