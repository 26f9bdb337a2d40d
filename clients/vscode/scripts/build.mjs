// Bundles the extension and its page into dist/; `build.mjs unit` the unit tests into dist-test/.
import { readdirSync } from "node:fs";
import { build } from "esbuild";

const node = { bundle: true, platform: "node", target: "node20", format: "cjs", external: ["vscode"], logLevel: "warning" };

const tests = (folder) =>
  readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => `${folder}/${name}`);

if (process.argv[2] === "unit") {
  await build({ ...node, entryPoints: tests("test/unit"), outdir: "dist-test/unit", outbase: "test/unit" });
} else {
  const entryPoints = { extension: "src/extension.ts", languageClient: "src/server/languageClient.ts" };
  await build({ ...node, entryPoints, outdir: "dist", external: ["vscode", "./languageClient.js"], supported: { "dynamic-import": false }, minify: true });
  await build({
    entryPoints: ["src/webview/main.ts", "src/webview/style.css"],
    outdir: "dist/webview",
    bundle: true,
    platform: "browser",
    target: "es2022",
    format: "iife",
    minify: true,
    logLevel: "warning",
  });
}
