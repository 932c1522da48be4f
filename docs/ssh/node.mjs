// What the ssh library takes for granted, as in Node, from its first line on: this has to be imported before it.

import { Buffer } from "buffer";
import process from "process/browser.js";

Object.assign(globalThis, { Buffer, global: globalThis, process });
