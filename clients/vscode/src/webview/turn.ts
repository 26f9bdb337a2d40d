// One turn of the conversation as elements: the question, the answer, how it stands, its sources.

import DOMPurify from "dompurify";
import type { ShownSource, Turn } from "../chat/conversation";
import { plural } from "../state";
import { html } from "./markdown";

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> & { data?: Record<string, string> } = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const { data, ...rest } = properties;
  const made = Object.assign(document.createElement(tag), rest);
  Object.assign(made.dataset, data);
  made.append(...children);
  return made;
}

export function turnElement(turn: Turn): HTMLElement {
  const answer = element("div", { className: "answer" });
  showAnswer(answer, turn);
  return element(
    "article",
    { className: `turn ${turn.state}`, id: `turn-${turn.id}`, ariaLabel: `Question: ${turn.question}` },
    question(turn),
    ...sources(turn), // first: they are there before the answer is
    answer,
    ...footer(turn),
  );
}

/** Renders the answer's text into its element. Also while it streams: what is half written is valid Markdown too. */
export function showAnswer(target: HTMLElement, turn: Turn): void {
  target.innerHTML = DOMPurify.sanitize(html(turn.answer), { FORBID_TAGS: ["img", "style", "form"] });
  for (const button of target.querySelectorAll<HTMLButtonElement>(".cite")) {
    const number = Number(button.dataset["source"]);
    const source = turn.sources.find((source) => source.number === number);
    if (source === undefined || turn.unverified.includes(number)) {
      const reason = "This citation does not hold: the source is unknown or has changed";
      button.replaceWith(element("span", { className: "cite unverified", title: reason }, `${number}?`));
    } else {
      button.title = where(source);
      button.setAttribute("aria-label", `Source ${number}: ${where(source)}`);
    }
  }
}

function question(turn: Turn): HTMLElement {
  const made = element("div", { className: "question" }, element("span", {}, turn.question));
  if (turn.about !== undefined && turn.kind === "ask") {
    made.append(element("button", { type: "button", className: "place", title: "Open this code", data: { do: "place" } }, turn.about.label));
  }
  return made;
}

function sources(turn: Turn): HTMLElement[] {
  if (turn.sources.length === 0) return [];
  const items = turn.sources.map((source) => {
    const cited = turn.cited.includes(source.number);
    return element(
      "li",
      { className: cited ? "cited" : "" },
      element(
        "button",
        { type: "button", data: { source: String(source.number) }, title: where(source), ariaLabel: `Source ${source.number}${cited ? ", cited" : ""}: ${where(source)}` },
        element("span", { className: "number" }, String(source.number)),
        element("span", { className: "path" }, where(source, false)),
        element("span", { className: "symbol" }, source.symbol),
      ),
    );
  });
  const cited = turn.state === "done" ? `, ${turn.cited.length} cited` : "";
  const summary = element("summary", {}, `${turn.sources.length} source${turn.sources.length === 1 ? "" : "s"}${cited}`);
  return [element("details", { className: "sources" }, summary, element("ul", {}, ...items))];
}

function footer(turn: Turn): HTMLElement[] {
  const notes: string[] = [];
  if (turn.state === "running") notes.push(runningText(turn));
  if (turn.state === "stopped") notes.push("Stopped");
  if (turn.cutOff === true) notes.push("Cut off at chat.max_tokens");
  if (turn.model !== undefined) notes.push(turn.model);
  const lines = notes.length === 0 ? [] : [element("div", { className: "note" }, notes.join(" · "))];
  if (turn.incomplete === true) lines.push(element("div", { className: "note" }, "The index was not complete yet; later answers may know more."));
  if (turn.error !== undefined) lines.push(element("div", { className: "error", role: "alert" }, turn.error));
  return lines;
}

export function runningText(turn: Turn): string {
  if (turn.reading !== undefined) return `Reading ${Math.floor(100 * turn.reading)} %…`;
  if (turn.answer !== "") return "Writing…";
  if (turn.sources.length > 0) return "Thinking…";
  if (turn.indexing === undefined) return "Searching…";
  const { done, total } = turn.indexing;
  return total === 0 ? "Looking for files…" : `Indexing: ${done.toLocaleString("en")} of ${plural(total, "file")}…`;
}

/** Long paths are cut at their beginning: the end tells more. */
function where({ path, range }: ShownSource, whole = true): string {
  const [first, last] = [range.start.line + 1, range.end.line + 1];
  const shown = whole ? path : path.split("/").slice(-2).join("/");
  return first === last ? `${shown}:${first}` : `${shown}:${first}-${last}`;
}
