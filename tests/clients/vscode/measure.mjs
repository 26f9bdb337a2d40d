// How long it takes from the .vsix to the first answer on 1,000 files never indexed, and what activation costs.
//     node measure.mjs SITE_PACKAGES [RUNS]          Environment: see editor.mjs.

import { chat, command, startEditor, statusItem } from "./editor.mjs";
import { libraries, remove } from "./workspace.mjs";

const [sitePackages, runs = "3"] = process.argv.slice(2);
const FILES = 1000;
const seconds = (from, to) => ((to - from) / 1000).toFixed(1);

for (let run = 1; run <= Number(runs); run++) {
  const folder = libraries(sitePackages, FILES);
  const editor = await startEditor();
  try {
    const launched = performance.now();
    const page = await editor.window(folder);
    const shown = performance.now();
    await page.locator('.activitybar a[aria-label="Impetus"]').click();
    const view = chat(page);
    await view.locator("#question").waitFor();
    const asked = performance.now();
    await view.locator("#question").fill("How is an HTTP connection pool closed?");
    await view.locator("#question").press("Enter");
    await view.locator(".turn.done button.cite").first().waitFor({ timeout: 60_000 });
    const answered = performance.now();
    await statusItem(page).locator(".codicon-pass, .codicon-warning").waitFor({ timeout: 120_000 });
    const indexed = performance.now();
    await command(page, "Developer: Show Running Extensions");
    const row = page.locator(".runtime-extensions-editor .monaco-list-row", { hasText: "Impetus" });
    await row.locator(".activation-time", { hasText: "ms" }).waitFor();
    const activation = await row.locator(".activation-time").textContent();
    console.log(
      `run ${run}: install ${seconds(editor.begun, editor.installed)} s, editor's server and browser ${seconds(editor.installed, launched)} s, ` +
        `window ${seconds(launched, shown)} s, chat open ${seconds(shown, asked)} s, answer ${seconds(asked, answered)} s, ` +
        `from .vsix to answer ${seconds(editor.begun, answered)} s; all ${FILES} files indexed after ${seconds(launched, indexed)} s; ${activation.trim()}; ` +
        `status: ${(await statusItem(page).getAttribute("aria-label")) ?? ""}`,
    );
  } finally {
    await editor.close();
    remove(folder);
  }
}
