// A temporary folder for a test, deleted after all of its file.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";

const made: string[] = [];

after(() => made.forEach((each) => rmSync(each, { recursive: true, force: true })));

export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "impetus-unit-"));
  made.push(path);
  return path;
}
