// A Python environment for the server: finding an interpreter, making the environment, installing into it.
// The package index has another project under our name, so only a file or folder that the person chose is installed.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { onPath } from "./command";

export interface Python {
  program: string;
  version: string;
}

export const MISSING =
  "Impetus needs Python 3.11, 3.12 or 3.13, and none of them is on the PATH. Install one, then try again";

const windows = process.platform === "win32";
const NAMES = ["python3.13", "python3.12", "python3.11", "python3", "python"];
const SUPPORTED = /^3\.(11|12|13)\./;

/** The first supported Python of `path`, the value of PATH. */
export async function findPython(path: string | undefined): Promise<Python | undefined> {
  for (const name of NAMES) {
    const program = onPath(name, path, windows);
    if (program === undefined) continue;
    // A name on the PATH may be a stub (pyenv's shims, the Windows store): only what runs counts.
    const version = await output(program, ["-c", "import platform; print(platform.python_version())"]).catch(() => "");
    if (SUPPORTED.test(version)) return { program, version: version.trim() };
  }
  return undefined;
}

/** Makes `folder` anew with `package_` (a wheel or a checkout) in it; the path of its `impetus`. Throws what failed. */
export async function install(
  python: Python,
  package_: string,
  folder: string,
  log: (text: string) => void,
  signal: AbortSignal,
): Promise<string> {
  const bin = join(folder, windows ? "Scripts" : "bin");
  await output(python.program, ["-m", "venv", "--clear", folder], log, signal);
  await output(join(bin, "python"), ["-m", "pip", "install", "--disable-pip-version-check", package_], log, signal);
  const program = join(bin, windows ? "impetus.exe" : "impetus");
  const version = await output(program, ["--version"], log, signal);
  if (!/^impetus \d/.test(version)) throw new Error(`${package_} holds no Impetus server: ${version.trim()}`);
  return program;
}

function output(program: string, args: string[], log = (_: string) => {}, signal?: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], ...(signal && { signal }) });
    let out = "";
    let last = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
      log(text);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      last = text.trim() || last;
      log(text);
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(out);
      else reject(new Error(`${program} ${args.slice(0, 3).join(" ")} failed: ${last.split("\n").at(-1) || `exit code ${code}`}`));
    });
  });
}
