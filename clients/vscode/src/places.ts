// Places in files: from the protocol to the editor and to what people read.

import * as vscode from "vscode";
import type { Passage, Place, Range } from "./protocol";

export function rangeOf({ start, end }: Range): vscode.Range {
  return new vscode.Range(start.line, start.character, end.line, end.character);
}

/** Shows a place with its lines highlighted; `preview` leaves the focus where it is, as one looks through results. */
export async function open(uri: string, range: Range, options: { preview?: boolean; beside?: boolean } = {}): Promise<void> {
  const document = await vscode.workspace.openTextDocument(vscode.Uri.parse(uri, true));
  const place = document.validateRange(rangeOf(range));
  const editor = await vscode.window.showTextDocument(document, {
    preview: true,
    preserveFocus: options.preview ?? false,
    ...(options.beside && { viewColumn: vscode.ViewColumn.Beside }),
    selection: new vscode.Range(place.start, place.start),
  });
  editor.revealRange(place, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
  highlight(editor, place);
}

const HIGHLIGHT = vscode.window.createTextEditorDecorationType({
  isWholeLine: true,
  backgroundColor: new vscode.ThemeColor("editor.rangeHighlightBackground"),
  overviewRulerColor: new vscode.ThemeColor("editorOverviewRuler.rangeHighlightForeground"),
});
let ending: vscode.Disposable | undefined;

/** Until the person moves the cursor there, or another place is shown. */
function highlight(editor: vscode.TextEditor, range: vscode.Range): void {
  ending?.dispose();
  editor.setDecorations(HIGHLIGHT, [range]);
  const moved = vscode.window.onDidChangeTextEditorSelection(({ textEditor, kind }) => {
    if (textEditor === editor && kind !== undefined) ending?.dispose();
  });
  ending = new vscode.Disposable(() => {
    moved.dispose();
    editor.setDecorations(HIGHLIGHT, []);
  });
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
