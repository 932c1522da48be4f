// The page of nginx-conf/signed/ as bob sees it: a click on a desktop leads to noVNC with an address that opens a session.
//
//   node signed.mjs ADDRESS

import { check, eventually, launch, main } from "./browser.mjs";

const [address] = process.argv.slice(2);

main(async () => {
  const { browser, context } = await launch({ width: 640, height: 480 });
  try {
    await context.setHTTPCredentials({ username: "bob", password: "secret" });
    const page = await context.newPage();
    await page.goto(address);
    const names = await eventually(() => page.locator("button").allTextContents(), (names) => names.length === 2);
    check(names.join() === "reception,workshop", "the page shows bob's desktops", names);

    await page.getByText("workshop").click();
    await page.waitForURL("**/vnc.html?*");
    const path = new URL(page.url()).searchParams.get("path");
    check(/^websockify\?target=.*&expires=\d+&sign=[0-9a-f]{64}$/.test(path), "noVNC gets a signed address", path);

    const greeting = await page.evaluate((path) => new Promise((resolve) => {
      const socket = new WebSocket(new URL(path, location.href.replace(/^http/, "ws")));
      socket.binaryType = "arraybuffer";
      socket.onmessage = ({ data }) => resolve(new TextDecoder().decode(data));
      socket.onclose = ({ code }) => resolve(code);
    }), path);
    check(greeting === "two", "it opens a session", greeting);
  } finally {
    await browser.close();
  }
});
