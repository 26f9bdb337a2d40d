"""Chat, streamed and whole, with a tool; embeddings. Prints one JSON object."""

import json
import os

import litellm

BASE = {"api_base": os.environ["OPENAI_BASE_URL"], "api_key": os.environ["OPENAI_API_KEY"]}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Of a city", "parameters": SCHEMA}}]

asked = [{"role": "user", "content": "hello"}]
whole = litellm.completion(model="openai/impetus-plain", messages=asked, **BASE)
stream = litellm.completion(model="openai/impetus-plain", messages=asked, stream=True, **BASE)
text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
called = litellm.completion(
    model="openai/impetus-plain", messages=[{"role": "user", "content": "weather"}], tools=TOOLS, **BASE
)
call = called.choices[0].message.tool_calls[0]
vectors = litellm.embedding(model="openai/impetus-embed", input=["one", "two"], **BASE)
print(
    json.dumps(
        {
            "whole": whole.choices[0].message.content,
            "streamed": text,
            "call": [call.function.name, call.function.arguments, called.choices[0].finish_reason],
            "vectors": [len(each["embedding"]) for each in vectors.data],
        }
    )
)
