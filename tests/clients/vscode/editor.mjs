// A real VS Code with the packaged extension in it, and windows of it in headless Chromium.
// Environment: VSCODE (folder of get.sh), VSIX, IMPETUS (the server's program), CHROMIUM.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";

const code = resolve(process.env.VSCODE);
const { chromium } = createRequire(join(code, "package.json"))("playwright-core");

const QUIET = {
  "security.workspace.trust.enabled": false,
  "workbench.startupEditor": "none",
  "telemetry.telemetryLevel": "off",
  "update.mode": "none",
  "extensions.autoUpdate": false,
  "extensions.autoCheckUpdates": false,
  "workbench.enableExperiments": false,
  "workbench.tips.enabled": false,
  "workbench.welcomePage.walkthroughs.openOnInstall": false,
  "chat.disableAIFeatures": true,
  "chat.commandCenter.enabled": false,
  "git.openRepositoryInParentFolders": "never",
};

/** Options: `settings` (of the machine), `user` (more settings), `server` (arguments of VS Code's server), `impetus` (the program on the PATH). */
export async function startEditor({ settings = {}, user = {}, server = [], impetus = process.env.IMPETUS } = {}) {
  const data = mkdtempSync(join(tmpdir(), "impetus-vscode-"));
  mkdirSync(join(data, "user", "User"), { recursive: true });
  writeFileSync(join(data, "user", "User", "settings.json"), JSON.stringify({ ...QUIET, ...user }));
  const settingsFile = join(data, "user", "Machine", "settings.json");
  mkdirSync(dirname(settingsFile));
  writeFileSync(settingsFile, JSON.stringify(settings));
  const environment = {
    ...process.env,
    IMPETUS_HOME: join(data, "impetus-home"),
    IMPETUS_ENGINE_IDLE_EXIT_MINUTES: "1",
    IMPETUS_HTTP_PORT: "0", // an engine of the person's own may have the usual one
    PATH: [...(impetus ? [dirname(resolve(impetus))] : []), process.env.PATH].join(delimiter),
  };
  const port = await freePort();
  const args = [
    join(code, "node_modules/code-server/lib/vscode/out/server-main.js"),
    ...["--accept-server-license-terms", "--host", "127.0.0.1", "--port", String(port), "--without-connection-token", "--force-disable-user-env"],
    ...["--telemetry-level", "off", "--server-data-dir", data, "--user-data-dir", join(data, "user"), "--extensions-dir", join(data, "ext")],
  ];
  const begun = performance.now();
  execFileSync(process.execPath, [...args, "--install-extension", resolve(process.env.VSIX)], { env: environment, stdio: "pipe" });
  const installed = performance.now();
  const process_ = spawn(process.execPath, [...args, ...server], { env: environment, stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  process_.stderr.on("data", (text) => (log += text));
  await new Promise((done, failed) => {
    process_.stdout.on("data", (text) => (log += text).includes("Extension host agent listening") && done());
    process_.on("exit", () => failed(new Error(`VS Code's server ended:\n${log}`)));
  });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  return {
    data,
    /** The settings of the machine that the windows are remote from; they are noticed when they change. */
    settingsFile,
    url: `http://127.0.0.1:${port}`,
    begun,
    installed,
    /** A window as another person would open it: with storage of its own. */
    async window(folder, { width = 1280, height = 800, query = "", ready = true, scale = 1 } = {}) {
      const context = await browser.newContext({ viewport: { width, height }, deviceScaleFactor: scale });
      const page = await context.newPage();
      await page.goto(`http://127.0.0.1:${port}/?folder=${encodeURI(folder)}${query}`);
      if (ready) await page.waitForSelector(".monaco-workbench .statusbar", { timeout: 60_000 });
      return page;
    },
    async close() {
      await browser.close();
      process_.removeAllListeners("exit");
      const ended = once(process_, "exit");
      process_.kill();
      await ended;
      // The engine outlives its editors for a while, and would write where is being deleted.
      spawnSync(process.env.IMPETUS, ["stop"], { env: environment, stdio: "ignore", timeout: 60_000 });
      rmSync(data, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

// -- what a person does in a window ----------------------------------------------------------------------------------

export async function command(page, title) {
  await pick(page, "F1", `>${title}`, title);
}

/** Types into the list that `key` opens and takes the entry. Again when another window part took the focus meanwhile. */
async function pick(page, key, text, title) {
  const input = page.locator(".quick-input-widget input[type=text]");
  for (let attempt = 1; ; attempt++) {
    try {
      await page.keyboard.press(key);
      await input.waitFor({ timeout: 10_000 });
      await input.fill(text, { timeout: 5000 });
      await page.locator(".quick-input-list .monaco-list-row.focused", { hasText: title }).waitFor({ timeout: 10_000 });
      return await page.keyboard.press("Enter");
    } catch (error) {
      if (attempt === 3) throw error;
      await page.keyboard.press("Escape");
    }
  }
}

/** The page of the chat, which lies in two frames. */
export function chat(page) {
  return page.frameLocator("iframe.webview.ready").frameLocator("iframe#active-frame");
}

export async function openChat(page) {
  await command(page, "Impetus: Focus on Chat View");
  await chat(page).locator("#question").waitFor();
  return chat(page);
}

/** Opens a file and waits until keys go to it. `path` is absolute: looking names up needs ripgrep, which is not there. */
export async function openFile(page, path) {
  const name = path.split("/").at(-1);
  await pick(page, "Control+P", path, name);
  await page.locator(`.tab.active[data-resource-name="${name}"]`).waitFor();
  await page.locator(`.monaco-editor.focused[data-uri$="/${name}"]`).waitFor();
}

export const statusItem = (page) => page.locator('.statusbar-item[id$="impetus.status"]');

export const repository = realpathSync(join(import.meta.dirname, "../../.."));
