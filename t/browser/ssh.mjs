// node ssh.mjs URL USER PASSWORD FINGERPRINT KEY PASSPHRASE: signs in by the page's ssh, and works for a moment.

import { check, eventually, launch, main } from "./browser.mjs";

const [url, user, password, fingerprint, key, passphrase] = process.argv.slice(2);

await main(async () => {
  const { browser, context } = await launch({ width: 900, height: 500 });
  try {
    await byPassword(await context.newPage());
    await byKey(await context.newPage());
    await elsewhere(await context.newPage());
  } finally {
    await browser.close();
  }
});

async function byPassword(page) {
  const troubles = [];
  page.on("pageerror", (error) => troubles.push(error.message));
  const { screen, says } = await open(page);
  check((await says(/\(yes\/no\)\? /)).includes(`key is ${fingerprint}`), "the host's key is shown", await screen(), troubles);
  await page.keyboard.type("yes\n");
  await says(/password: /);
  await page.keyboard.type("wrong\n");
  check(/password: \npassword: /.test(await says(/password: \npassword: /)), "a wrong password is not taken, and none is shown", await screen());
  await page.keyboard.type(`${password}\n`);
  check(/ready> /.test(await says(/ready> /)), "the right one is", await screen(), troubles);

  await page.keyboard.type("echo $((6 * 7)) caf\u00e9 $TERM\n");
  check(/^42 caf\u00e9 xterm-256color$/m.test(await says(/^42 /m)), "a command runs", await screen());
  await checkSize(page, "the shell knows the terminal's size");
  const before = await size(page);
  await page.setViewportSize({ width: 700, height: 400 });
  await eventually(async () => await size(page) !== before);
  await checkSize(page, "and when it changes");
  await page.keyboard.type("seq 300000; echo the last of them\n");
  check(/^300000\nthe last of them$/m.test(await says(/^the last of them$/m)), "a long output comes whole", (await screen()).slice(-200));
  await page.keyboard.type("exit 3\n");
  check(/^exit status 3$/m.test(await says(/^exit status/m)), "the end is told", (await screen()).slice(-200));
  check(troubles.length === 0, "the browser complains of nothing", troubles);
  await page.close();
}

async function byKey(page) {
  const { screen, says } = await open(page, key);
  await says(/passphrase: /);
  await page.keyboard.type(`${passphrase}\n`);
  const said = await says(/ready> /);
  check(/ready> /.test(said) && !/yes\/no|password/.test(said), "by key: neither password nor the host is asked for again", said);
  await page.keyboard.type("echo $((6 * 7))\n");
  check(/^42$/m.test(await says(/^42$/m)), "by key: a command runs", await screen());
  await page.close();
}

async function elsewhere(page) {
  await page.goto(url);
  await page.evaluate(() => Object.keys(localStorage).forEach((name) => localStorage.setItem(name, "SHA256:another")));
  const { says } = await open(page);
  const said = await says(/not let in/);
  check(/AND HAS BEEN SHA256:another/.test(said) && !/password/.test(said), "a host whose key has changed gets no password", said);
  await page.close();
}

async function open(page, file) {
  await page.goto(url);
  if (file) {
    await page.setInputFiles("#key", file);
  }
  const screen = () => page.evaluate(() => {
    const buffer = window.terminal?.buffer?.active;
    return buffer ? Array.from({ length: buffer.length }, (_, i) => buffer.getLine(i).translateToString(true)).join("\n") : "";
  });
  const says = (pattern) => eventually(screen, (text) => pattern.test(text));
  await says(/login: /);
  await page.click(".xterm");
  await page.keyboard.type(`${user}\n`);
  return { screen, says };
}

function size(page) {
  return page.evaluate(() => `${window.terminal.rows} ${window.terminal.cols}`);
}

async function checkSize(page, what) {
  const expected = await size(page);
  await page.evaluate(() => window.terminal.clear());
  await page.keyboard.type("stty size\n");
  const line = () => page.evaluate(() => {
    const buffer = window.terminal.buffer.active;
    return Array.from({ length: buffer.length }, (_, i) => buffer.getLine(i).translateToString(true)).find((text) => /^\d+ \d+$/.test(text));
  });
  const found = await eventually(line);
  check(found === expected, what, found, expected);
}
