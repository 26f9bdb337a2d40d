// Chat, a streamed tool call, a response, embeddings and an error. Prints one JSON object.
import OpenAI from "openai";

const client = new OpenAI({ maxRetries: 0 });
const asked = [{ role: "user", content: "hello" }];
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ type: "function", function: { name: "weather", description: "Of a city", parameters } }];

const whole = await client.chat.completions.create({ model: "impetus-plain", messages: asked });
const stream = client.chat.completions.stream({
  model: "impetus-plain",
  messages: [{ role: "user", content: "weather" }],
  tools,
});
const called = (await stream.finalChatCompletion()).choices[0];
const response = await client.responses.create({ model: "impetus-plain", input: "hello" });
const vectors = await client.embeddings.create({ model: "impetus-embed", input: ["one", "two"] });
const models = [];
for await (const model of client.models.list()) models.push(model.id);
let refused;
try {
  await client.chat.completions.create({ model: "gpt-4o", messages: asked });
} catch (error) {
  refused = [error.constructor.name, error.status, error.code];
}
console.log(
  JSON.stringify({
    whole: whole.choices[0].message.content,
    call: [called.message.tool_calls[0].function.name, called.message.tool_calls[0].function.arguments],
    reason: called.finish_reason,
    response: response.output_text,
    vectors: vectors.data.map((each) => each.embedding.length),
    models,
    refused,
  }),
);
