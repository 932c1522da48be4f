// node refused.mjs URL WORDS...: what noVNC says of the session that each page asks for: the words about its end, in the
// console, which its own user interface shows too.

import { check, eventually, launch, main } from "./browser.mjs";

await main(async () => {
  const cases = process.argv.slice(2);
  const { browser, context } = await launch({ width: 640, height: 480 });
  try {
    while (cases.length) {
      const [url, words] = cases.splice(0, 2);
      const page = await context.newPage();
      const said = [];
      page.on("console", (message) => said.push(message.text()));
      await page.goto(url);
      const seen = await eventually(() => page.evaluate(() => window.seen), (seen) => seen?.disconnect);
      check(seen?.disconnect?.clean === false && !seen.connect, `${words}: noVNC knows that it went wrong`, seen);
      await eventually(() => said.join("\n"), (all) => all.includes(words));
      check(said.join("\n").includes(`Connection closed ${words}`), `${words}: and says why`, ...said);
      const close = await page.evaluate(() => new Promise((resolve) => {
        const socket = new WebSocket(window.rfb._url);
        socket.onclose = ({ code, reason, wasClean }) => resolve(`(code: ${code}${reason && `, reason: ${reason}`}) ${wasClean}`);
      }));
      check(close === `${words} ${words.includes("1006") ? "false" : "true"}`, `${words}: a script sees it`, close);
      await page.close();
    }
  } finally {
    await browser.close();
  }
});
