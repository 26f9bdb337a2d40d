// The extension as a person uses it: the packaged .vsix in a real VS Code, the real server, a real workspace.
//
//     node suite.mjs [NAME...]      all checks, or those named; exit code 1 when one fails
//
// Environment: see editor.mjs. TIMEOUT is the most milliseconds that one step may take.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chat, command, openChat, openFile, startEditor, statusItem } from "./editor.mjs";
import { MODEL, startFakeChat } from "./fake_chat.mjs";
import { project, remove } from "./workspace.mjs";

const TIMEOUT = Number(process.env.TIMEOUT ?? 60_000);
const wanted = process.argv.slice(2);
const results = [];

async function until(what, look) {
  const end = Date.now() + TIMEOUT;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < end, `timed out: ${what}`);
    await new Promise((resume) => setTimeout(resume, 50));
  }
}

/** Keys go to whatever has the focus, which on a busy machine may be late, so what fails is tried once more. */
async function check(name, run, last = false) {
  if (wanted.length > 0 && !wanted.includes(name)) return;
  const begun = performance.now();
  try {
    await run();
    results.push([name, true]);
    console.log(`ok    ${name}  ${Math.round(performance.now() - begun)} ms`);
  } catch (error) {
    if (!last) {
      console.log(`again ${name}  ${String(error.message ?? error).split("\n", 1)[0]}`);
      await page.keyboard.press("Escape");
      return check(name, run, true);
    }
    results.push([name, false]);
    console.log(`FAIL  ${name}  ${String(error.message ?? error).split("\n").slice(0, 6).join("\n      ")}`);
    if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, `${name}.png`) });
  }
  await page.keyboard.press("Escape");
}

const ready = (page, text) => until(`the status bar says ${text}`, async () => text.test(await statusItem(page).textContent()));

async function ask(page, question, state = "done") {
  const view = await openChat(page);
  const before = await view.locator(".turn").count();
  await view.locator("#question").fill(question);
  await view.locator("#question").press("Enter");
  const turn = view.locator(".turn").nth(before);
  await turn.and(view.locator(`.${state}`)).waitFor();
  return turn;
}

const activeTab = (page) => page.locator(".part.editor .tab.active").first().getAttribute("data-resource-name");
const cursor = async (page) => (await page.locator("#status\\.editor\\.selection").textContent()).match(/\d+/g).map(Number);

/** `undefined` takes a setting away. */
function setSettings(changes) {
  const now = JSON.parse(readFileSync(editor.settingsFile, "utf8"));
  writeFileSync(editor.settingsFile, JSON.stringify({ ...now, ...changes }));
}

/** A new file in the workspace. */
function empty(name) {
  writeFileSync(join(folder, name), "");
  return join(folder, name);
}

/** The text of the editor's visible lines; Monaco shows spaces as no-break spaces. */
const shownText = async (page) => (await page.locator(".part.editor .view-line").allTextContents()).join("\n").replaceAll("\u00a0", " ");

