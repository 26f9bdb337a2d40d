import assert from "node:assert/strict";
import { test } from "node:test";
import type { IndexState, ModelState, StatusResult } from "../../src/protocol";
import { barText, indexText, isIndexing, modelText } from "../../src/state";

const index = (changes: Partial<IndexState> = {}): IndexState => ({ root: "file:///p", phase: "ready", done: 0, total: 0, rate: 0, files: 1204, chunks: 1, failed: 0, problems: [], ...changes });
const model = (changes: Partial<ModelState> = {}): ModelState => ({ role: "chat", id: "/models/Qwen-7B", state: "ready", detail: "", ...changes });
const status = (changes: Partial<StatusResult> = {}): StatusResult => ({ health: "ok", message: "Ready", indexes: [index()], models: [model()], problems: [], ...changes });

test("the bar shows the phase, the progress of the index, then the model", () => {
  const text = (changes?: Partial<StatusResult>) => barText("running", "", changes && status(changes), 1).text;
  assert.equal(text(undefined), "$(loading~spin) Impetus");
  assert.equal(text({ indexes: [] }), "$(sync~spin) Impetus");
  assert.equal(text({ indexes: [index({ phase: "indexing", done: 1, total: 3 })] }), "$(sync~spin) Impetus 33 %");
  assert.equal(text({ models: [model({ state: "loading" })] }), "$(loading~spin) Impetus: Qwen-7B");
  assert.equal(text({}), "$(pass) Impetus: Qwen-7B");
  assert.equal(text({ models: [model({ id: "", state: "none" })] }), "$(pass) Impetus: quotations");
});

test("what is wrong is said, colored and spoken", () => {
  assert.deepEqual(barText("missing", "no program", undefined, 1), { text: "$(error) Impetus", label: "Impetus: no program", severity: "error" });
  const degraded = barText("running", "", status({ health: "warning", message: "half" }), 1);
  assert.deepEqual(degraded, { text: "$(warning) Impetus", label: "Impetus: half", severity: "warning" });
});

test("the index is not complete before the server has looked at the folders", () => {
  assert.ok(isIndexing(undefined, 0));
  assert.ok(isIndexing(status({ indexes: [] }), 1));
  assert.ok(!isIndexing(status({ indexes: [] }), 0), "there is nothing to index");
  assert.ok(isIndexing(status({ indexes: [index(), index({ phase: "storing" })] }), 2));
  assert.ok(!isIndexing(status(), 1));
});

test("counts, rates and models are put in words", () => {
  assert.equal(indexText(index()), "1,204 files, 1 chunk");
  assert.equal(indexText(index({ phase: "shared" })), "shared; 1,204 files, 1 chunk");
  assert.equal(indexText(index({ phase: "indexing", done: 1000, total: 2000, rate: 350.4 })), "indexing 1,000 of 2,000 files, 350 files/s");
  assert.equal(modelText(model({ state: "none", id: "" })), "none; answers are quotations");
  assert.equal(modelText(model({ state: "missing", id: "x" })), "x (missing)");
});
