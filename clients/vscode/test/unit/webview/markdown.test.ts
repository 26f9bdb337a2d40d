import assert from "node:assert/strict";
import { test } from "node:test";
import { html } from "../../../src/webview/markdown";

const cited = (answer: string) => [...html(answer).matchAll(/data-source="(\d+)"/g)].map((match) => Number(match[1]));

test("citations in prose become buttons", () => {
  assert.deepEqual(cited("In `f` [1], then [2, 3] and [4][5]."), [1, 2, 3, 4, 5]);
  assert.deepEqual(cited("### Head [7]\n\n- item [8]"), [7, 8]);
});

test("brackets in code and links are no citations", () => {
  assert.deepEqual(cited("`items[0]` and\n\n```python\nitems[1]\n```\n\n[2](https://example.org) [x] [12345]"), []);
});

test("HTML is shown, not run, and images are not fetched", () => {
  const made = html('<img src=x onerror=alert(1)> <script>alert(2)</script> ![x](https://example.org/x.png) [y](javascript:alert(3))');
  assert.ok(!/<img|<script|href="javascript/.test(made), made);
  assert.ok(made.includes("&lt;script&gt;"));
});

test("code is highlighted, labeled, and has its buttons; its text stays the same", () => {
  const made = html("```python\ndef f(a): return a < 1\n```");
  assert.match(made, /hljs-keyword/);
  assert.match(made, /data-do="copy"[\s\S]*data-do="insert"/);
  const code = /<code>([\s\S]*)<\/code>/.exec(made)?.[1] ?? "";
  assert.equal(code.replace(/<[^>]+>/g, "").replaceAll("&lt;", "<"), "def f(a): return a < 1\n");
});

test("a language that is not known is no error, and its name is no HTML", () => {
  assert.match(html("```<b>x\na\n```"), /<span>&lt;b&gt;x<\/span>/);
});

test("half an answer is shown too", () => {
  assert.match(html("Text [1] and\n```python\ndef f("), /<pre tabindex="0"><code>/);
});