/** Processes of this editor's server: they carry its IMPETUS_HOME. */
function serverProcesses() {
  const home = `IMPETUS_HOME=${join(editor.data, "impetus-home")}`;
  return readdirSync("/proc").filter((pid) => {
    try {
      if (!/^\d+$/.test(pid) || !readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(home)) return false;
      return /\blsp$|\bserve\b/.test(readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0").join(" ").trim()) && !/server-main/.test(readFileSync(`/proc/${pid}/cmdline`, "latin1"));
    } catch {
      return false; // it has ended meanwhile
    }
  });
}

const fake = await startFakeChat();
const folder = project();
const editor = await startEditor();
const page = await editor.window(folder, { ready: false });
page.setDefaultTimeout(TIMEOUT);
const seen = new Set();
await page.exposeFunction("saw", (text) => seen.add(text));

try {
  await check("activation", async () => {
    await statusItem(page).waitFor({ timeout: Math.max(TIMEOUT, 60_000) });
    await page.evaluate(() => {
      const look = () => document.querySelectorAll(".statusbar-item").forEach((item) => globalThis.saw(item.textContent));
      new MutationObserver(look).observe(document.querySelector(".statusbar"), { subtree: true, childList: true, characterData: true });
      look();
    });
  });

  await check("index", async () => {
    await ready(page, /quotations/);
    const progress = [...seen].filter((text) => /indexing impetus|\d+ %/.test(text));
    assert.ok(progress.length > 0, `no progress was shown, only ${[...seen].join(" | ")}`);
  });

  await check("ask", async () => {
    const turn = await ask(page, "Where are positions converted between encodings?");
    assert.match(await turn.locator(".answer").textContent(), /positions/);
    assert.ok((await turn.locator(".sources li").count()) > 1, "the sources are listed");
    await turn.locator("button.cite").first().click();
    await until("the cited file is open", async () => (await activeTab(page)) === "positions.py");
    const label = await turn.locator("button.cite").first().getAttribute("aria-label");
    const [, first] = /:(\d+)(?:-\d+)?$/.exec(label).map(Number);
    await until("the cursor is where the cited range begins", async () => (await cursor(page))[0] === first);
  });

  await check("insert", async () => {
    const view = await openChat(page);
    await openFile(page, empty("inserted.py"));
    const code = view.locator(".code").first();
    const text = await code.locator("code").textContent();
    await code.locator("[data-do=insert]").click();
    await until("the code is in the file", async () => (await shownText(page)).includes(text.split("\n")[0]));
  });

  await check("explain", async () => {
    await openFile(page, join(folder, "lsp/positions.py"));
    const before = await chat(page).locator(".turn").count();
    await command(page, "Impetus: Explain Selection");
    const turn = chat(page).locator(".turn").nth(before);
    await turn.and(chat(page).locator(".done")).waitFor();
    assert.match(await turn.locator(".question").textContent(), /Explain lsp\/positions\.py:\d+$/);
    assert.match(await turn.locator(".answer").textContent(), /positions\.py/);
  });

  await check("actions", async () => {
    await openFile(page, join(folder, "lsp/positions.py"));
    await page.keyboard.press("Control+A");
    await page.keyboard.press("Control+.");
    await page.locator(".action-widget .monaco-list-row", { hasText: "Explain with Impetus" }).waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    const view = chat(page);
    await view.locator("#about", { hasText: "About lsp/positions.py:1-" }).waitFor();
    assert.match(await view.locator("#question").inputValue(), /What is this code for/);
    await view.locator("#question").press("Enter");
    await view.locator(".turn.done").last().locator(".question .place", { hasText: "lsp/positions.py:1-" }).waitFor();
  });

  await check("hover", async () => {
    const file = join(folder, "lsp/convert.py");
    const lines = readFileSync(file, "utf8").split("\n");
    const line = lines.findIndex((text) => text.includes("offset_at"));
    await openFile(page, file);
    const place = [line + 1, lines[line].indexOf("offset_at") + 3];
    await page.keyboard.press("Control+G");
    await page.locator(".quick-input-widget input").first().waitFor();
    await page.keyboard.type(place.join(":"));
    await page.keyboard.press("Enter");
    await until("the cursor is on the name", async () => String((await cursor(page)).slice(0, 2)) === String(place));
    const shown = page.locator(".monaco-hover", { hasText: "Explain with Impetus" });
    await until("the hover is shown", async () => {
      await command(page, "Show or Focus Hover"); // again: the cursor's move hides it
      return shown.waitFor({ timeout: TIMEOUT / 4 }).then(() => true, () => false);
    });
    assert.match((await shown.textContent()).replaceAll("\u00a0", " "), /def offset_at[\s\S]*lsp\/positions\.py:\d+/);
  });

  await check("search", async () => {
    await openFile(page, join(folder, "errors.py"));
    await command(page, "Impetus: Search by Meaning");
    await page.locator(".quick-input-title", { hasText: "Search by meaning" }).waitFor();
    const input = page.locator(".quick-input-widget input[type=text]");
    await input.pressSequentially("glob patterns of ignore files", { delay: 20 });
    await page.locator(".quick-input-list .monaco-list-row", { hasText: /ignore/ }).first().waitFor();
    await until("the first hit is shown behind the list", async () => (await activeTab(page)) !== "errors.py");
    await page.keyboard.press("Escape");
    await until("the file from before is back", async () => (await activeTab(page)) === "errors.py");
    await command(page, "Impetus: Search by Meaning");
    await page.locator(".quick-input-title", { hasText: "Search by meaning" }).waitFor();
    await input.fill("glob patterns of ignore files");
    const best = page.locator(".quick-input-list .monaco-list-row").first();
    await until("hits are listed", async () => /ignore/.test(await best.textContent()));
    const place = /([\w.]+\.py):\d/.exec(await best.textContent())[1];
    await page.keyboard.press("Enter");
    await until("the hit is open", async () => (await activeTab(page)) === place);
  });

  await check("complete", async () => {
    await openFile(page, empty("typed.py"));
    await page.keyboard.type("def add(a, b):\nreturn ");
    const ghost = page.locator(".ghost-text-decoration, .ghost-text");
    // The editor asks once for each key, and not while its own list is open, which comes late on a busy machine.
    const shown = () => ghost.first().waitFor({ timeout: TIMEOUT / 5 }).then(() => true, () => false);
    for (let attempt = 0; attempt < 4 && !(await shown()); attempt++) {
      for (const key of ["Escape", "Backspace", "Space"]) await page.keyboard.press(key);
    }
    await ghost.first().waitFor();
    const text = (await ghost.allTextContents()).join("").replaceAll("\u00a0", " ").trim();
    assert.ok(text.length > 0, "the ghost text is empty");
    await page.keyboard.press("Tab");
    await command(page, "Impetus: Show Status");
    await page.locator(".quick-input-list .monaco-list-row", { hasText: /1 of \d+ taken/ }).waitFor();
    const tallies = () => JSON.parse(execFileSync(process.env.IMPETUS, ["stats", "--json"], { env: { ...process.env, IMPETUS_HOME: join(editor.data, "impetus-home") } }));
    await until("the server hears of it", () => tallies().some((tally) => tally.accepted === 1));
    assert.ok((await shownText(page)).includes(`return ${text}`), "the suggestion is not in the file");
  });

  await check("settings", async () => {
    setSettings({ "impetus.chat.base_url": fake.url, "impetus.chat.model": MODEL });
    await ready(page, new RegExp(MODEL));
    const turn = await ask(page, "What does the scheduler do?");
    assert.equal((await turn.locator(".answer").textContent()).trim(), "The fake model says so 1.");
    assert.match(await turn.locator(".note").last().textContent(), new RegExp(MODEL));
  });

  await check("html", async () => {
    const answer = (await ask(page, "Tell me of the scheduler, in HTML")).locator(".answer");
    assert.match(await answer.textContent(), /<b>bold<\/b> <img src=x>/);
    assert.equal(await answer.locator("b, img").count(), 0);
  });

  await check("stream", async () => {
    const view = await openChat(page);
    const before = await view.locator(".turn").count();
    await view.locator("#question").fill("Tell me of the scheduler, without end");
    await view.locator("#question").press("Enter");
    const answer = view.locator(".turn").nth(before).locator(".answer");
    await until("the answer grows", async () => (await answer.textContent()).length > 30);
    const length = (await answer.textContent()).length;
    await until("the answer grows on", async () => (await answer.textContent()).length > length);
    assert.match(await view.locator(".turn").nth(before).locator(".note").textContent(), /Writing/);
    assert.equal(await view.locator("#send").getAttribute("aria-label"), "Stop");
  });

  await check("cancel", async () => {
    const view = chat(page);
    await view.locator("#send").click();
    await view.locator(".turn.stopped").waitFor();
    await until("the model is told to stop", async () => fake.left.length === 1);
    await until("the button sends again", async () => (await view.locator("#send").getAttribute("aria-label")) === "Send");
    const history = await ask(page, "And then?").then(() => fake.asked.at(-1));
    assert.ok(history.some(({ role }) => role === "assistant"), "earlier answers are told");
    assert.ok(!JSON.stringify(history.slice(1, -1)).includes("without end"), "stopped ones are not");
    setSettings({ "impetus.chat.base_url": undefined, "impetus.chat.model": undefined });
    await ready(page, /quotations/);
  });

  await check("history", async () => {
    const view = await openChat(page);
    const turns = await view.locator(".turn").count();
    await command(page, "Impetus: New Chat");
    await view.locator("#welcome").waitFor();
    await page.reload();
    await statusItem(page).waitFor();
    await ready(page, /quotations/);
    await command(page, "Impetus: Chat History");
    await page.locator(".quick-input-list .monaco-list-row", { hasText: "Where are positions converted" }).click();
    await until("the turns are back", async () => (await chat(page).locator(".turn").count()) === turns);
  });

  await check("kill", async () => {
    const before = await until("the server runs", async () => serverProcesses()[0] && serverProcesses());
    for (const pid of before) process.kill(Number(pid), "SIGSTOP"); // so that the question is under way when it is killed
    const view = await openChat(page);
    const turns = await view.locator(".turn").count();
    await view.locator("#question").fill("Will you answer this?");
    await view.locator("#question").press("Enter");
    await view.locator(".turn.running").waitFor();
    for (const pid of before) process.kill(Number(pid), "SIGKILL");
    await view.locator(".turn").nth(turns).locator(".error", { hasText: "ended while it worked on this" }).waitFor();
    await until("another server runs", async () => serverProcesses().some((pid) => !before.includes(pid)));
    await ready(page, /quotations/);
    const turn = await ask(page, "How are models loaded?");
    assert.match(await turn.locator(".answer").textContent(), /passages/);
  });

  await check("windows", async () => {
    const other = await editor.window(folder);
    other.setDefaultTimeout(TIMEOUT);
    await ready(other, /quotations/);
    const turns = await Promise.all([ask(page, "How are secrets masked?"), ask(other, "How are ignore files read?")]);
    assert.match(await turns[0].locator(".answer").textContent(), /secret/);
    assert.match(await turns[1].locator(".answer").textContent(), /ignore/);
    await other.context().close();
  });

  await check("doctor", async () => {
    await command(page, "Impetus: Doctor");
    await until("the verdict is shown", async () => /Python: 3[\s\S]*\d+ of \d+ checks passed/.test(await shownText(page)));
  });

  await check("missing", async () => {
    setSettings({ "impetus.server.command": ["/nowhere/impetus"] });
    await page.locator(".notification-list-item-message", { hasText: "There is no program /nowhere/impetus" }).waitFor();
    const turn = await ask(page, "Is anybody there?", "failed");
    assert.match(await turn.locator(".error").textContent(), /impetus\.server\.command/);
    setSettings({ "impetus.server.command": undefined });
    await ready(page, /quotations/);
  });
} finally {
  await editor.close();
  fake.close();
  remove(folder);
}

const failures = results.filter(([, passed]) => !passed);
console.log(`${results.length - failures.length} passed, ${failures.length} failed`);
process.exitCode = failures.length > 0 || results.length === 0 ? 1 : 0;
