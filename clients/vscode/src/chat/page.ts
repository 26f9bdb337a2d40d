// The HTML of the chat's page. Its policy allows our own script and style, nothing else: no network, no images.

import { randomBytes } from "node:crypto";
import * as vscode from "vscode";

export function page(webview: vscode.Webview, folder: vscode.Uri): string {
  const file = (name: string) => webview.asWebviewUri(vscode.Uri.joinPath(folder, name)).toString();
  const nonce = randomBytes(16).toString("base64");
  const policy = `default-src 'none'; style-src ${webview.cspSource}; script-src 'nonce-${nonce}'`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta http-equiv="Content-Security-Policy" content="${policy}">
  <link rel="stylesheet" href="${file("style.css")}">
  <title>Impetus chat</title>
</head>
<body>
  <main id="turns" role="log" aria-label="Conversation" aria-live="off" tabindex="-1"></main>
  <section id="welcome" aria-label="How to begin">
    <h2>Ask about this workspace</h2>
    <p>Answers cite files and lines; a click on a citation opens them. Nothing leaves this machine unless you choose a model elsewhere.</p>
    <ul id="examples"></ul>
    <p class="links">
      <button type="button" class="link" data-command="impetus.search">Search by meaning</button>
      <button type="button" class="link" data-command="impetus.showStatus">Show status</button>
      <button type="button" class="link" data-command="impetus.chooseModel">Choose a model</button>
    </p>
  </section>
  <form id="form">
    <div id="about" hidden></div>
    <div class="box">
      <textarea id="question" rows="1" aria-label="Question" placeholder="Ask about this workspace"></textarea>
      <button type="submit" id="send" title="Send (Enter)" aria-label="Send"></button>
    </div>
  </form>
  <div id="announcement" role="status" aria-live="polite" class="spoken"></div>
  <script nonce="${nonce}" src="${file("main.js")}"></script>
</body>
</html>`;
}
