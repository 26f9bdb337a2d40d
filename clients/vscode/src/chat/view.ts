// The chat in the side bar: shows the running conversation and does what its page asks for.

import * as vscode from "vscode";
import { open } from "../places";
import type { Chat } from "./chat";
import type { Turn } from "./conversation";
import type { FromPage, ToPage } from "./messages";
import { page } from "./page";

export class ChatView implements vscode.WebviewViewProvider {
  private view: vscode.WebviewView | undefined;
  private waiting: ToPage | undefined;
  private ready = false;

  constructor(
    private readonly chat: Chat,
    private readonly extension: vscode.Uri,
  ) {
    chat.onChange((message) => this.post(message));
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    const folder = vscode.Uri.joinPath(this.extension, "dist", "webview");
    this.view = view;
    view.webview.options = { enableScripts: true, localResourceRoots: [folder] };
    view.webview.onDidReceiveMessage((message: FromPage) => this.receive(message));
    view.onDidDispose(() => {
      this.view = undefined;
      this.ready = false;
    });
    view.onDidChangeVisibility(() => {
      if (!view.visible) this.ready = false; // the page is thrown away and made anew
    });
    view.webview.html = page(view.webview, folder);
  }

  reveal(): Thenable<void> {
    return vscode.commands.executeCommand("impetus.chat.focus");
  }

  /** Brings the question box up, with these words in it. */
  async compose(question: string, about?: Turn["about"]): Promise<void> {
    const message: ToPage = { type: "compose", question, ...(about && { about }) };
    if (!this.ready) this.waiting = message;
    await this.reveal();
    if (this.ready) this.post(message);
  }

  private post(message: ToPage): void {
    if (this.ready) void this.view?.webview.postMessage(message);
  }

  private async receive(message: FromPage): Promise<void> {
    switch (message.type) {
      case "ready":
        this.ready = true;
        this.post({ type: "conversation", conversation: this.chat.conversation });
        if (this.waiting !== undefined) this.post(this.waiting);
        this.waiting = undefined;
        return;
      case "ask":
        await this.chat.ask(message.question, message.about);
        return;
      case "stop":
        return this.chat.stop();
      case "open": {
        const source = this.turn(message.turn)?.sources.find(({ number }) => number === message.source);
        if (source !== undefined) await opened(source.uri, () => open(source.uri, source.range));
        return;
      }
      case "place": {
        const about = this.turn(message.turn)?.about;
        if (about !== undefined) await opened(about.textDocument.uri, () => open(about.textDocument.uri, about.range));
        return;
      }
      case "copy":
        return vscode.env.clipboard.writeText(message.text);
      case "insert":
        return insert(message.text);
      case "command":
        return vscode.commands.executeCommand(message.command);
    }
  }

  private turn(id: number): Turn | undefined {
    return this.chat.conversation.turns.find((turn) => turn.id === id);
  }
}

async function opened(uri: string, show: () => Promise<void>): Promise<void> {
  try {
    await show();
  } catch {
    const path = vscode.workspace.asRelativePath(vscode.Uri.parse(uri));
    void vscode.window.showWarningMessage(`${path} cannot be opened; it may have been moved or deleted. Ask again for its place now`);
  }
}

/** In place of what is selected in the editor, as if typed there: one undo takes it back. */
async function insert(text: string): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) {
    void vscode.window.showInformationMessage("No file is open to insert the code into; open one and put the cursor where it belongs");
    return;
  }
  await editor.insertSnippet(new vscode.SnippetString().appendText(text.replace(/\n$/, "")), editor.selections);
  await vscode.window.showTextDocument(editor.document, editor.viewColumn);
}
