// node status.mjs URL REASON [PICTURE]: looks at the live page of `websockify_status` at URL, in the light and in the
// dark, and ends the session of the client whose list has the name "reception" there, for REASON.

import { check, eventually, launch, main } from "./browser.mjs";

await main(async () => {
  const [url, reason, picture] = process.argv.slice(2);
  const { browser, context } = await launch({ width: 1280, height: 720 });
  try {
    const page = await context.newPage();
    const troubles = [];
    page.on("pageerror", (error) => troubles.push(error.message));
    page.on("console", (message) => message.type() === "error" && troubles.push(message.text()));
    const foreign = [];
    page.on("request", (request) => request.url().startsWith(url) || foreign.push(request.url()));

    await page.goto(url);
    const text = (selector) => page.textContent(selector);
    const rows = () => page.locator("#rows tr").count();
    await eventually(rows, (count) => count === 3);
    check((await rows()) === 3, "three sessions are listed", await text("#rows"));
    check((await text("#active")) === "3", "three are active", await text("#active"));
    check((await text("#refused")).includes("handshake"), "a refusal is shown", await text("#refused"));
    check(/websockify-nginx-module \d/.test(await text("#state")), "the version is shown", await text("#state"));

    const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.emulateMedia({ colorScheme: "light" });
    const light = await paper();
    if (picture) {
      await eventually(() => page.locator("#active-line polyline").getAttribute("points"), (it) => it?.split(" ").length > 2);
      await page.screenshot({ path: picture });
    }
    await page.emulateMedia({ colorScheme: "dark" });
    const dark = await paper();
    check(light !== dark, "dark and light are two", light, dark);

    await page.fill("#filter", "reception");
    check((await rows()) === 1, "the list is filtered", await text("#rows"));
    await page.click("#rows button");
    check(await page.isVisible("#ask"), "the page asks first");
    check((await text("#whom")).includes("127.0.0.1"), "and says whom", await text("#whom"));
    await page.click("#no");
    check((await rows()) === 1 && (await page.isHidden("#ask")), "no is no");
    await page.click("#rows button");
    await page.fill("#reason", reason);
    await page.click("#yes");
    await eventually(rows, (count) => count === 0);
    check((await rows()) === 0, "the session is gone", await text("#rows"));
    await page.fill("#filter", "");
    await eventually(async () => (await text("#ended")).includes("admin"));
    check((await text("#ended")).includes("admin4000"), "and counted", await text("#ended"));
    check((await rows()) === 2, "the others are there", await text("#rows"));

    check(foreign.length === 0, "the page asks nobody else", ...foreign);
    check(troubles.length === 0, "the browser complains of nothing", ...troubles);
  } finally {
    await browser.close();
  }
});
