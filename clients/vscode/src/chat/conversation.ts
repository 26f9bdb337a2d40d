// A conversation and how the parts of an answer change it. Pure; also what is kept per workspace.

import type { AnswerPart, AnswerResult, ChatMessage, Place, Range, Source } from "../protocol";

export interface ShownSource {
  number: number;
  uri: string;
  path: string;
  range: Range;
  symbol: string;
}

export type TurnState = "running" | "done" | "stopped" | "failed";

export interface Turn {
  id: number;
  kind: "ask" | "explain";
  question: string;
  /** The code that it is about, and how that place is called. */
  about?: Place & { label: string };
  answer: string;
  sources: ShownSource[];
  cited: number[];
  unverified: number[];
  state: TurnState;
  /** While the question waits for the first index: the files of it that are done. */
  indexing?: { done: number; total: number };
  /** While the model reads its prompt: the part of it that is done. */
  reading?: number;
  error?: string;
  model?: string;
  /** The answer was ended by `chat.max_tokens`. */
  cutOff?: boolean;
  /** The first index was not complete when the question was answered. */
  incomplete?: boolean;
}

export interface Conversation {
  id: string;
  startedAt: number;
  turns: Turn[];
}

export function newConversation(id: string, startedAt: number): Conversation {
  return { id, startedAt, turns: [] };
}

export function newTurn(conversation: Conversation, kind: Turn["kind"], question: string, about?: Turn["about"]): Turn {
  const id = 1 + Math.max(0, ...conversation.turns.map((turn) => turn.id));
  const turn: Turn = { id, kind, question, answer: "", sources: [], cited: [], unverified: [], state: "running" };
  return about === undefined ? turn : { ...turn, about };
}

export function withPart(turn: Turn, part: AnswerPart): Turn {
  switch (part.kind) {
    case "indexing":
      return { ...turn, indexing: { done: part.done, total: part.total } };
    case "sources":
      return { ...turn, sources: part.sources.map(shownSource) };
    case "progress":
      return { ...turn, reading: part.total === 0 ? 0 : part.done / part.total };
    case "delta":
      return { ...withoutReading(turn), answer: turn.answer + part.text };
    default:
      return turn; // of a later server
  }
}

/** The final result has the sources where they are now, and which of the citations hold; `atWork`: still indexing. */
export function finished(turn: Turn, result: AnswerResult, atWork: boolean): Turn {
  const now = new Map(result.sources.map((source) => [source.number, shownSource(source)]));
  return {
    ...ended(turn),
    answer: result.text ?? turn.answer,
    sources: turn.sources.length > 0 ? turn.sources.map((source) => now.get(source.number) ?? source) : [...now.values()],
    cited: result.cited,
    unverified: result.unverified,
    model: result.model,
    cutOff: result.finishReason === "length",
    incomplete: turn.indexing !== undefined && atWork,
    state: "done",
  };
}

export function stopped(turn: Turn): Turn {
  return { ...ended(turn), state: "stopped" };
}

export function failed(turn: Turn, error: string): Turn {
  return { ...ended(turn), state: "failed", error };
}

/** The turns that were answered, as the server wants to be told them: it remembers none. */
export function chatHistory(turns: readonly Turn[]): ChatMessage[] {
  return turns
    .filter((turn) => turn.state === "done")
    .flatMap((turn) => [
      { role: "user", content: turn.question },
      { role: "assistant", content: turn.answer },
    ]);
}

export function title(conversation: Conversation): string {
  const question = conversation.turns[0]?.question.trim().split("\n")[0] ?? "";
  return question.length > 80 ? `${question.slice(0, 79)}…` : question;
}

function shownSource({ number, passage }: Source): ShownSource {
  const { uri, path, range, symbol } = passage;
  return { number, uri, path, range, symbol };
}

function withoutReading({ reading: _, ...turn }: Turn): Turn {
  return turn;
}

function ended({ indexing: _, ...turn }: Turn): Turn {
  return withoutReading(turn);
}
