// "Choose Model": writes `chat.*` or `completion.*` into the user's settings; the server takes them over at once.

import * as vscode from "vscode";

type Role = "chat" | "completion";

interface Choice extends vscode.QuickPickItem {
  choose(role: Role): Promise<void>;
}

const BUNDLED: Choice = {
  label: "The bundled model",
  detail: "Small, for Python; ships with the server",
  choose: (role) => write(role, "bundled", undefined),
};

const NONE: Choice = {
  label: "No model",
  detail: "Answers are quotations from your code",
  choose: (role) => write(role, undefined, undefined),
};

const FOLDER: Choice = {
  label: "A folder on this machine…",
  detail: "An MLX model: a folder with config.json and weights",
  async choose(role) {
    const picked = await vscode.window.showOpenDialog({ canSelectFolders: true, canSelectFiles: false, openLabel: "Use this model" });
    if (picked?.[0] !== undefined) await write(role, picked[0].fsPath, undefined);
  },
};

const SERVER: Choice = {
  label: "A server that speaks the OpenAI protocol…",
  detail: "Ollama, llama.cpp, LM Studio, vLLM or another, on this machine or elsewhere",
  async choose(role) {
    const url = await vscode.window.showInputBox({
      title: "Base URL of the server",
      value: configuration().get<string>(`${role}.base_url`) || "http://127.0.0.1:8080/v1",
      prompt: "Questions and the passages they need are sent there",
      validateInput: (text) => (/^https?:\/\/[^/]/.test(text) ? undefined : "An address that begins with http:// or https://"),
    });
    if (url === undefined) return;
    const model = await vscode.window.showQuickPick(modelsOf(url), { title: `Models of ${url}`, placeHolder: "The name it has there" });
    if (model !== undefined) await write(role, model, url);
  },
};

const CHOICES: Record<Role, Choice[]> = { chat: [FOLDER, SERVER, NONE], completion: [BUNDLED, FOLDER, SERVER] };

export async function chooseModel(): Promise<void> {
  const picked = await vscode.window.showQuickPick(
    [
      { label: "$(comment-discussion) For answers", description: configuration().get<string>("chat.model") || "none", role: "chat" as const },
      { label: "$(lightbulb) For completion", description: configuration().get<string>("completion.model") ?? "", role: "completion" as const },
    ],
    { title: "Choose a model" },
  );
  if (picked === undefined) return;
  const choice = await vscode.window.showQuickPick(CHOICES[picked.role], { title: picked.role === "chat" ? "Model for answers" : "Model for completion" });
  await choice?.choose(picked.role);
}

/** What the server at `url` lists. Only called for an address that the person has typed. */
async function modelsOf(url: string): Promise<string[]> {
  const address = `${url.replace(/\/$/, "")}/models`;
  const failed = (reason: string) => new Error(`${address} does not list models: ${reason}. Check the address and that the server runs`);
  const answer = await fetch(address, { signal: AbortSignal.timeout(5000) }).catch((error: Error) => {
    throw failed(String(error.cause ?? error.message));
  });
  if (!answer.ok) throw failed(`${answer.status} ${answer.statusText}`);
  const { data } = (await answer.json()) as { data?: { id: string }[] };
  if (!Array.isArray(data) || data.length === 0) throw failed("the answer names none");
  return data.map(({ id }) => id);
}

async function write(role: Role, model: string | undefined, url: string | undefined): Promise<void> {
  await configuration().update(`${role}.base_url`, url, vscode.ConfigurationTarget.Global);
  await configuration().update(`${role}.model`, model, vscode.ConfigurationTarget.Global);
}

function configuration(): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration("impetus");
}
