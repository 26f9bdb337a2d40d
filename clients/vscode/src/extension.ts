// Puts the parts together. Nothing here waits for the server: it starts beside, so that the editor does not wait either.

import * as vscode from "vscode";
import { Chat } from "./chat/chat";
import { History } from "./chat/history";
import { ChatView } from "./chat/view";
import { ask, explain } from "./commands/ask";
import { Doctor } from "./commands/doctor";
import { showHistory } from "./commands/history";
import { chooseModel } from "./commands/model";
import { search } from "./commands/search";
import { setUp } from "./commands/setUp";
import { reindex, showStatus } from "./commands/status";
import { hover } from "./hover";
import { Server } from "./server/server";
import { statusBar } from "./statusBar";
import { Suggestions } from "./suggestions";

let server: Server | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("Impetus", { log: true });
  const suggestions = new Suggestions();
  const running = (server = new Server(context.extension.packageJSON, log, suggestions));
  suggestions.tell = (feedback) => void running.request("impetus/feedback", feedback).catch((error: unknown) => log.warn(String(error)));
  const history = new History(context.workspaceState);
  const chat = new Chat(running, history);
  const view = new ChatView(chat, context.extensionUri);
  const doctor = new Doctor();

  const commands: Record<string, (...args: never[]) => unknown> = {
    "impetus.ask": (params) => ask(chat, view, params),
    "impetus.explain": (params) => explain(chat, view, params),
    "impetus.search": (query?: string) => search(running, typeof query === "string" ? query : ""), // a menu sends its file
    "impetus.reindex": (params) => reindex(running, params),
    "impetus.showStatus": () => showStatus(running, suggestions),
    "impetus.doctor": () => doctor.run(running),
    "impetus.chooseModel": chooseModel,
    "impetus.setUp": () => setUp(running, context.globalStorageUri),
    "impetus.restart": () => running.start(),
    "impetus.showLog": () => log.show(),
    "impetus.newChat": () => {
      chat.begin();
      return view.compose("");
    },
    "impetus.history": () => showHistory(history, chat, view),
    "impetus.stop": () => chat.stop(),
  };
  for (const [name, run] of Object.entries(commands)) {
    context.subscriptions.push(vscode.commands.registerCommand(name, (...args: never[]) => guarded(() => run(...args))));
  }
  context.subscriptions.push(
    log,
    suggestions,
    chat,
    doctor,
    statusBar(running),
    hover(running),
    vscode.window.registerWebviewViewProvider("impetus.chat", view),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("impetus.server.command")) void running.start().then(() => offerHelp(running));
    }),
  );
  void running.start().then(() => offerHelp(running));
}

export function deactivate(): Promise<void> | undefined {
  return server?.dispose();
}

/** Said to the person in our words: an error that leaves a command opens a dialog of the editor's. */
async function guarded(run: () => unknown): Promise<unknown> {
  try {
    return await run();
  } catch (error) {
    void vscode.window.showErrorMessage(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

async function offerHelp({ phase, reason }: Server): Promise<void> {
  if (phase === "running") return;
  const picked = await vscode.window.showWarningMessage(reason, "Set Up Server", "Show Log");
  if (picked === "Set Up Server") await vscode.commands.executeCommand("impetus.setUp");
  if (picked === "Show Log") await vscode.commands.executeCommand("impetus.showLog");
}
