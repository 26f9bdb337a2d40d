// The connection to `impetus lsp`: starting, checking who answers, requests, streamed answers, its state.

import * as vscode from "vscode";
import type { LanguageClient, StaticFeature } from "vscode-languageclient/node";
import type { AnswerPart, AnswerResult, StatusResult } from "../protocol";
import type { Suggestions } from "../suggestions";
import { serverCommand } from "./command";
import { settingNames, settingsForServer } from "./settings";
import { refusal } from "./version";

export type Phase = "missing" | "starting" | "running" | "failed";

/** There is no server to ask; the message says why and what to do. */
export class ServerUnavailable extends Error {}

/** `PendingResponseRejected` of vscode-jsonrpc. */
const CONNECTION_LOST = -32097;

/** Most of what loading the extension would cost, so it waits until the rest is there. */
const library = () => import("./languageClient.js");

const NO_PROGRAM =
  "There is no Impetus server: the PATH has no program impetus, and the setting impetus.server.command names none. Set up the server";

/** The server announces its requests as commands too; here the commands are the extension's own. */
const OWN_COMMANDS: StaticFeature = {
  fillClientCapabilities() {},
  preInitialize(capabilities) {
    delete capabilities.executeCommandProvider;
  },
  initialize() {},
  getState: () => ({ kind: "static" }),
  clear() {},
};

export class Server implements vscode.Disposable {
  phase: Phase = "starting";
  /** Why it is not running; empty while it is. */
  reason = "";
  /** What the server last said about itself. */
  status: StatusResult | undefined;

  private client: LanguageClient | undefined;
  private started: Promise<void> = Promise.resolve();
  private streams = 0;
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onChange = this.changed.event;

  constructor(
    private readonly packageJson: unknown,
    readonly log: vscode.LogOutputChannel,
    private readonly suggestions: Suggestions,
  ) {}

  /** Never throws: what went wrong is in `phase` and `reason`. */
  start(): Promise<void> {
    this.started = this.started.then(() => this.stopClient()).then(() => this.startClient());
    return this.started;
  }

  /** The program and its first arguments, to run other commands of it; throws `ServerUnavailable`. */
  command(): { program: string; args: string[] } {
    const configured = vscode.workspace.getConfiguration("impetus").get<string[]>("server.command", []);
    const command = serverCommand(configured, process.env["PATH"]);
    if (command !== undefined) return command;
    throw new ServerUnavailable(
      configured.length > 0 ? `There is no program ${configured[0]}, which impetus.server.command names. Mend the setting` : NO_PROGRAM,
    );
  }

  async request<R>(method: string, params: object, token?: vscode.CancellationToken): Promise<R> {
    const client = await this.running();
    // An undefined token would go along as a second parameter, and the server refuses a list.
    const answer = token === undefined ? client.sendRequest<R>(method, params) : client.sendRequest<R>(method, params, token);
    return answer.catch(inOurWords);
  }

  /** An answer part by part; the promise is that of the final result. */
  async stream(method: string, params: object, onPart: (part: AnswerPart) => void, token: vscode.CancellationToken): Promise<AnswerResult> {
    const client = await this.running();
    const { ProgressType } = await library();
    const partialResultToken = `impetus-answer-${++this.streams}`;
    const parts = client.onProgress(new ProgressType<AnswerPart>(), partialResultToken, onPart);
    try {
      return await client.sendRequest<AnswerResult>(method, { ...params, partialResultToken }, token).catch(inOurWords);
    } finally {
      parts.dispose();
    }
  }

  async dispose(): Promise<void> {
    await this.started;
    await this.stopClient();
    this.changed.dispose();
  }

  private async running(): Promise<LanguageClient> {
    await this.started;
    if (this.client === undefined || this.phase === "failed") throw new ServerUnavailable(this.reason);
    return this.client;
  }

  private async startClient(): Promise<void> {
    this.become("starting");
    let program: string;
    let client: LanguageClient;
    try {
      const command = this.command();
      program = command.program;
      client = await this.newClient(program, command.args);
    } catch (error) {
      this.become("missing", String((error as Error).message));
      return;
    }
    try {
      await client.start();
      const wrong = refusal(client.initializeResult?.serverInfo, program);
      if (wrong !== undefined) throw new Error(wrong);
    } catch (error) {
      await client.stop().catch(() => undefined);
      this.become("failed", startFailure(error, program));
      return;
    }
    const { State } = await library();
    this.client = client;
    this.become("running");
    client.onDidChangeState(({ newState }) => {
      if (newState === State.Running) this.become("running");
      else if (newState === State.Starting) this.become("starting");
      else if (this.client === client) this.become("failed", "The Impetus server stopped; see its log, then restart it");
    });
  }

  private async newClient(program: string, args: string[]): Promise<LanguageClient> {
    const { LanguageClient, RevealOutputChannelOn } = await library();
    const names = settingNames(this.packageJson);
    const settings = () => settingsForServer(vscode.workspace.getConfiguration(), names);
    const client = new LanguageClient(
      "impetus",
      "Impetus",
      { command: program, args: [...args, "lsp"] },
      {
        documentSelector: [{ scheme: "file" }, { scheme: "untitled" }],
        outputChannel: this.log,
        revealOutputChannelOn: RevealOutputChannelOn.Never,
        initializationOptions: settings,
        initializationFailedHandler: () => false,
        middleware: {
          workspace: {
            configuration: ({ items }) => items.map(({ section }) => (section === "impetus" ? settings() : null)),
          },
          provideInlineCompletionItems: async (document, position, context, token, next) =>
            this.suggestions.offered(await next(document, position, context, token)),
        },
      },
    );
    client.registerFeature(OWN_COMMANDS);
    client.onNotification("impetus/statusChanged", (status: StatusResult) => {
      this.status = status;
      this.changed.fire();
    });
    return client;
  }

  private async stopClient(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    this.status = undefined;
    await client?.dispose().catch(() => undefined);
  }

  private become(phase: Phase, reason = ""): void {
    this.phase = phase;
    this.reason = reason;
    if (phase !== "running") this.status = undefined;
    void vscode.commands.executeCommand("setContext", "impetus.running", phase === "running");
    this.changed.fire();
  }
}

/** What the library says when the server goes away is for programmers; the server's own errors are for people. */
function inOurWords(error: { code?: number }): never {
  if (error.code === CONNECTION_LOST) throw new Error("The Impetus server ended while it worked on this and is being started again. Try once more");
  throw error;
}

function startFailure(error: unknown, program: string): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.includes(program) ? message : `The Impetus server (${program}) did not start: ${message}. Its log says more`;
}
