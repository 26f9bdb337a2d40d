// "Show Status" and "Reindex": what is indexed, which models there are, what is wrong, and what can be done.

import * as vscode from "vscode";
import { folderName } from "../places";
import type { ModelState, StatusResult } from "../protocol";
import { ServerUnavailable, type Server } from "../server/server";
import { indexText, modelText } from "../state";
import type { Suggestions } from "../suggestions";

interface Entry extends vscode.QuickPickItem {
  command?: string;
}

export async function showStatus(server: Server, suggestions: Suggestions): Promise<StatusResult | undefined> {
  const status = await server.request<StatusResult>("impetus/status", {}).catch((error: unknown) => {
    if (error instanceof ServerUnavailable) return undefined;
    throw error;
  });
  const entries = status === undefined ? absent(server) : present(status, suggestions);
  void vscode.window
    .showQuickPick(entries, { title: "Impetus", placeHolder: status?.message ?? server.reason, matchOnDetail: true })
    .then((picked) => picked?.command !== undefined && vscode.commands.executeCommand(picked.command));
  return status;
}

function absent(server: Server): Entry[] {
  return [
    { label: "$(error) No server", detail: server.reason },
    separator("What can be done"),
    { label: "$(tools) Set up the server", command: "impetus.setUp" },
    { label: "$(debug-restart) Restart the server", command: "impetus.restart" },
    { label: "$(output) Show the log", command: "impetus.showLog" },
  ];
}

function present(status: StatusResult, suggestions: Suggestions): Entry[] {
  const offered = suggestions.shown > 0 ? `; ${suggestions.accepted} of ${suggestions.shown} taken in this window` : "";
  return [
    separator("Index"),
    ...status.indexes.map((index) => ({
      label: `$(database) ${folderName(index.root)}`,
      description: indexText(index),
      ...(index.failed > 0 && { detail: `$(warning) ${index.failed} could not be read: ${index.problems.map((p) => `${p.subject}: ${p.message}`).join("; ")}` }),
      command: "impetus.reindex",
    })),
    separator("Models"),
    ...status.models.map((model) => ({
      label: `$(${model.role === "chat" ? "comment-discussion" : model.role === "completion" ? "lightbulb" : "circuit-board"}) ${model.role}`,
      description: modelText(model) + (model.role === "completion" ? offered : ""),
      ...detail(model),
      command: "impetus.chooseModel",
    })),
    ...(status.problems.length > 0 ? [separator("Problems")] : []),
    ...status.problems.map((problem) => ({ label: `$(warning) ${problem.subject}`, detail: problem.message, command: "impetus.doctor" })),
    separator("What can be done"),
    { label: "$(refresh) Reindex", command: "impetus.reindex" },
    { label: "$(pulse) Doctor: check everything", command: "impetus.doctor" },
    { label: "$(settings-gear) Choose a model", command: "impetus.chooseModel" },
    { label: "$(output) Show the log", command: "impetus.showLog" },
  ];
}

/** Why a model is not there; a list cuts off what is longer than its width. */
function detail(model: ModelState): { detail?: string } {
  if (["ready", "not loaded", "loading"].includes(model.state)) return {};
  return { detail: model.role === "chat" && model.state === "none" ? "Choose a model to have answers written by it" : model.detail };
}

function separator(label: string): Entry {
  return { label, kind: vscode.QuickPickItemKind.Separator };
}

/** With `full` said, nothing is asked. */
export async function reindex(server: Server, params?: { full?: boolean }): Promise<void> {
  const full = params?.full ?? (await pickExtent());
  if (full !== undefined) await server.request("impetus/reindex", { full });
}

async function pickExtent(): Promise<boolean | undefined> {
  const picked = await vscode.window.showQuickPick(
    [
      { label: "Look for changes", detail: "Every file is compared with the index", full: false },
      { label: "Build the index anew", detail: "Forgets the index of this workspace first", full: true },
    ],
    { title: "Reindex" },
  );
  return picked?.full;
}
