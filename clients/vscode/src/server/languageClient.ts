// The library, as a file of its own: it is loaded when the server is started, after the extension is there.

export { LanguageClient, ProgressType, RevealOutputChannelOn, State } from "vscode-languageclient/node";
