// The page of the chat: shows what the extension sends, and sends what the person does. Keeps only the draft.

import type { Conversation, Turn } from "../chat/conversation";
import type { FromPage, ToPage } from "../chat/messages";
import { element, runningText, showAnswer, turnElement } from "./turn";

interface Draft {
  question: string;
  about?: Turn["about"];
}

declare function acquireVsCodeApi(): { postMessage(message: FromPage): void; getState(): Draft | undefined; setState(draft: Draft): void };

const EXAMPLES = ["What does this project do, and where does it start?", "How are errors handled?", "Where are the settings read?"];

const editor = acquireVsCodeApi();
const byId = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const [turns, welcome, form, about, announcement] = ["turns", "welcome", "form", "about", "announcement"].map((id) => byId(id)) as [
  HTMLElement,
  HTMLElement,
  HTMLFormElement,
  HTMLElement,
  HTMLElement,
];
const box = byId<HTMLTextAreaElement>("question");
const send = byId<HTMLButtonElement>("send");

let conversation: Conversation = { id: "", startedAt: 0, turns: [] };
let draft: Draft = editor.getState() ?? { question: "" };
let painting = false;

// -- what the extension sends --------------------------------------------------------------------------------------

window.addEventListener("message", ({ data }: MessageEvent<ToPage>) => {
  switch (data.type) {
    case "conversation":
      conversation = data.conversation;
      turns.replaceChildren(...conversation.turns.map(turnElement));
      toEnd(true);
      break;
    case "turn":
      show(data.turn);
      break;
    case "delta":
      grow(data.id, data.text);
      return;
    case "compose":
      compose(data.question, data.about);
      break;
  }
  showState();
});

function show(turn: Turn): void {
  const index = conversation.turns.findIndex(({ id }) => id === turn.id);
  const made = turnElement(turn);
  if (index < 0) {
    conversation.turns.push(turn);
    turns.append(made);
    toEnd(true);
  } else {
    conversation.turns[index] = turn;
    const old = byId(`turn-${turn.id}`);
    made.querySelector("details")?.toggleAttribute("open", old.querySelector("details")?.open ?? false);
    const following = atEnd();
    old.replaceWith(made);
    toEnd(following);
  }
  const step = runningText(turn).replace(/[:\d].*/, "").trim(); // counts change too often to be spoken
  const said = { running: step, done: `Answer complete. ${made.querySelector(".answer")?.textContent ?? ""}`, stopped: "Answer stopped", failed: "" };
  if (announcement.textContent !== said[turn.state]) announcement.textContent = said[turn.state];
}

/** Text of a running answer. Painted once a frame: deltas can come faster. */
function grow(id: number, text: string): void {
  const turn = turnOf(id);
  if (turn === undefined) return;
  turn.answer += text;
  if (painting) return;
  painting = true;
  requestAnimationFrame(() => {
    painting = false;
    const now = turnOf(id);
    const answer = document.querySelector<HTMLElement>(`#turn-${id} .answer`);
    if (now?.state !== "running" || answer === null) return; // it ended meanwhile and is shown whole
    const following = atEnd();
    showAnswer(answer, now);
    const note = document.querySelector(`#turn-${id} .note`);
    if (note !== null) note.textContent = runningText(now);
    toEnd(following);
  });
}

function turnOf(id: number): Turn | undefined {
  return conversation.turns.find((turn) => turn.id === id);
}

// -- what the person does ------------------------------------------------------------------------------------------

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (running()) return editor.postMessage({ type: "stop" });
  const question = box.value.trim();
  if (question === "") return;
  editor.postMessage({ type: "ask", question, ...(draft.about && { about: draft.about }) });
  compose("");
});

box.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    if (!running()) form.requestSubmit();
  }
});

box.addEventListener("input", () => keep({ ...draft, question: box.value }));

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && running()) editor.postMessage({ type: "stop" });
});

document.addEventListener("click", ({ target }) => {
  const button = (target as Element).closest<HTMLElement>("button");
  if (button === null) return;
  const turn = Number(button.closest(".turn")?.id.replace("turn-", ""));
  const { source, do: action, command, example } = button.dataset;
  if (source !== undefined) editor.postMessage({ type: "open", turn, source: Number(source) });
  else if (command !== undefined) editor.postMessage({ type: "command", command: command as Extract<FromPage, { type: "command" }>["command"] });
  else if (example !== undefined) compose(example);
  else if (action === "place") editor.postMessage({ type: "place", turn });
  else if (action === "detach") compose(box.value);
  else if (action === "copy" || action === "insert") act(action, button);
});

function act(action: "copy" | "insert", button: HTMLElement): void {
  editor.postMessage({ type: action, text: button.closest(".code")?.querySelector("code")?.textContent ?? "" });
  if (action === "insert") return;
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

// -- the question box ----------------------------------------------------------------------------------------------

function compose(question: string, place?: Turn["about"]): void {
  keep({ question, ...(place && { about: place }) });
  showDraft();
  box.focus();
  box.select();
}

function keep(next: Draft): void {
  draft = next;
  editor.setState(draft);
  fit();
}

function showDraft(): void {
  box.value = draft.question;
  about.hidden = draft.about === undefined;
  about.replaceChildren(
    `About ${draft.about?.label ?? ""}`,
    element("button", { type: "button", title: "Ask about the whole workspace", ariaLabel: "Do not ask about this code", data: { do: "detach" } }, "×"),
  );
  fit();
}

/** As high as its text. A style attribute would be against the page's policy, a property is not. */
function fit(): void {
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight, 200)}px`;
}

function showState(): void {
  welcome.hidden = conversation.turns.length > 0;
  const busy = running();
  send.classList.toggle("stop", busy);
  send.title = busy ? "Stop (Escape)" : "Send (Enter)";
  send.setAttribute("aria-label", busy ? "Stop" : "Send");
}

function running(): boolean {
  return conversation.turns.some((turn) => turn.state === "running");
}

// -- scrolling: follow the answer, unless the person has scrolled away ----------------------------------------------

function atEnd(): boolean {
  return turns.scrollHeight - turns.scrollTop - turns.clientHeight < 40;
}

function toEnd(follow: boolean): void {
  if (follow) turns.scrollTop = turns.scrollHeight;
}

byId("examples").append(...EXAMPLES.map((text) => element("li", {}, element("button", { type: "button", data: { example: text } }, text))));
showDraft();
showState();
editor.postMessage({ type: "ready" });
