import assert from "node:assert/strict";
import { test } from "node:test";
import { isOlder, OLDEST, refusal } from "../../src/server/version";

test("release numbers are compared as numbers", () => {
  const older: [string, string][] = [["0.1.0", "0.2"], ["0.9", "0.10"], ["0.1", "0.1.1"], ["", "0.1"]];
  for (const [left, right] of older) {
    assert.ok(isOlder(left, right), `${left} < ${right}`);
    assert.ok(!isOlder(right, left), `${right} >= ${left}`);
  }
  assert.ok(!isOlder("0.1.0", "0.1"));
  assert.ok(!isOlder("v0.2.0rc1", "0.2"));
});

test("the server itself is accepted", () => {
  assert.equal(refusal({ name: "Impetus", version: OLDEST }, "impetus"), undefined);
});

test("an old server is refused with both versions", () => {
  const message = refusal({ name: "Impetus", version: "0.0.9" }, "/bin/impetus") ?? "";
  assert.match(message, /0\.0\.9/);
  assert.ok(message.includes(OLDEST) && message.includes("/bin/impetus"));
});

test("another program of the same name is refused", () => {
  assert.match(refusal({ name: "other", version: "9" }, "/bin/impetus") ?? "", /answers as other/);
  assert.match(refusal(undefined, "/bin/impetus") ?? "", /not the Impetus server/);
});
