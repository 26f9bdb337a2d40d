// Ghost text: how much of it was offered and taken in this window. Counted here, sent nowhere.

import * as vscode from "vscode";

const ACCEPTED = "impetus.accepted";

type Items = vscode.InlineCompletionItem[] | vscode.InlineCompletionList | null | undefined;

export class Suggestions implements vscode.Disposable {
  shown = 0;
  accepted = 0;
  private readonly command: vscode.Disposable;

  constructor() {
    this.command = vscode.commands.registerCommand(ACCEPTED, () => {
      this.accepted += 1;
      void vscode.commands.executeCommand("setContext", ACCEPTED, true);
    });
  }

  /** The same items; the editor runs the command of one when the person takes it. */
  offered(found: Items): Items {
    const items = Array.isArray(found) ? found : (found?.items ?? []);
    if (items.length > 0) this.shown += 1;
    for (const item of items) item.command = { command: ACCEPTED, title: "Accepted" };
    return found;
  }

  dispose(): void {
    this.command.dispose();
  }
}
