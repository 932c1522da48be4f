// A terminal in a browser, with ssh in the page itself: what passes nginx is encrypted, and the host's key is looked at
// here. `npm run build` makes ssh.js and ssh.css of it. docs/clients.md

import "./node.mjs";
import {
  ChannelRequestMessage, SshAuthenticationType, SshClientSession, SshDisconnectReason, SshSessionConfiguration, WebSocketStream,
} from "@microsoft/dev-tunnels-ssh";
import { importKey } from "@microsoft/dev-tunnels-ssh-keys";
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";

const ADDRESS = new URL("../ssh", location.href.replace(/^http/, "ws")).href;

const terminal = window.terminal = new Terminal();
const fit = new FitAddon();
terminal.loadAddon(fit);
terminal.open(document.getElementById("terminal"));
terminal.focus();
fit.fit();
window.addEventListener("resize", () => fit.fit());

main().catch((error) => say(error.message));

async function main() {
  const username = await ask("login: ");
  const socket = await connected();
  const session = new SshClientSession(new SshSessionConfiguration());
  session.onAuthenticating((event) => {
    if (event.authenticationType === SshAuthenticationType.serverPublicKey) {
      event.authenticationPromise = isRightHost(event.publicKey);
    }
  });
  try {
    await session.connect(new WebSocketStream(socket));
    if (await isLetIn(session, username)) {
      await shell(session);
    } else {
      say("not let in");
    }
  } finally {
    await session.close(SshDisconnectReason.byApplication);
  }
}

function connected() {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(ADDRESS);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => resolve(socket));
    socket.addEventListener("close", ({ code, reason }) => {
      if (code !== 1005) { // which it is where this end has closed it
        say(`closed: ${code} ${reason}`);
      }
      reject(new Error("there is no connection"));
    });
  });
}

// As ssh does it: a key is confirmed once, and has to be the same from then on.
async function isRightHost(key) {
  const digest = await crypto.subtle.digest("SHA-256", await key.getPublicKeyBytes());
  const print = `SHA256:${Buffer.from(digest).toString("base64").replace(/=+$/, "")}`;
  const known = localStorage.getItem(ADDRESS);
  if (known && known !== print) {
    say(`THE HOST'S KEY IS ${print},\r\nAND HAS BEEN ${known}`);
    return null;
  }
  if (!known) {
    say(`The host's key is ${print}`);
    if (await ask("Is that right (yes/no)? ") !== "yes") {
      return null;
    }
    localStorage.setItem(ADDRESS, print);
  }
  return { print };
}

async function isLetIn(session, username) {
  const [file] = document.getElementById("key").files;
  if (file) {
    const text = await file.text();
    const passphrase = text.includes("ENCRYPTED") ? await ask("passphrase: ", "hidden") : null;
    return session.authenticate({ username, publicKeys: [await importKey(text, passphrase)] });
  }
  if (!await session.authenticateServer()) {
    return false;
  }
  for (let tries = 3; tries > 0; tries--) {
    if (await session.authenticateClient({ username, passwordProvider: async () => [username, await ask("password: ", "hidden")] })) {
      return true;
    }
  }
  return false;
}

async function shell(session) {
  const channel = await session.openChannel();
  const ended = new Promise((resolve) => channel.onClosed(resolve));
  // The host goes on when xterm.js has shown what it sent: thus a long output does not fill the browser's memory.
  channel.onDataReceived((data) => terminal.write(new Uint8Array(data), () => channel.isClosed || channel.adjustWindow(data.length)));
  terminal.onData((text) => channel.send(Buffer.from(text)));
  terminal.onBinary((text) => channel.send(Buffer.from(text, "latin1")));
  terminal.onResize(() => channel.request(new Size("window-change")));
  await channel.request(new Terminals("pty-req", true));
  await channel.request(new ChannelRequestMessage("shell", true));
  const { exitStatus } = await ended;
  say(`\r\nexit status ${exitStatus ?? "unknown"}`);
}

// RFC 4254, sections 6.2 and 6.7.
class Size extends ChannelRequestMessage {
  onWrite(writer) {
    super.onWrite(writer);
    [terminal.cols, terminal.rows, 0, 0].forEach((number) => writer.writeUInt32(number));
  }
}

class Terminals extends ChannelRequestMessage {
  onWrite(writer) {
    super.onWrite(writer);
    writer.writeString("xterm-256color", "ascii");
    [terminal.cols, terminal.rows, 0, 0].forEach((number) => writer.writeUInt32(number));
    writer.writeBinary(Buffer.of(0)); // no modes: the host's own
  }
}

function say(text) {
  terminal.write(`${text}\r\n`);
}

// A line from the keyboard.
function ask(question, hidden) {
  terminal.write(question);
  return new Promise((resolve) => {
    let line = "";
    const keys = terminal.onData((text) => {
      for (const key of text) {
        if (key === "\r") {
          keys.dispose();
          terminal.write("\r\n");
          resolve(line);
        } else if (key === "\x7f") {
          if (line && !hidden) terminal.write("\b \b");
          line = line.slice(0, -1);
        } else if (key >= " ") {
          line += key;
          if (!hidden) terminal.write(key);
        }
      }
    });
  });
}
