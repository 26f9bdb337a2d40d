// A chat model behind the OpenAI protocol: answers at once, and without end where the question asks for it.

import { once } from "node:events";
import { createServer } from "node:http";

export const MODEL = "fake-chat";

export async function startFakeChat() {
  const left = []; // questions whose reader went away before the end
  const asked = [];
  const server = createServer(async (request, response) => {
    if (request.url.endsWith("/models")) return response.end(JSON.stringify({ data: [{ id: MODEL }] }));
    let body = "";
    for await (const part of request) body += part;
    const question = JSON.parse(body).messages.at(-1).content;
    asked.push(JSON.parse(body).messages);
    const endless = question.includes("without end");
    let gone = false;
    response.on("close", () => {
      gone = true;
      if (endless) left.push(question);
    });
    response.writeHead(200, { "content-type": "text/event-stream" });
    const hostile = question.includes("in HTML");
    const words = hostile ? ["<b>bold</b> <img src=x> ", "![x](https://example.org/x.png) "] : ["The ", "fake ", "model ", "says ", "so ", "[1]."];
    for (let i = 0; !gone && (endless || i < words.length); i++) {
      response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: words[i % words.length] } }] })}\n\n`);
      await new Promise((resume) => setTimeout(resume, 60)); // slower than deltas are collected, so each is seen
    }
    response.end(`data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] })}\n\ndata: [DONE]\n\n`);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}/v1`,
    left,
    asked,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
