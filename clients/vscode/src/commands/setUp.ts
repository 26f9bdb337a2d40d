// "Set Up Server": name a program that is there, or make a Python environment for it. Nothing is installed unasked.

import { basename } from "node:path";
import * as vscode from "vscode";
import { findPython, install, MISSING } from "../server/python";
import type { Server } from "../server/server";

export async function setUp(server: Server, storage: vscode.Uri): Promise<void> {
  const picked = await vscode.window.showQuickPick(
    [
      { label: "Name a program that is installed…", detail: "The file `impetus` of a Python environment", act: nameProgram },
      { label: "Install into an environment of its own…", detail: "From a wheel or a checkout of Impetus, with Python 3.11 to 3.13", act: () => makeEnvironment(server, storage) },
    ],
    { title: "Set up the Impetus server" },
  );
  await picked?.act();
}

async function nameProgram(): Promise<void> {
  const picked = await vscode.window.showOpenDialog({ openLabel: "Use this program", title: "The program impetus" });
  if (picked?.[0] !== undefined) await use(picked[0].fsPath);
}

async function makeEnvironment(server: Server, storage: vscode.Uri): Promise<void> {
  const python = await findPython(process.env["PATH"]);
  if (python === undefined) throw new Error(MISSING);
  const picked = await vscode.window.showOpenDialog({
    title: "A wheel (impetus-….whl) or the folder of a checkout",
    openLabel: "Install this",
    canSelectFiles: true,
    canSelectFolders: true,
    filters: { Wheel: ["whl"] },
  });
  const package_ = picked?.[0]?.fsPath;
  if (package_ === undefined) return;
  const folder = vscode.Uri.joinPath(storage, "server").fsPath;
  const yes = await vscode.window.showInformationMessage(
    `Install ${basename(package_)} with Python ${python.version}?`,
    { modal: true, detail: `pip makes an environment in ${folder} and downloads the libraries that Impetus needs, about 200 MB, from the index that pip is set up with.` },
    "Install",
  );
  if (yes === undefined) return;
  const program = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: "Installing the Impetus server", cancellable: true },
    (progress, token) => {
      const abort = new AbortController();
      token.onCancellationRequested(() => abort.abort());
      const log = (text: string) => {
        server.log.info(text.trimEnd());
        progress.report({ message: text.trim().split("\n").at(-1)?.slice(0, 80) ?? "" });
      };
      return install(python, package_, folder, log, abort.signal);
    },
  );
  await use(program);
}

/** The extension connects again when this setting changes. */
async function use(program: string): Promise<void> {
  await vscode.workspace.getConfiguration("impetus").update("server.command", [program], vscode.ConfigurationTarget.Global);
}
