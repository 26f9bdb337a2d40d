// Ghost text: how much of it was offered and taken in this window. The server hears of what was taken; it counts on this
// machine (`impetus stats`) and asks less of people who take nothing.

import * as vscode from "vscode";

const ACCEPTED = "impetus.accepted";

type Items = vscode.InlineCompletionItem[] | vscode.InlineCompletionList | null | undefined;

export class Suggestions implements vscode.Disposable {
  shown = 0;
  accepted = 0;
  /** Tells the server what became of a suggestion. */
  tell: (feedback: object) => void = () => {};
  private readonly command: vscode.Disposable;

  constructor() {
    this.command = vscode.commands.registerCommand(ACCEPTED, (feedback?: object) => {
      this.accepted += 1;
      if (feedback !== undefined) this.tell(feedback);
      void vscode.commands.executeCommand("setContext", ACCEPTED, true);
    });
  }

  /** The same items; the editor runs the command of one when the person takes it. */
  offered(found: Items): Items {
    const items = Array.isArray(found) ? found : (found?.items ?? []);
    if (items.length > 0) this.shown += 1;
    // The server's own command goes by its name on the server; what it was to be told goes along with ours.
    for (const item of items) item.command = { command: ACCEPTED, title: "Accepted", arguments: item.command?.arguments };
    return found;
  }

  dispose(): void {
    this.command.dispose();
  }
}
