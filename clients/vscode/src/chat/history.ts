// The conversations of this workspace, newest first, in the editor's own storage of the workspace.

import type { Memento } from "vscode";
import type { Conversation } from "./conversation";

const KEY = "impetus.conversations";

/** Older conversations are forgotten. */
export const MOST = 50;

export class History {
  constructor(private readonly storage: Memento) {}

  all(): Conversation[] {
    return this.storage.get<Conversation[]>(KEY, []);
  }

  async keep(conversation: Conversation): Promise<void> {
    const others = this.all().filter(({ id }) => id !== conversation.id);
    await this.storage.update(KEY, [conversation, ...others].slice(0, MOST));
  }

  async forget(id: string): Promise<void> {
    const rest = this.all().filter((conversation) => conversation.id !== id);
    await this.storage.update(KEY, rest);
  }
}
