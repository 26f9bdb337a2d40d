// The item in the status bar: index and models at a glance; a click shows the status list.

import * as vscode from "vscode";
import { folderName } from "./places";
import type { Server } from "./server/server";
import { barText, indexText, modelText } from "./state";

const COLORS = {
  none: undefined,
  warning: new vscode.ThemeColor("statusBarItem.warningBackground"),
  error: new vscode.ThemeColor("statusBarItem.errorBackground"),
};

export function statusBar(server: Server): vscode.Disposable {
  const item = vscode.window.createStatusBarItem("impetus.status", vscode.StatusBarAlignment.Right, 100);
  item.name = "Impetus";
  item.command = "impetus.showStatus";
  const show = () => {
    const { text, label, severity } = barText(server.phase, server.reason, server.status, vscode.workspace.workspaceFolders?.length ?? 0);
    item.text = text;
    item.accessibilityInformation = { label, role: "button" };
    item.backgroundColor = COLORS[severity];
    item.tooltip = tooltip(server, label);
  };
  show();
  item.show();
  return vscode.Disposable.from(item, server.onChange(show));
}

function tooltip(server: Server, label: string): vscode.MarkdownString {
  const lines = [`**${label.replace(/^Impetus(: )?/, "") || "Impetus"}**`];
  for (const index of server.status?.indexes ?? []) lines.push(`Index of ${folderName(index.root)}: ${indexText(index)}`);
  for (const model of server.status?.models ?? []) lines.push(`Model for ${model.role}: ${modelText(model)}`);
  for (const problem of server.status?.problems ?? []) lines.push(`$(warning) ${problem.subject}: ${problem.message}`);
  return new vscode.MarkdownString(lines.join("\n\n"), true);
}
