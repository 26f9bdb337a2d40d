// "Doctor": runs `impetus doctor` and shows its checks as they finish.

import { spawn } from "node:child_process";
import * as vscode from "vscode";
import type { Server } from "../server/server";

export class Doctor implements vscode.Disposable {
  private readonly channel = vscode.window.createOutputChannel("Impetus Doctor");

  /** Whether every check passed. */
  async run(server: Server): Promise<boolean> {
    const { program, args } = server.command();
    this.channel.clear();
    this.channel.show();
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
    return new Promise((resolve, reject) => {
      const child = spawn(program, [...args, "doctor"], { stdio: ["ignore", "pipe", "pipe"], ...(folder !== undefined && { cwd: folder }) });
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => this.channel.append(text));
      child.on("error", reject);
      child.on("close", (code) => resolve(code === 0));
    });
  }

  dispose(): void {
    this.channel.dispose();
  }
}
