"""`POST /v1/embeddings`: unit vectors as numbers, or as base64 of little-endian float32, which the SDKs ask for."""

import base64
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from impetus.domain.ports import Vectors
from impetus.domain.tokens import words
from impetus.errors import BadRequest
from impetus.services.session import Session
from impetus.web import sse
from impetus.web.errors import embedding
from impetus.web.models import EMBED, require
from impetus.web.schema import EmbeddingRequest


async def embed(session: Session, body: EmbeddingRequest, request: Request) -> Response:
    model = require(body.model, (EMBED,))
    texts = body.texts()
    return await sse.answer(request, _vectors(session, model, texts, body))


async def _vectors(session: Session, model: str, texts: list[str], body: EmbeddingRequest) -> dict[str, Any]:
    with embedding():
        vectors = await session.embed(texts)
    size = vectors.shape[1]
    if body.dimensions not in (None, size):
        raise BadRequest(f"{model} gives {size} dimensions and cannot be cut to others", parameter="dimensions")
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
