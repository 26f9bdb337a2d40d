"""Chat, a tool, and embeddings that LangChain sends as token ids. Prints one JSON object."""

import json

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


chat = ChatOpenAI(model="impetus-plain")
streamed = "".join(str(chunk.content) for chunk in chat.stream("hello"))
called = chat.bind_tools([weather]).invoke("weather").tool_calls[0]
tokens = OpenAIEmbeddings(model="impetus-embed")
text = OpenAIEmbeddings(model="impetus-embed", check_embedding_ctx_length=False)
print(
    json.dumps(
        {
            "whole": chat.invoke("hello").content,
            "streamed": streamed,
            "call": [called["name"], called["args"]],
            "tokens": tokens.embed_documents(["open the gate", "close it"]),
            "text": text.embed_documents(["open the gate", "close it"]),
        }
    )
)
