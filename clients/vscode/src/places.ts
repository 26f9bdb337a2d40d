// Places in files: from the protocol to the editor and to what people read.

import * as vscode from "vscode";
import type { Passage, Place, Range } from "./protocol";

export function rangeOf({ start, end }: Range): vscode.Range {
  return new vscode.Range(start.line, start.character, end.line, end.character);
}

/** Shows a place; `preview` leaves the focus where it is, as one looks through results. */
export async function open(uri: string, range: Range, options: { preview?: boolean; beside?: boolean } = {}): Promise<void> {
  const document = await vscode.workspace.openTextDocument(vscode.Uri.parse(uri, true));
  const editor = await vscode.window.showTextDocument(document, {
    preview: true,
    preserveFocus: options.preview ?? false,
    ...(options.beside && { viewColumn: vscode.ViewColumn.Beside }),
    selection: document.validateRange(rangeOf(range)),
  });
  editor.revealRange(editor.selection, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
}

/** `src/app.py:12-30` */
export function placeText(path: string, { start, end }: Range): string {
  const [first, last] = [start.line + 1, end.line + 1];
  return first === last ? `${path}:${first}` : `${path}:${first}-${last}`;
}

export function passageText(passage: Passage): string {
  return placeText(passage.path, passage.range);
}

/** What is selected in the active editor, with the cursor's line where nothing is. */
export function selectedPlace(): Place | undefined {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) return undefined;
  const { start, end } = editor.selection;
  return { textDocument: { uri: editor.document.uri.toString() }, range: { start, end } };
}

export function placeLabel({ textDocument, range }: Place): string {
  return placeText(vscode.workspace.asRelativePath(vscode.Uri.parse(textDocument.uri)), range);
}

export function folderName(uri: string): string {
  return uri.split("/").filter(Boolean).map(decodeURIComponent).at(-1) ?? uri;
}
