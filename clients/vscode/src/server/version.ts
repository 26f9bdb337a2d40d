// Whether the program that answered is a server that this extension can talk to.

/** The oldest server that answers everything this extension asks. */
export const OLDEST = "0.1.0";

/** What is wrong with the server, for the person; `undefined` when nothing is. `info` is `serverInfo` of LSP. */
export function refusal(info: { name: string; version?: string } | undefined, program: string): string | undefined {
  if (info?.name !== "Impetus") {
    const name = info?.name ?? "something without a name";
    return `${program} is not the Impetus server: it answers as ${name}. Name the right program in impetus.server.command`;
  }
  const version = info.version ?? "0";
  if (isOlder(version, OLDEST)) {
    return `The Impetus server ${version} (${program}) is too old for this extension, which needs ${OLDEST} or later. Update it`;
  }
  return undefined;
}

/** Compares release numbers: what follows the digits (`rc1`, `.dev0`) does not count. */
export function isOlder(version: string, than: string): boolean {
  const [left, right] = [numbers(version), numbers(than)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function numbers(version: string): number[] {
  const release = /^v?(\d+(?:\.\d+)*)/.exec(version)?.[1] ?? "0";
  return release.split(".").map(Number);
}
