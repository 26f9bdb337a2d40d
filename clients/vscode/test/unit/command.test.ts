import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { serverCommand } from "../../src/server/command";
import { folder as temporary } from "./folder";

function folder(...programs: string[]): string {
  const made = temporary();
  for (const name of programs) writeFileSync(join(made, name), "#!/bin/sh\n", { mode: 0o755 });
  return made;
}

test("without a setting the first impetus of the PATH is taken", () => {
  const [empty, first, second] = [folder(), folder("impetus"), folder("impetus")];
  const path = [empty, first, second].join(delimiter);
  assert.deepEqual(serverCommand([], path, false), { program: join(first, "impetus"), args: [] });
});

test("the setting wins over the PATH, and brings arguments", () => {
  const [there, named] = [folder("impetus"), folder("python3")];
  const program = join(named, "python3");
  assert.deepEqual(serverCommand([program, "-m", "impetus"], there, false), { program, args: ["-m", "impetus"] });
});

test("a bare name in the setting is looked up on the PATH", () => {
  const there = folder("impetus", "uv");
  assert.deepEqual(serverCommand(["uv", "run", "impetus"], there, false), { program: join(there, "uv"), args: ["run", "impetus"] });
});

test("what is missing, a folder or not executable is no program", () => {
  const there = folder("impetus");
  chmodSync(join(there, "impetus"), 0o644);
  const withFolder = folder();
  mkdirSync(join(withFolder, "impetus"));
  for (const path of [folder(), there, withFolder, "", undefined]) assert.equal(serverCommand([], path, false), undefined);
  assert.equal(serverCommand([join(there, "gone")], there, false), undefined);
});

test("on Windows a program ends in exe or cmd", () => {
  const there = folder("impetus.exe");
  assert.deepEqual(serverCommand([], there, true), { program: join(there, "impetus.exe"), args: [] });
});
