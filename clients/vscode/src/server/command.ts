// Which program is the server: the setting `server.command`, else `impetus` on the PATH.

import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";

export interface ServerCommand {
  program: string;
  args: string[];
}

/** `undefined` when no such program is there. `configured` holds the program and its first arguments, or nothing. */
export function serverCommand(
  configured: readonly string[],
  path: string | undefined,
  windows = process.platform === "win32",
): ServerCommand | undefined {
  const [name = "impetus", ...args] = configured;
  const program = isAbsolute(name) ? executable(name, windows) : onPath(name, path, windows);
  return program === undefined ? undefined : { program, args };
}

export function onPath(name: string, path: string | undefined, windows: boolean): string | undefined {
  for (const folder of (path ?? "").split(delimiter)) {
    const found = folder === "" ? undefined : executable(join(folder, name), windows);
    if (found !== undefined) return found;
  }
  return undefined;
}

function executable(file: string, windows: boolean): string | undefined {
  const names = windows && !/\.(exe|cmd)$/i.test(file) ? [`${file}.exe`, `${file}.cmd`] : [file];
  return names.find((name) => {
    try {
      accessSync(name, windows ? constants.F_OK : constants.X_OK);
      return statSync(name).isFile();
    } catch {
      return false;
    }
  });
}
