// Workspaces for the tests: real code, copied to where it may be changed.

import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { repository } from "./editor.mjs";

/** The server's own source: about 130 files of Python. Its name is what people see in pictures. */
export function project() {
  const folder = join(mkdtempSync(join(tmpdir(), "impetus-workspace-")), "impetus");
  const source = join(repository, "server", "impetus");
  cpSync(source, folder, { recursive: true, filter: (path) => !["data", "__pycache__"].includes(basename(path)) });
  return folder;
}

/** `count` Python files of the libraries that the server itself uses, never indexed before. */
export function libraries(sitePackages, count) {
  const folder = join(mkdtempSync(join(tmpdir(), "impetus-workspace-")), "libraries");
  const files = readdirSync(sitePackages, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".py"))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
  const step = files.length / count;
  for (let i = 0; i < count; i++) {
    const target = join(folder, relative(sitePackages, files[Math.floor(i * step)]));
    mkdirSync(dirname(target), { recursive: true });
    cpSync(files[Math.floor(i * step)], target);
  }
  return folder;
}

export function remove(folder) {
  rmSync(dirname(folder), { recursive: true, force: true });
}
