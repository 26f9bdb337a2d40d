import assert from "node:assert/strict";
import { test } from "node:test";
import { chatHistory, failed, finished, newConversation, newTurn, stopped, title, withPart, type Turn } from "../../src/chat/conversation";
import { History, MOST } from "../../src/chat/history";
import type { AnswerResult, Source } from "../../src/protocol";

const source = (number: number, line = 0): Source => {
  const range = { start: { line, character: 0 }, end: { line: line + 2, character: 4 } };
  return { number, passage: { uri: "file:///p/a.py", path: "a.py", range, score: 1, text: "def f(): …", language: "python", symbol: "f", kind: "function" } };
};

const result = (changes: Partial<AnswerResult>): AnswerResult => ({ sources: [], cited: [], unverified: [], model: "m", finishReason: "stop", ...changes });

const turn = (): Turn => newTurn(newConversation("c", 0), "ask", "Why?");

test("a streamed answer is its sources and the sum of its deltas", () => {
  let now = withPart(turn(), { kind: "sources", sources: [source(1), source(2)] });
  now = withPart(now, { kind: "progress", done: 10, total: 40 });
  assert.equal(now.reading, 0.25);
  for (const text of ["In ", "`f` [1]."]) now = withPart(now, { kind: "delta", text });
  assert.deepEqual([now.answer, now.reading, now.sources.map(({ number }) => number)], ["In `f` [1].", undefined, [1, 2]]);
  assert.ok(!("text" in (now.sources[0] ?? {})), "the text of passages is not kept");
});

test("at the end sources are where they are now, and keep their place in the list", () => {
  let now = withPart(turn(), { kind: "sources", sources: [source(1, 5), source(2, 9)] });
  now = finished(withPart(now, { kind: "delta", text: "x" }), result({ sources: [source(2, 30)], cited: [2], unverified: [1] }), false);
  assert.deepEqual(now.sources.map(({ range }) => range.start.line), [5, 30]);
  assert.deepEqual([now.state, now.answer, now.cited, now.unverified, now.cutOff], ["done", "x", [2], [1], false]);
});

test("an answer that was not streamed comes whole", () => {
  const now = finished(turn(), result({ text: "all", sources: [source(1)], finishReason: "length" }), false);
  assert.deepEqual([now.answer, now.sources.length, now.cutOff], ["all", 1, true]);
});

test("a question that waited for the first index says so, and at the end whether it got it whole", () => {
  const waiting = withPart(turn(), { kind: "indexing", done: 3, total: 40 });
  assert.deepEqual(waiting.indexing, { done: 3, total: 40 });
  const found = withPart(waiting, { kind: "sources", sources: [source(1)] });
  assert.deepEqual([finished(found, result({}), true).incomplete, finished(found, result({}), false).incomplete], [true, false]);
  assert.equal(finished(turn(), result({}), true).incomplete, false, "what is indexed again is known from before");
  for (const end of [finished(found, result({}), true), stopped(found), failed(found, "no")]) assert.ok(!("indexing" in end));
});

test("parts of a later server are passed over", () => {
  assert.deepEqual(withPart(turn(), { kind: "drawing" } as never), turn());
});

test("only answered turns go back to the server", () => {
  const done = finished({ ...turn(), answer: "yes" }, result({}), false);
  assert.deepEqual(chatHistory([done, stopped(turn()), failed(turn(), "no")]), [
    { role: "user", content: "Why?" },
    { role: "assistant", content: "yes" },
  ]);
});

test("turns are numbered past those that are there", () => {
  const conversation = { ...newConversation("c", 0), turns: [{ ...turn(), id: 4 }] };
  assert.equal(newTurn(conversation, "ask", "?").id, 5);
  assert.equal(turn().id, 1);
});

test("a title is the first line of the first question, cut when long", () => {
  const titled = (question: string) => title({ ...newConversation("c", 0), turns: [newTurn(newConversation("c", 0), "ask", question)] });
  assert.equal(titled("First\nsecond"), "First");
  assert.equal(titled("x".repeat(200)).length, 80);
  assert.equal(title(newConversation("c", 0)), "");
});

test("the history keeps the newest first, each once, and not without end", async () => {
  const values = new Map<string, unknown>();
  const memento = { keys: () => [...values.keys()], get: (key: string, other?: unknown) => values.get(key) ?? other, update: async (key: string, value: unknown) => void values.set(key, value) };
  const history = new History(memento as never);
  for (let i = 0; i <= MOST; i++) await history.keep(newConversation(`c${i}`, i));
  await history.keep({ ...newConversation("c7", 7), turns: [turn()] });
  assert.equal(history.all().length, MOST);
  assert.deepEqual([history.all()[0]?.id, history.all()[0]?.turns.length, history.all()[1]?.id], ["c7", 1, `c${MOST}`]);
  await history.forget("c7");
  assert.ok(!history.all().some(({ id }) => id === "c7"));
});
