// The state in words, for the status bar and the status list. Pure.

import type { IndexState, ModelState, StatusResult } from "./protocol";
import type { Phase } from "./server/server";

export interface Shown {
  text: string;
  /** The same without icons, for screen readers. */
  label: string;
  severity: "none" | "warning" | "error";
}

const AT_WORK = new Set(["scanning", "indexing", "storing"]);

export function barText(phase: Phase, reason: string, status: StatusResult | undefined, folders: number): Shown {
  if (phase === "missing" || phase === "failed") return { text: "$(error) Impetus", label: `Impetus: ${reason}`, severity: "error" };
  if (phase === "starting" || status === undefined) return shown("$(loading~spin) Impetus", "Impetus is starting");
  const working = status.indexes.find((index) => AT_WORK.has(index.phase));
  if (working !== undefined) return shown(`$(sync~spin) Impetus ${percentage(working)}`, `Impetus: ${indexText(working)}`);
  if (isIndexing(status, folders)) return shown("$(sync~spin) Impetus", "Impetus is opening the workspace");
  if (status.health !== "ok") {
    const severity = status.health;
    return { text: `$(${severity}) Impetus`, label: `Impetus: ${status.message}`, severity };
  }
  const loading = status.models.find((model) => model.state === "loading");
  if (loading !== undefined) return shown(`$(loading~spin) Impetus: ${modelName(loading)}`, `Impetus is loading ${loading.id}`);
  const chat = status.models.find((model) => model.role === "chat");
  const name = chat === undefined || chat.id === "" ? "quotations" : modelName(chat);
  return shown(`$(pass) Impetus: ${name}`, `Impetus: ${status.message}`);
}

function shown(text: string, label: string): Shown {
  return { text, label, severity: "none" };
}

/** Also before the server has looked at the `folders` of the workspace (how many there are) at all. */
export function isIndexing(status: StatusResult | undefined, folders: number): boolean {
  if (status === undefined || (status.indexes.length === 0 && folders > 0 && status.health === "ok")) return true;
  return status.indexes.some((index) => AT_WORK.has(index.phase));
}

export function indexText(index: IndexState): string {
  const counts = `${plural(index.files, "file")}, ${plural(index.chunks, "chunk")}`;
  if (!AT_WORK.has(index.phase)) return index.phase === "ready" ? counts : `${index.phase}; ${counts}`;
  if (index.total === 0) return index.phase;
  const rate = index.rate > 0 ? `, ${Math.round(index.rate).toLocaleString("en")} files/s` : "";
  return `${index.phase} ${index.done.toLocaleString("en")} of ${plural(index.total, "file")}${rate}`;
}

export function modelText(model: ModelState): string {
  if (model.state === "none") return model.role === "chat" ? "none; answers are quotations" : "none";
  return model.state === "ready" ? model.id : `${model.id || "?"} (${model.state})`;
}

/** The last part of a path: models are named by their folder. */
function modelName(model: ModelState): string {
  return model.id.split(/[\\/]/).filter(Boolean).at(-1) ?? model.role;
}

function percentage(index: IndexState): string {
  return index.total === 0 ? "" : `${Math.min(100, Math.floor((100 * index.done) / index.total))} %`;
}

export function plural(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
