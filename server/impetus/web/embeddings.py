"""`POST /v1/embeddings`: unit vectors as numbers, or as base64 of little-endian float32, which the SDKs ask for."""

import base64
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from impetus.domain.ports import Vectors
from impetus.domain.tokens import words
from impetus.errors import BadRequest
from impetus.web import sse, token_ids
from impetus.web.errors import embedding
from impetus.web.measured import Measured
from impetus.web.models import EMBED, require
from impetus.web.schema import EmbeddingRequest


async def embed(session: Measured, body: EmbeddingRequest, request: Request) -> Response:
    model = require(body.model, (EMBED,))
    texts = body.texts(token_ids.decoder())
    return await sse.answer(request, _vectors(session, model, texts, body))


async def _vectors(session: Measured, model: str, texts: list[str], body: EmbeddingRequest) -> dict[str, Any]:
    with embedding():
        vectors = await session.embed(texts)
    size = vectors.shape[1]
    if body.dimensions is not None and body.dimensions > size:
        raise BadRequest(f"{model} gives {size} dimensions and not more", parameter="dimensions")
    if body.dimensions is not None and body.dimensions < size:
        vectors = _shortened(vectors, body.dimensions)
    base64_asked = body.encoding_format == "base64"
    # The embedder reads words of identifiers, so they are what is counted.
    tokens = sum(len(words(text)) for text in texts)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _base64(row) if base64_asked else row.tolist()}
            for index, row in enumerate(vectors)
        ],
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _base64(row: Vectors) -> str:
    return base64.b64encode(row.astype(np.dtype("<f4")).tobytes()).decode("ascii")


def _shortened(vectors: Vectors, size: int) -> Vectors:
    """The first `size` dimensions at unit length again, as OpenAI's own models are cut."""
    cut = vectors[:, :size]
    length = np.linalg.norm(cut, axis=1, keepdims=True)
    shortened: Vectors = np.divide(cut, length, out=np.zeros_like(cut), where=length > 0)
    return shortened
