// Packages dist/ and media/ into impetus.vsix. The licence stands at the root of the repository, vsce wants it here.
import { copyFileSync, statSync } from "node:fs";
import { createVSIX } from "@vscode/vsce";

const LIMIT = 2_000_000;
const target = "impetus.vsix";

copyFileSync("../../LICENSE", "LICENSE");
await createVSIX({ packagePath: target, dependencies: false, allowMissingRepository: true, rewriteRelativeLinks: false });
const { size } = statSync(target);
console.log(`${target}: ${size} bytes`);
if (size > LIMIT) throw new Error(`the package may have ${LIMIT} bytes`);
