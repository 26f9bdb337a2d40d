// The hover: where the name under the mouse is defined, from the index, with a way to have it explained.

import * as vscode from "vscode";
import { placeLabel } from "./places";
import type { Range } from "./protocol";
import type { Server } from "./server/server";

/** Lines of the definition that are shown; it ends at its first empty line. */
const LINES = 8;

const NAME = /[\p{L}_$][\p{L}\p{N}_$]*/u;

interface Definition {
  name: string;
  location: { uri: string; range: Range };
}

export function hover(server: Server): vscode.Disposable {
  return vscode.languages.registerHoverProvider({ scheme: "file" }, {
    async provideHover(document, position, token) {
      const range = document.getWordRangeAtPosition(position, NAME);
      const enabled = vscode.workspace.getConfiguration("impetus").get("hover.enable", true);
      if (!enabled || range === undefined || server.phase !== "running") return undefined;
      const name = document.getText(range);
      const symbols = await server.request<Definition[] | null>("workspace/symbol", { query: name }, token).catch(() => null);
      const found = symbols?.find((symbol) => symbol.name === name);
      if (found === undefined || isAt(found, document.uri, position)) return undefined;
      const code = await codeAt(found).catch(() => undefined); // the file may be gone since
      return code ? new vscode.Hover(text(found, code, document, position), range) : undefined;
    },
  });
}

function isAt({ location }: Definition, uri: vscode.Uri, position: vscode.Position): boolean {
  return vscode.Uri.parse(location.uri).toString() === uri.toString() && location.range.start.line === position.line;
}

/** As the editor has it, else as it is on disk; opening it would make it a document that the server is told of. */
async function codeAt({ location }: Definition): Promise<string> {
  const uri = vscode.Uri.parse(location.uri);
  const open = vscode.workspace.textDocuments.find((document) => document.uri.toString() === uri.toString());
  const whole = open?.getText() ?? new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
  const lines = whole.split(/\r?\n/).slice(location.range.start.line, location.range.start.line + LINES);
  const end = lines.findIndex((line) => line.trim() === "");
  return lines.slice(0, end < 0 ? LINES : end).join("\n");
}

function text({ location }: Definition, code: string, document: vscode.TextDocument, position: vscode.Position): vscode.MarkdownString {
  const made = new vscode.MarkdownString();
  made.isTrusted = { enabledCommands: ["impetus.explain"] };
  made.appendCodeblock(code, document.languageId);
  const target = vscode.Uri.parse(location.uri).with({ fragment: `L${location.range.start.line + 1}` });
  const label = placeLabel({ textDocument: { uri: location.uri }, range: location.range }).replace(/[\\[\]`*_<>]/g, "\\$&");
  const here = { textDocument: { uri: document.uri.toString() }, range: { start: position, end: position } };
  const argument = encodeURIComponent(JSON.stringify([here]));
  made.appendMarkdown(`[${label}](${target.toString()}) · [Explain with Impetus](command:impetus.explain?${argument})`);
  return made;
}
