import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { settingNames, settingsForServer, type Configuration } from "../../src/server/settings";

const NAMES = settingNames(JSON.parse(readFileSync("package.json", "utf8")));

function configuration(set: Record<string, unknown>, level = "globalValue"): Configuration {
  return {
    get: (name) => (name in set ? set[name] : "the default"),
    inspect: (name) => ({ defaultValue: "the default", ...(name in set && { [level]: set[name] }) }),
  };
}

test("defaults are not sent: they would win over the server's own settings file", () => {
  assert.deepEqual(settingsForServer(configuration({}), NAMES), {});
});

test("what the person has set is sent, at whatever level, nested as the server reads it", () => {
  for (const level of ["globalValue", "workspaceValue", "workspaceFolderValue"]) {
    const set = { "impetus.chat.model": "m", "impetus.chat.max_tokens": 0, "impetus.index.watch": false };
    const sent = settingsForServer(configuration(set, level), NAMES);
    assert.deepEqual(sent, { chat: { model: "m", max_tokens: 0 }, index: { watch: false } });
  }
});

test("the extension's own settings stay here", () => {
  const set = { "impetus.server.command": ["x"], "impetus.hover.enable": false, "impetus.trace.server": "verbose" };
  assert.deepEqual(settingsForServer(configuration(set), NAMES), {});
});

test("every name of package.json is known", () => {
  for (const name of ["impetus.server.command", "impetus.chat.model", "impetus.completion.enable"]) assert.ok(NAMES.includes(name), name);
});
