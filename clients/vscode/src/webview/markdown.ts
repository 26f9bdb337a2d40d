// An answer's Markdown as HTML, with its citations as buttons. HTML in an answer is shown as text.

import hljs from "highlight.js/lib/common";
import MarkdownIt from "markdown-it";

/** `[2]` and `[1, 3]`, and no Markdown link (`[1](…)`); the server reads citations the same way. */
const CITATION = /^\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\](?!\()/;

const markdown = new MarkdownIt({ html: false, linkify: false, typographer: false });
markdown.disable("image");

markdown.inline.ruler.before("link", "citation", (state, silent) => {
  const numbers = CITATION.exec(state.src.slice(state.pos))?.[0];
  if (numbers === undefined) return false;
  if (!silent) state.push("citation", "", 0).content = numbers;
  state.pos += numbers.length;
  return true;
});

markdown.renderer.rules["citation"] = (tokens, index) => {
  const text = tokens[index]?.content ?? "";
  const buttons = [...text.matchAll(/\d+/g)].map(([number]) => `<button type="button" class="cite" data-source="${number}">${number}</button>`);
  return buttons.join("");
};

markdown.renderer.rules.fence = markdown.renderer.rules.code_block = (tokens, index) => {
  const token = tokens[index];
  const [language = ""] = (token?.info ?? "").trim().split(/\s+/);
  const name = markdown.utils.escapeHtml(language);
  return `<div class="code"><div class="bar"><span>${name}</span>
    <button type="button" data-do="copy" aria-label="Copy this code">Copy</button>
    <button type="button" data-do="insert" aria-label="Insert this code at the cursor">Insert</button></div>
    <pre tabindex="0"><code>${highlighted(token?.content ?? "", language)}</code></pre></div>`;
};

export function html(answer: string): string {
  return markdown.render(answer);
}

function highlighted(code: string, language: string): string {
  if (hljs.getLanguage(language) === undefined) return markdown.utils.escapeHtml(code);
  return hljs.highlight(code, { language, ignoreIllegals: true }).value;
}
