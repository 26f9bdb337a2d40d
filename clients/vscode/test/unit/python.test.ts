// With real interpreters and a real pip. The wheel needs nothing, so nothing is fetched.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { findPython, install } from "../../src/server/python";
import { folder } from "./folder";

delete process.env["PYTHONPATH"]; // a checkout on it would be what the new environment imports

const never = new AbortController().signal;

function says(name: string, answer: string, code = 0): string {
  const made = folder();
  writeFileSync(join(made, name), `#!/bin/sh\necho '${answer}'\nexit ${code}\n`, { mode: 0o755 });
  return made;
}

function wheel(output: string): string {
  const name = join(folder(), "impetus-9.0.0-py3-none-any.whl");
  const script = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as z:
    z.writestr("impetus/__init__.py", "def main(): print(" + repr(sys.argv[2]) + ")")
    info = "impetus-9.0.0.dist-info/"
    z.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: impetus\\nVersion: 9.0.0\\n")
    z.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    z.writestr(info + "entry_points.txt", "[console_scripts]\\nimpetus = impetus:main\\n")
    z.writestr(info + "RECORD", "")
`;
  execFileSync("python3", ["-c", script, name, output]);
  return name;
}

test("the first supported Python is found, whatever its name", async () => {
  const path = [says("python3.13", "3.10.4"), says("python3", "3.12.1")].join(delimiter);
  assert.equal((await findPython(path))?.version, "3.12.1");
});

test("too old, too new, and stubs that do not run are no Python", async () => {
  const path = [says("python3.12", "no such version is installed", 127), says("python3", "3.14.0"), says("python", "2.7.18")].join(delimiter);
  assert.equal(await findPython(path), undefined);
  assert.equal(await findPython(""), undefined);
});

test("a wheel is installed into an environment of its own", async () => {
  const python = await findPython(process.env["PATH"]);
  assert.ok(python, "this test needs Python 3.11 to 3.13");
  let log = "";
  const target = join(folder(), "server");
  const program = await install(python, wheel("impetus 9.0.0"), target, (text) => (log += text), never);
  assert.ok(program.startsWith(target));
  assert.equal(execFileSync(program, ["--version"], { encoding: "utf8" }).trim(), "impetus 9.0.0");
  assert.match(log, /Successfully installed/);
});

test("a package that is something else, or cannot be installed, is an error that says so", async () => {
  const python = await findPython(process.env["PATH"]);
  assert.ok(python);
  await assert.rejects(install(python, wheel("some other tool"), join(folder(), "s"), () => {}, never), /holds no Impetus server: some other tool/);
  await assert.rejects(install(python, join(folder(), "gone.whl"), join(folder(), "s"), () => {}, never), /pip install.* failed|gone\.whl/);
});

test("an installation can be stopped", async () => {
  const python = await findPython(process.env["PATH"]);
  assert.ok(python);
  await assert.rejects(install(python, wheel("impetus 9"), join(folder(), "s"), () => {}, AbortSignal.abort()), { name: "AbortError" });
});
