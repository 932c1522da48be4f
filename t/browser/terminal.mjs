// node terminal.mjs URL: works for a moment in the terminal that the page shows.

import { check, eventually, launch, main } from "./browser.mjs";

await main(async () => {
  const [url] = process.argv.slice(2);
  const { browser, context } = await launch({ width: 900, height: 500 });
  try {
    const page = await context.newPage();
    const troubles = [];
    page.on("pageerror", (error) => troubles.push(error.message));
    await page.goto(url);
    const screen = () => page.evaluate(() => {
      const buffer = window.terminal?.buffer.active;
      return buffer ? Array.from({ length: buffer.length }, (_, i) => buffer.getLine(i).translateToString(true)).join("\n") : "";
    });
    check(/ready> /.test(await eventually(screen, (text) => /ready> /.test(text))), "the shell greets", await screen(), troubles);
    await page.click(".xterm");
    await page.keyboard.type("echo $((6 * 7)) caf\u00e9\n");
    check(/^42 caf\u00e9$/m.test(await eventually(screen, (text) => /^42 /m.test(text))), "a command runs", await screen());
    await page.keyboard.type("stty size; echo $TERM\n");
    const said = await eventually(screen, (text) => /^\d+ \d+$/m.test(text) && /^xterm/m.test(text));
    check(/^24 80$/m.test(said) && /^xterm-256color$/m.test(said), "the shell knows the terminal and its size", said);
    await page.keyboard.type("exit\n");
    check(/closed: 1000/.test(await eventually(screen, (text) => /closed:/.test(text))), "the end is told", await screen());
    check(troubles.length === 0, "the browser complains of nothing", troubles);
  } finally {
    await browser.close();
  }
});
