// The hover: where the name under the mouse is defined, from the index, with ways to have it explained.

import * as vscode from "vscode";
import { passageText } from "./places";
import type { Passage, SearchResult } from "./protocol";
import type { Server } from "./server/server";

/** Lines of the definition that are shown. */
const LINES = 8;

export function hover(server: Server): vscode.Disposable {
  return vscode.languages.registerHoverProvider({ scheme: "file" }, {
    async provideHover(document, position, token) {
      const range = document.getWordRangeAtPosition(position, /[\p{L}_$][\p{L}\p{N}_$]*/u);
      const enabled = vscode.workspace.getConfiguration("impetus").get("hover.enable", true);
      if (!enabled || range === undefined || server.phase !== "running") return undefined;
      const name = document.getText(range);
      const found = await server.request<SearchResult>("impetus/search", { query: name, limit: 8 }, token).catch(() => undefined);
      const definition = found?.hits.find((hit) => defines(hit, name, document.uri, position));
      return definition && new vscode.Hover(text(definition, document, position), range);
    },
  });
}

/** A passage that begins with the definition of the name, elsewhere than where the mouse is. */
function defines(hit: Passage, name: string, uri: vscode.Uri, position: vscode.Position): boolean {
  const named = hit.symbol.split(".").at(-1) === name && hit.kind !== "text" && hit.kind !== "code";
  const here = hit.uri === uri.toString() && hit.range.start.line <= position.line && position.line <= hit.range.end.line;
  return named && !here;
}

function text(hit: Passage, document: vscode.TextDocument, position: vscode.Position): vscode.MarkdownString {
  const lines = hit.text.trimEnd().split("\n");
  const shown = lines.length > LINES ? [...lines.slice(0, LINES), "…"] : lines;
  const made = new vscode.MarkdownString(undefined, true);
  made.isTrusted = { enabledCommands: ["impetus.explain"] };
  made.appendCodeblock(shown.join("\n"), hit.language);
  const about = { textDocument: { uri: document.uri.toString() }, range: { start: position, end: position } };
  const argument = encodeURIComponent(JSON.stringify([about]));
  const target = vscode.Uri.parse(hit.uri).with({ fragment: `L${hit.range.start.line + 1}` });
  made.appendMarkdown(`[${escaped(passageText(hit))}](${target.toString()}) · [Explain with Impetus](command:impetus.explain?${argument})`);
  return made;
}

function escaped(text: string): string {
  return text.replace(/[\\[\]`*_<>]/g, "\\$&");
}
