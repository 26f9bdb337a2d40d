// "Ask" and "Explain Selection": from the palette, the editor's menu and the server's code actions into the chat.

import * as vscode from "vscode";
import type { Chat } from "../chat/chat";
import type { ChatView } from "../chat/view";
import { placeLabel, selectedPlace } from "../places";
import type { AnswerResult, AskParams, Place } from "../protocol";

/**
 * Without parameters, or with a place only, the person writes the question. A code action's question is a proposal
 * about its place. A bare question, from a key binding or another extension, is asked at once and its answer returned.
 */
export async function ask(chat: Chat, view: ChatView, params?: Partial<AskParams>): Promise<AnswerResult | undefined> {
  if (params?.question !== undefined && params.range === undefined) {
    await view.reveal();
    return chat.ask(params.question);
  }
  const place = isPlace(params) ? params : selectedPlace();
  const selected = place !== undefined && !isEmpty(place) ? place : undefined;
  await view.compose(params?.question ?? "", selected && { ...plain(selected), label: placeLabel(selected) });
  return undefined;
}

export async function explain(chat: Chat, view: ChatView, params?: Partial<Place>): Promise<AnswerResult | undefined> {
  const place = isPlace(params) ? params : selectedPlace();
  if (place === undefined) {
    void vscode.window.showInformationMessage("Open a file and select the code that is to be explained");
    return undefined;
  }
  await view.reveal();
  return chat.explain({ ...plain(place), label: placeLabel(place) });
}

function isPlace(params: Partial<Place> | undefined): params is Place {
  return params?.textDocument !== undefined && params.range !== undefined;
}

function isEmpty({ range: { start, end } }: Place): boolean {
  return start.line === end.line && start.character === end.character;
}

/** Without the editor's own classes, so that it can be kept and sent. */
function plain({ textDocument: { uri }, range: { start, end } }: Place): Place {
  const position = ({ line, character }: Place["range"]["start"]) => ({ line, character });
  return { textDocument: { uri }, range: { start: position(start), end: position(end) } };
}
