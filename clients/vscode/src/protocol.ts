// The requests that Impetus adds to LSP, as docs/protocol.md has them. Types only.

export interface Position {
  line: number;
  character: number;
}

export interface Range {
  start: Position;
  end: Position;
}

/** What a question or an explanation is about: code actions of the server send it as it is. */
export interface Place {
  textDocument: { uri: string };
  range: Range;
}

export interface ChatMessage {
  role: "user" | "assistant";
  content: string;
}

export interface AskParams extends Partial<Place> {
  question: string;
  history?: ChatMessage[];
}

export type ExplainParams = Place;

export interface Passage {
  uri: string;
  path: string;
  range: Range;
  score: number;
  text: string;
  language: string;
  symbol: string;
  kind: string;
}

export interface Source {
  number: number;
  passage: Passage;
}

export interface AnswerResult {
  sources: Source[];
  cited: number[];
  unverified: number[];
  model: string;
  finishReason: "stop" | "length";
  text?: string;
}

export type AnswerPart =
  | { kind: "indexing"; done: number; total: number }
  | { kind: "sources"; sources: Source[] }
  | { kind: "progress"; done: number; total: number }
  | { kind: "delta"; text: string };

export interface SearchParams {
  query: string;
  limit?: number;
}

export interface SearchResult {
  hits: Passage[];
}

export interface Problem {
  subject: string;
  message: string;
}

export interface IndexState {
  root: string;
  phase: "scanning" | "indexing" | "storing" | "ready" | "shared" | "failed";
  done: number;
  total: number;
  rate: number;
  files: number;
  chunks: number;
  failed: number;
  problems: Problem[];
}

export interface ModelState {
  role: "chat" | "completion" | "embedding";
  id: string;
  state: "ready" | "not loaded" | "loading" | "missing" | "failed" | "none";
  detail: string;
}

export interface StatusResult {
  health: "ok" | "warning" | "error";
  message: string;
  indexes: IndexState[];
  models: ModelState[];
  problems: Problem[];
}

export const EXTRACTIVE = "extractive";
export const REQUEST_CANCELLED = -32800;
