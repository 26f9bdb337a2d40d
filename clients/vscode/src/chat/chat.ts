// The running conversation: one question at a time, streamed, stoppable, kept when it ends.

import * as vscode from "vscode";
import { REQUEST_CANCELLED, type AnswerResult, type AskParams, type ExplainParams } from "../protocol";
import type { Server } from "../server/server";
import { isIndexing } from "../state";
import { chatHistory, failed, finished, newConversation, newTurn, stopped, withPart, type Conversation, type Turn } from "./conversation";
import type { History } from "./history";
import type { ToPage } from "./messages";

export class Chat implements vscode.Disposable {
  conversation: Conversation;
  private running: vscode.CancellationTokenSource | undefined;
  private readonly changed = new vscode.EventEmitter<ToPage>();
  readonly onChange = this.changed.event;

  constructor(
    private readonly server: Server,
    private readonly history: History,
  ) {
    this.conversation = history.all()[0] ?? fresh();
  }

  ask(question: string, about?: Turn["about"]): Promise<AnswerResult | undefined> {
    const params: AskParams = { question, history: chatHistory(this.conversation.turns), ...placeOf(about) };
    return this.run(newTurn(this.conversation, "ask", question, about), "impetus/ask", params);
  }

  explain(about: NonNullable<Turn["about"]>): Promise<AnswerResult | undefined> {
    const params: ExplainParams = { textDocument: about.textDocument, range: about.range };
    return this.run(newTurn(this.conversation, "explain", `Explain ${about.label}`, about), "impetus/explain", params);
  }

  stop(): void {
    this.running?.cancel();
  }

  begin(): void {
    this.show(fresh());
  }

  show(conversation: Conversation): void {
    this.stop();
    this.conversation = conversation;
    this.changed.fire({ type: "conversation", conversation });
  }

  dispose(): void {
    this.stop();
    this.changed.dispose();
  }

  /** The answer; `undefined` when it was stopped or failed, which the turn then says. A new question stops the last. */
  private async run(first: Turn, method: string, params: object): Promise<AnswerResult | undefined> {
    this.stop();
    const source = (this.running = new vscode.CancellationTokenSource());
    const conversation = this.conversation;
    let turn = first;
    const become = (next: Turn) => {
      turn = next;
      conversation.turns = [...conversation.turns.filter(({ id }) => id !== turn.id), turn];
    };
    const tell = (message: ToPage) => {
      if (this.conversation === conversation) this.changed.fire(message);
    };
    become(first);
    tell({ type: "turn", turn });
    answering(true);
    let result: AnswerResult | undefined;
    try {
      result = await this.server.stream(
        method,
        params,
        (part) => {
          if (source.token.isCancellationRequested) return;
          become(withPart(turn, part));
          tell(part.kind === "delta" ? { type: "delta", id: turn.id, text: part.text } : { type: "turn", turn });
        },
        source.token,
      );
      become(finished(turn, result, isIndexing(this.server.status, vscode.workspace.workspaceFolders?.length ?? 0)));
    } catch (error) {
      become(isCancelled(error) ? stopped(turn) : failed(turn, error instanceof Error ? error.message : String(error)));
    } finally {
      source.dispose();
      if (this.running === source) {
        this.running = undefined;
        answering(false);
      }
    }
    tell({ type: "turn", turn });
    if (turn.state === "done") void vscode.commands.executeCommand("setContext", "impetus.answered", true);
    await this.history.keep(conversation);
    return result;
  }
}

function answering(value: boolean): void {
  void vscode.commands.executeCommand("setContext", "impetus.answering", value);
}

function fresh(): Conversation {
  return newConversation(crypto.randomUUID(), Date.now());
}

function placeOf(about: Turn["about"]) {
  return about === undefined ? {} : { textDocument: about.textDocument, range: about.range };
}

function isCancelled(error: unknown): boolean {
  return (error as { code?: number }).code === REQUEST_CANCELLED;
}
