// "Chat History": the conversations of this workspace, to go on with or to forget.

import * as vscode from "vscode";
import type { Chat } from "../chat/chat";
import { title, type Conversation } from "../chat/conversation";
import type { History } from "../chat/history";
import type { ChatView } from "../chat/view";
import { plural } from "../state";

const FORGET: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("trash"), tooltip: "Forget this conversation" };

interface Entry extends vscode.QuickPickItem {
  conversation: Conversation;
}

export function showHistory(history: History, chat: Chat, view: ChatView): void {
  const picker = vscode.window.createQuickPick<Entry>();
  picker.title = "Chat history";
  picker.placeholder = "Conversations of this workspace";
  picker.matchOnDetail = true;
  picker.items = history.all().map(entry);
  picker.onDidTriggerItemButton(async ({ item: { conversation } }) => {
    await history.forget(conversation.id);
    if (chat.conversation.id === conversation.id) chat.begin();
    picker.items = history.all().map(entry);
  });
  picker.onDidAccept(() => {
    const [picked] = picker.activeItems;
    picker.hide();
    if (picked === undefined) return;
    chat.show(picked.conversation);
    void view.reveal();
  });
  picker.onDidHide(() => picker.dispose());
  picker.show();
}

function entry(conversation: Conversation): Entry {
  const when = new Date(conversation.startedAt).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  return { label: title(conversation), description: `${when}, ${plural(conversation.turns.length, "question")}`, buttons: [FORGET], conversation };
}
