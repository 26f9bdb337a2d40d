// "Doctor": runs `impetus doctor` and shows its checks, as they finish, in a document that cannot be edited.

import { spawn } from "node:child_process";
import * as vscode from "vscode";
import type { Server } from "../server/server";

const REPORT = vscode.Uri.from({ scheme: "impetus", path: "Impetus Doctor" });

export class Doctor implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private text = "";
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;
  private readonly registration = vscode.workspace.registerTextDocumentContentProvider(REPORT.scheme, this);

  provideTextDocumentContent(): string {
    return this.text;
  }

  async run(server: Server): Promise<void> {
    const { program, args } = server.command();
    this.show("Checking…\n");
    await vscode.window.showTextDocument(REPORT, { preview: true });
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
    let report = "";
    await new Promise((resolve, reject) => {
      const child = spawn(program, [...args, "doctor"], { stdio: ["ignore", "pipe", "pipe"], ...(folder !== undefined && { cwd: folder }) });
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => this.show((report += text)));
      }
      child.on("error", reject);
      child.on("close", resolve);
    });
  }

  dispose(): void {
    this.registration.dispose();
    this.changed.dispose();
  }

  private show(text: string): void {
    this.text = text;
    this.changed.fire(REPORT);
  }
}
