// "Search by Meaning": results as one types, each shown in the editor while one moves through them.

import * as vscode from "vscode";
import { open, passageText } from "../places";
import { REQUEST_CANCELLED, type Passage, type SearchParams, type SearchResult } from "../protocol";
import type { Server } from "../server/server";

/** A pause in typing of so many milliseconds starts a search. */
const PAUSE = 120;
const LIMIT = 30;

const BESIDE: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("split-horizontal"), tooltip: "Open to the side" };

interface Hit extends vscode.QuickPickItem {
  passage?: Passage;
}

/** `query` is what the search begins with. */
export function search(server: Server, query = ""): void {
  const before = vscode.window.activeTextEditor;
  const picker = vscode.window.createQuickPick<Hit>();
  picker.title = "Search by meaning";
  picker.placeholder = "Describe what the code does, or name it";
  picker.value = query;
  // The order is the server's; sorting by label is on unless this is set, which the typings do not know.
  Object.assign(picker, { sortByLabel: false });

  let running: vscode.CancellationTokenSource | undefined;
  let pause: NodeJS.Timeout | undefined;
  let taken = false;
  let previewed = false;

  const update = async (text: string) => {
    running?.cancel();
    const source = (running = new vscode.CancellationTokenSource());
    picker.busy = true;
    try {
      const items = text.trim() === "" ? [] : itemsOf((await find(server, text, source.token)).hits);
      if (!source.token.isCancellationRequested) picker.items = items;
    } catch (error) {
      if (!source.token.isCancellationRequested && (error as { code?: number }).code !== REQUEST_CANCELLED) {
        picker.items = [{ label: "$(error) No results", detail: (error as Error).message, alwaysShow: true }];
      }
    } finally {
      if (running === source) picker.busy = false;
      source.dispose();
    }
  };

  picker.onDidChangeValue((text) => {
    clearTimeout(pause);
    pause = setTimeout(() => void update(text), PAUSE);
  });
  picker.onDidChangeActive(([hit]) => {
    if (hit?.passage === undefined) return;
    previewed = true;
    void open(hit.passage.uri, hit.passage.range, { preview: true }).catch(() => undefined);
  });
  const take = (hit: Hit | undefined, beside: boolean) => {
    if (hit?.passage === undefined) return;
    taken = true;
    picker.hide();
    void open(hit.passage.uri, hit.passage.range, { beside });
  };
  picker.onDidAccept(() => take(picker.activeItems[0], false));
  picker.onDidTriggerItemButton(({ item }) => take(item, true));
  picker.onDidHide(() => {
    clearTimeout(pause);
    running?.cancel();
    picker.dispose();
    if (!taken && previewed && before !== undefined) void vscode.window.showTextDocument(before.document, { viewColumn: before.viewColumn, selection: before.selection });
  });
  picker.show();
  if (query !== "") void update(query);
}

function find(server: Server, query: string, token: vscode.CancellationToken): Promise<SearchResult> {
  const params: SearchParams = { query, limit: LIMIT };
  return server.request<SearchResult>("impetus/search", params, token);
}

function itemsOf(hits: readonly Passage[]): Hit[] {
  if (hits.length === 0) return [{ label: "Nothing found", detail: "Try other words; the status tells whether indexing has finished", alwaysShow: true }];
  return hits.map((passage) => ({
    label: `$(${icon(passage.kind)}) ${passage.symbol || (passage.path.split("/").at(-1) ?? "")}`,
    description: passageText(passage),
    detail: firstLine(passage.text),
    alwaysShow: true,
    buttons: [BESIDE],
    passage,
  }));
}

function icon(kind: string): string {
  const known = ["class", "method", "function", "constant", "enum", "interface", "field", "property", "variable", "struct", "namespace", "constructor"];
  return known.includes(kind) ? `symbol-${kind}` : kind === "text" ? "markdown" : "symbol-file";
}

/** The first line that says something: no decoration, no lone bracket. */
function firstLine(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  return (lines.find((line) => /\w/.test(line) && !line.startsWith("@")) ?? "").slice(0, 160);
}
