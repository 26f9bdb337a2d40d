"""Completions, embeddings, the list of models, and health over HTTP."""

import base64
import struct
from typing import Any

import pytest
from tests.support.http import Port, frames, post, refusal
from tests.support.scripted_session import Script

from impetus.domain.types import (
    End,
    EngineStatus,
    FinishReason,
    Health,
    InfillPrompt,
    Piece,
    Prefill,
    TextPrompt,
    Usage,
)

STEPS = (Prefill(5, 10), Piece("re"), Piece(""), Piece("turn"), End(FinishReason.LENGTH, Usage(10, 2)))


async def test_completion_between_prompt_and_suffix() -> None:
    port = Port(Script(steps=STEPS))
    body = {"model": "impetus-complete", "prompt": "def f():\n    ", "suffix": "\n", "max_tokens": 9, "stop": ["\n\n"]}
    status, got = await post(port, "/v1/completions", body)
    assert status == 200
    assert got["object"] == "text_completion"
    assert got["choices"] == [{"index": 0, "text": "return", "logprobs": None, "finish_reason": "length"}]
    assert got["usage"]["total_tokens"] == 12
    prompt, sampling, role = port.session.calls[0][1]
    assert prompt == InfillPrompt("def f():\n    ", "\n")
    assert (sampling.max_tokens, sampling.temperature, sampling.stop, role) == (9, 0.0, ("\n\n",), "completion")


async def test_completion_in_chunks() -> None:
    body = {"model": "impetus-complete", "prompt": ["x = "], "stream": True, "stream_options": {"include_usage": True}}
    _, text = await post(Port(Script(steps=STEPS)), "/v1/completions", body)
    assert text.startswith(": keepalive 5/10\n\n")
    *chunks, usage, done = frames(text)
    assert done == "[DONE]"
    assert [(c["choices"][0]["text"], c["choices"][0]["finish_reason"]) for c in chunks] == [
        ("re", None), ("turn", None), ("", "length"),
    ]  # fmt: skip
    assert (usage["choices"], usage["usage"]["completion_tokens"]) == ([], 2)


async def test_raw_continuation_by_the_chat_model() -> None:
    port = Port(Script(steps=STEPS))
    status, _ = await post(port, "/v1/completions", {"model": "impetus-plain", "prompt": "Once"})
    assert status == 200
    prompt, _, role = port.session.calls[0][1]
    assert (prompt, role) == (TextPrompt("Once"), "chat")


@pytest.mark.parametrize(
    ("more", "parameter"),
    [
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": [[1, 2]]}, "prompt"),
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"echo": True}, "echo"),
        ({"best_of": 2}, "best_of"),
        ({"logprobs": 1}, "logprobs"),
        ({"model": "impetus-plain", "suffix": "x"}, "suffix"),
    ],
)
async def test_completions_refuse_by_name(more: dict[str, Any], parameter: str) -> None:
    error = await refusal(Port(), "/v1/completions", {"model": "impetus-complete", "prompt": "x", **more})
    assert error["param"] == parameter


# -- embeddings ------------------------------------------------------------------------------------------------------


async def test_embeddings_as_numbers_and_as_base64_agree() -> None:
    port = Port()
    request = {"model": "impetus-embed", "input": ["parse_url", "xy"]}
    _, plain = await post(port, "/v1/embeddings", request)
    _, packed = await post(port, "/v1/embeddings", {**request, "encoding_format": "base64", "dimensions": 3})
    assert [entry["index"] for entry in plain["data"]] == [0, 1]
    for numbers, text in zip(plain["data"], packed["data"], strict=True):
        raw = base64.b64decode(text["embedding"])
        assert list(struct.unpack("<3f", raw)) == numbers["embedding"]
    assert plain["usage"] == {"prompt_tokens": 3, "total_tokens": 3}


@pytest.mark.parametrize(
    ("more", "parameter"),
    [
        ({"input": []}, "input"),
        ({"input": ""}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({"input": [1, 2]}, "input"),
        ({"input": [[1], [2]]}, "input"),
        ({"input": ["x"] * 2049}, "input"),
        ({"dimensions": 4}, "dimensions"),
        ({"encoding_format": "hex"}, "encoding_format"),
    ],
)
async def test_embeddings_refuse_by_name(more: dict[str, Any], parameter: str) -> None:
    error = await refusal(Port(), "/v1/embeddings", {"model": "impetus-embed", "input": "x", **more})
    assert error["param"] == parameter


async def test_token_ids_are_refused_with_the_way_out() -> None:
    error = await refusal(Port(), "/v1/embeddings", {"model": "impetus-embed", "input": [[1, 2]]})
    assert "check_embedding_ctx_length=False" in error["message"]


# -- models and health -----------------------------------------------------------------------------------------------


async def test_models() -> None:
    async with Port().client() as client:
        listing = (await client.get("/v1/models")).json()
        one = (await client.get("/v1/models/impetus")).json()
        missing = await client.get("/v1/models/none")
    assert listing["object"] == "list"
    ids = [entry["id"] for entry in listing["data"]]
    assert ids == ["impetus", "impetus-plain", "impetus-complete", "impetus-embed"]
    assert listing["data"][0] == one
    assert (one["object"], one["owned_by"]) == ("model", "impetus")
    assert one["context_length"] == one["max_model_len"] == 4096
    assert isinstance(one["created"], int)
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "MODEL_NOT_FOUND")


async def test_readiness_follows_the_engine() -> None:
    port = Port()
    async with port.client() as client:
        assert (await client.get("/api/health/ready")).status_code == 200
        port.session.script.status = EngineStatus(Health.ERROR, "The catalog cannot be opened")
        failed = await client.get("/api/health/ready")
        status = (await client.get("/api/health/status")).json()
    assert (failed.status_code, failed.json()["message"]) == (503, "The catalog cannot be opened")
    assert status["health"] == "error"
