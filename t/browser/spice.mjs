// node spice.mjs PASSWORD URL...: a session of spice-html5 with each guest, whose screen has one colour until a key is
// pressed, and then the colour of that key.

import { check, colours, eventually, launch, main } from "./browser.mjs";

const [password, ...urls] = process.argv.slice(2);
const CORNERS = [[1, 1], [638, 1], [1, 398], [638, 398], [320, 200]];

await main(async () => {
  const { browser, context } = await launch({ width: 800, height: 600 });
  try {
    for (const url of urls) {
      await session(await context.newPage(), url);
    }
  } finally {
    await browser.close();
  }
});

async function session(page, url) {
  const name = new URL(url).pathname + new URL(url).search;
  const troubles = [];
  page.on("pageerror", (error) => troubles.push(error.message));
  const asked = [];
  page.on("dialog", (dialog) => {
    asked.push(dialog.message());
    dialog.accept(password);
  });
  const sockets = [];
  page.on("websocket", (socket) => {
    const sides = { sent: false, received: false };
    socket.on("framesent", () => (sides.sent = true));
    socket.on("framereceived", () => (sides.received = true));
    sockets.push(sides);
  });
  await page.goto(url);

  await shows(page, [0xa8, 0, 0], `${name}: the guest's screen, to its corners`, troubles);
  check(asked.join() === "Password", `${name}: with the password`, asked);
  // The first was refused the password that it did not have.
  const busy = await eventually(() => sockets.slice(1), (all) => all.length === 4 && all.every(({ sent, received }) => sent && received));
  check(busy.length === 4 && busy.every(({ sent, received }) => sent && received), `${name}: by four WebSockets`, sockets);
  await page.hover("canvas");
  await page.keyboard.press("b");
  await shows(page, [0, 0xa8, 0], `${name}: a key is pressed`, troubles);
  await page.keyboard.press("a");
  await shows(page, [0, 0, 0xa8], `${name}: and another`, troubles);
  await page.keyboard.press("d"); // as it was
  await shows(page, [0xa8, 0, 0], `${name}: and the first again`, troubles);
  check(troubles.length === 0, `${name}: the browser complains of nothing`, troubles);
  await page.close();
}

async function shows(page, [red, green, blue], what, troubles) {
  const wanted = "#" + [red, green, blue].map((value) => value.toString(16).padStart(2, "0")).join("");
  const probe = () => page.$("canvas").then((canvas) => (canvas ? colours(page, CORNERS) : []));
  const found = await eventually(probe, (all) => all.length && all.every((colour) => colour === wanted));
  check(found.length && found.every((colour) => colour === wanted), what, found, wanted, troubles);
}
