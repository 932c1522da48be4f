// node demo.mjs URL DIRECTORY [PASSWORD]: works for a moment on the desktop that `make demo` shows at URL.
//
// What is typed there makes files in DIRECTORY; a screenshot goes to DIRECTORY/screenshot.png.

import { access } from "node:fs/promises";
import { check, colours, eventually, launch, main } from "./browser.mjs";

const VIEW = { width: 1024, height: 640 };
const BACKGROUND = "#2e4a62";
/** Points of the 1280x720 desktop outside its terminal and its bar. */
const OUTSIDE = [[4, 4], [1275, 4], [4, 680], [1275, 680], [1200, 300], [700, 670]];
const TERMINAL = [400, 400];
const SHOWN = "grep -A5 'location = /websockify' demo/nginx.conf.in";

await main(async () => {
  const [url, directory, password] = process.argv.slice(2);
  const { browser, context } = await launch(VIEW);
  try {
    const page = await context.newPage();
    await page.goto(url);
    check(new URL(page.url()).pathname === "/vnc.html", "/ leads to noVNC's page", page.url());
    if (password) {
      await page.fill("#noVNC_password_input", password);
      await page.press("#noVNC_password_input", "Enter");
    }
    await connects(page);
    await scales(page);
    await works(page, directory);
    await page.screenshot({ path: `${directory}/screenshot.png` });
    await leaves(page);
  } finally {
    await browser.close();
  }
});

async function connects(page) {
  const connected = () => document.documentElement.classList.contains("noVNC_connected");
  const status = () => page.evaluate(() => document.getElementById("noVNC_status").textContent);
  check(await eventually(() => page.evaluate(connected)), "it connects by itself", await status());

  const pixels = await eventually(() => colours(page, OUTSIDE), (found) => found.every((c) => c === BACKGROUND));
  check(pixels.every((colour) => colour === BACKGROUND), "the desktop is painted", pixels);
}

async function scales(page) {
  const size = await eventually(() => page.evaluate(() => {
    const canvas = document.querySelector("canvas");
    const { width, height } = canvas.getBoundingClientRect();
    return { desktop: [canvas.width, canvas.height], shown: [Math.round(width), Math.round(height)] };
  }), ({ shown }) => shown[0] === VIEW.width);
  const fits = String(size.shown) === "1024,576" && String(size.desktop) === "1280,720";
  check(fits, "and scaled to fit the window", size);
}

async function works(page, directory) {
  const [x, y] = await page.evaluate(([x, y]) => {
    const { left, top, width } = document.querySelector("canvas").getBoundingClientRect();
    return [left + x * width / 1280, top + y * width / 1280];
  }, TERMINAL);
  // noVNC's overlay takes clicks until it has faded.
  const top = () => page.evaluate(([x, y]) => document.elementFromPoint(x, y).tagName, [x, y]);
  check(await eventually(top, (tag) => tag === "CANVAS") === "CANVAS", "nothing covers it", await top());

  await page.mouse.click(x, y);
  await page.keyboard.type(`touch ${directory}/typed\n`);
  check(await appears(`${directory}/typed`), "a command typed in the terminal runs");

  await page.evaluate((text) => {
    const clipboard = document.getElementById("noVNC_clipboard_text");
    clipboard.value = text;
    clipboard.dispatchEvent(new Event("change"));
  }, `touch ${directory}/pasted\n`);
  await page.mouse.click(x, y, { button: "middle" });
  check(await appears(`${directory}/pasted`), "a command pasted through noVNC's clipboard runs");

  await page.keyboard.type(`clear; ${SHOWN}; touch ${directory}/shown\n`);
  await appears(`${directory}/shown`);
}

async function leaves(page) {
  await page.evaluate(() => document.getElementById("noVNC_disconnect_button").click());
  // Its text says "Disconnected" only where no warning from before is still shown: what went wrong is an error.
  const state = () => page.evaluate(() => {
    const { classList, textContent } = document.getElementById("noVNC_status");
    const over = !/noVNC_(connected|disconnecting)/.test(document.documentElement.className);
    return { over, error: classList.contains("noVNC_status_error"), textContent };
  });
  const { over, error, textContent } = await eventually(state, ({ over }) => over);
  check(over && !error, "it disconnects cleanly", textContent);
}

async function appears(path) {
  return eventually(() => access(path).then(() => true, () => false));
}
