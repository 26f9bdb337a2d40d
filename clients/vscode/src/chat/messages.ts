// What the chat's page and the extension tell each other. Types only.

import type { Conversation, Turn } from "./conversation";

export type ToPage =
  | { type: "conversation"; conversation: Conversation }
  /** A new turn, or a turn of the conversation as it is now. */
  | { type: "turn"; turn: Turn }
  | { type: "delta"; id: number; text: string }
  /** Put these words into the question box, about this place, for the person to change and send. */
  | { type: "compose"; question: string; about?: Turn["about"] };

export type FromPage =
  | { type: "ready" }
  | { type: "ask"; question: string; about?: Turn["about"] }
  | { type: "stop" }
  | { type: "open"; turn: number; source: number }
  | { type: "place"; turn: number }
  | { type: "copy"; text: string }
  | { type: "insert"; text: string }
  | { type: "command"; command: "impetus.search" | "impetus.showStatus" | "impetus.chooseModel" };
