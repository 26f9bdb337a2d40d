// What the server is told of the editor's settings: only what the person has set.
// The editor wins over the server's own settings file, so a default sent from here would hide what stands there.

/** The parts of `vscode.WorkspaceConfiguration` that are needed. */
export interface Configuration {
  get(name: string): unknown;
  inspect(name: string): Readonly<Record<string, unknown>> | undefined;
}

const LEVELS = ["globalValue", "workspaceValue", "workspaceFolderValue"] as const;
const OF_THE_CLIENT = ["impetus.server.", "impetus.hover.", "impetus.trace."];

/** `names` are all settings of the extension; the result is nested: `{chat: {model: "…"}}`. */
export function settingsForServer(configuration: Configuration, names: readonly string[]): Record<string, unknown> {
  const sent: Record<string, Record<string, unknown>> = {};
  for (const name of names.filter((name) => !OF_THE_CLIENT.some((prefix) => name.startsWith(prefix)))) {
    const inspected = configuration.inspect(name);
    if (LEVELS.every((level) => inspected?.[level] === undefined)) continue;
    const [section = "", key = ""] = name.replace(/^impetus\./, "").split(".");
    (sent[section] ??= {})[key] = configuration.get(name);
  }
  return sent;
}

/** The names of the settings in a parsed package.json. */
export function settingNames(packageJson: unknown): string[] {
  const { contributes } = packageJson as { contributes: { configuration: { properties: object }[] } };
  return contributes.configuration.flatMap((category) => Object.keys(category.properties));
}
