// The pictures of the README and of the walkthrough, light and dark: node pictures.mjs DIRECTORY
// Environment: see editor.mjs. The walkthrough shows the pictures that are in the package: run it twice after a change.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { chat, command, openChat, openFile, startEditor, statusItem } from "./editor.mjs";
import { project, remove } from "./workspace.mjs";

const [directory] = process.argv.slice(2);
const SIZE = { width: 1180, height: 720 };
const PATIENCE = 120_000;
const THEMES = { light: "Default Light Modern", dark: "Default Dark Modern" };
const CODE = "def read(path):\n    with open(path) as file:\n        ";

for (const [name, theme] of Object.entries(THEMES)) {
  const folder = project();
  const user = { "workbench.colorTheme": theme, "editor.fontSize": 13, "editor.minimap.enabled": false, "editor.renderWhitespace": "none", "window.commandCenter": false, "window.title": "${activeEditorShort}${separator}${rootName}", "editor.autoIndent": "none" };
  const editor = await startEditor({ user });
  const shoot = (page, what, clip) => page.screenshot({ path: join(directory, `${what}-${name}.png`), ...(clip && { clip }) });
  try {
    const page = await editor.window(folder, SIZE);
    page.setDefaultTimeout(PATIENCE);
    await page.waitForFunction(() => /quotations/.test(document.querySelector('.statusbar-item[id$="impetus.status"]')?.textContent));

    await openChat(page);
    await widenSideBar(page, 430);
    const view = chat(page);
    await view.locator("#question").fill("Where are positions converted between encodings?");
    await view.locator("#question").press("Enter");
    await view.locator(".turn.done").waitFor();
    await view.locator("summary").click();
    await view.locator("button.cite").nth(1).click();
    await page.locator('.tab.active[data-resource-name="positions.py"]').waitFor();
    await view.locator(".question").first().scrollIntoViewIfNeeded();
    await settle(page);
    await shoot(page, "chat");
    await shoot(page, "answer", { x: 48, y: 30, width: 430, height: SIZE.height - 52 });

    await command(page, "View: Toggle Primary Side Bar Visibility");
    await command(page, "Impetus: Search by Meaning");
    await page.locator(".quick-input-title", { hasText: "Search by meaning" }).waitFor();
    await page.locator(".quick-input-widget input[type=text]").pressSequentially("mask secrets before they are stored", { delay: 15 });
    await page.locator(".quick-input-list .monaco-list-row", { hasText: "secrets.py" }).first().waitFor();
    await settle(page);
    await shoot(page, "search", { x: 48, y: 0, width: SIZE.width - 48, height: 560 });
    await page.keyboard.press("Escape");

    writeFileSync(join(folder, "read.py"), "");
    await openFile(page, join(folder, "read.py"));
    await page.keyboard.insertText(CODE);
    await command(page, "Trigger Inline Suggestion");
    await page.locator(".ghost-text-decoration, .ghost-text").first().waitFor();
    await settle(page);
    await shoot(page, "ghost", { x: 48, y: 30, width: 702, height: 210 });

    await statusItem(page).click();
    await page.locator(".quick-input-list .monaco-list-row", { hasText: "Doctor" }).waitFor();
    await settle(page);
    await shoot(page, "status", await page.locator(".quick-input-widget").boundingBox());
    await page.keyboard.press("Escape");

    await command(page, "Welcome: Open Walkthrough");
    await page.locator(".quick-input-widget input[type=text]").fill("Get started with Impetus");
    await page.locator(".quick-input-list .monaco-list-row.focused", { hasText: "Get started with Impetus" }).waitFor();
    await page.keyboard.press("Enter");
    await page.locator(".getting-started-step", { hasText: "Ask about your code" }).click();
    await settle(page);
    await shoot(page, "walkthrough");
  } finally {
    await editor.close();
    remove(folder);
  }
}

/** Fonts, syntax colors and animations are in place a moment after the elements are. */
async function settle(page) {
  await page.mouse.move(SIZE.width / 2, 3);
  await new Promise((resume) => setTimeout(resume, 1200));
}

async function widenSideBar(page, width) {
  const box = await page.locator(".part.sidebar").boundingBox();
  await page.mouse.move(box.x + box.width, 400);
  await page.mouse.down();
  await page.mouse.move(box.x + width, 400, { steps: 4 });
  await page.mouse.up();
}
