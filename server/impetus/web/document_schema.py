"""The bodies of `/api/documents/*`, as the OpenAPI document shows them."""

import base64
import binascii
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from impetus.domain.documents import MAX_NAME
from impetus.errors import BadRequest

#: Documents of one request; its body has a limit of its own.
MAX_DOCUMENTS = 100

Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
CollectionName = Annotated[str, Field(min_length=1, max_length=64, description="Letters, digits, `.`, `_`, `-`.")]
Value = bool | int | float | str
Fields = Annotated[dict[str, Value | list[Value]], Field(max_length=50)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class IncomingDocument(_Strict):
    """`content` is text; `content_base64` the bytes of a file. Without `media_type` the name's ending tells it."""

    name: Name
    content: str | None = None
    content_base64: str | None = None
    media_type: Annotated[str, Field(max_length=200)] | None = None
    metadata: Fields = {}

    @model_validator(mode="after")
    def _one_content(self) -> "IncomingDocument":
        if (self.content is None) == (self.content_base64 is None):
            raise ValueError("give either content or content_base64")
        return self

    def data(self) -> bytes:
        """Raises BadRequest."""
        if self.content is not None:
            return self.content.encode("utf-8", "replace")
        try:
            return base64.b64decode(self.content_base64 or "", validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadRequest(f"content_base64 of {self.name} is no base64", parameter="content_base64") from error


class IngestRequest(_Strict):
    collection: CollectionName = "default"
    documents: Annotated[list[IncomingDocument], Field(min_length=1, max_length=MAX_DOCUMENTS)]


class DocumentSearchRequest(_Strict):
    """Without `collection` all are searched. Each field of `filters` has to be the value given, or one of a list."""

    query: Annotated[str, Field(min_length=1, max_length=100_000)]
    collection: CollectionName | None = None
    top_k: Annotated[int, Field(ge=1, le=200)] = 10
    filters: Fields = {}


class DocumentBody(BaseModel):
    """`added` and `updated` are seconds since the epoch."""

    id: str
    object: Literal["document"] = "document"
    collection: str
    name: str
    media_type: str
    size: int
    passages: int
    metadata: dict[str, Value | list[Value]]
    added: int
    updated: int


class Failure(BaseModel):
    message: str
    type: str
    param: str | None
    code: str


class IngestedBody(BaseModel):
    """`new_passages` were not there before, in whatever document. Of a failed document only name and error are told."""

    object: Literal["document.ingested"] = "document.ingested"
    name: str
    status: Literal["added", "updated", "unchanged", "failed"]
    document: DocumentBody | None = None
    new_passages: int = 0
    removed_passages: int = 0
    error: Failure | None = None


class IngestAnswer(BaseModel):
    object: Literal["list"] = "list"
    collection: str
    data: list[IngestedBody]


class PassageBody(BaseModel):
    """`page` of a PDF and `cell` of a notebook count from 1; `headings` are the titles above, outermost first."""

    object: Literal["document.passage"] = "document.passage"
    index: int
    score: float
    collection: str
    document_id: str
    name: str
    media_type: str
    metadata: dict[str, Value | list[Value]]
    headings: list[str]
    page: int | None
    cell: int | None
    text: str


class SearchAnswer(BaseModel):
    object: Literal["list"] = "list"
    data: list[PassageBody]


class CollectionBody(BaseModel):
    id: str
    object: Literal["collection"] = "collection"
    documents: int
    passages: int
    size: int
    created: int
    updated: int


class _Page(BaseModel):
    object: Literal["list"] = "list"
    first_id: str | None
    last_id: str | None
    has_more: bool


class CollectionPage(_Page):
    data: list[CollectionBody]


class DocumentPage(_Page):
    data: list[DocumentBody]


class Deleted(BaseModel):
    id: str
    object: Literal["collection.deleted", "document.deleted"]
    deleted: Literal[True] = True
