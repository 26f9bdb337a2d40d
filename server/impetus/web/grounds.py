"""The fields that say what an answer is to read, beside the model's id."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from impetus.domain.types import ContextFile, Grounding
from impetus.errors import BadRequest
from impetus.web.models import ChatModel

MAX_DOCUMENTS = 64
MAX_PASSAGES = 50

DocumentText = Annotated[str, Field(min_length=1, max_length=4_000_000)]


class ContextDocument(BaseModel):
    """A text that the client sends along. `title` is what a citation calls it."""

    text: DocumentText
    title: Annotated[str, Field(max_length=500)] = ""


class GroundingFields(BaseModel):
    """`rag_mode`: the workspace, documents of `rag_collection` (`*`: any), or both; by default what is named."""

    use_rag: bool | None = None
    rag_mode: Literal["auto", "workspace", "documents", "both"] | None = None
    rag_collection: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    rag_top_k: Annotated[int, Field(ge=1, le=MAX_PASSAGES)] | None = None
    context_documents: Annotated[list[DocumentText | ContextDocument], Field(max_length=MAX_DOCUMENTS)] | None = None

    def grounding(self, model: ChatModel) -> Grounding | None:
        """None: the conversation alone. Raises BadRequest for fields that contradict each other."""
        named = [name for name in ("rag_mode", "rag_collection", "rag_top_k") if getattr(self, name) is not None]
        if self.use_rag is False and named:
            raise BadRequest(
                f"use_rag is false, so {named[0]} has no effect; leave one of them out", parameter=named[0]
            )
        given = tuple(_file(document, number) for number, document in enumerate(self.context_documents or (), 1))
        asked = self.use_rag if self.use_rag is not None else model.retrieval or bool(named)
        if not asked:
            return Grounding(workspace=False, given=given) if given else None
        mode = self.rag_mode or "auto"
        if mode == "workspace" and self.rag_collection:
            raise BadRequest("rag_mode is workspace, so rag_collection has no effect", parameter="rag_collection")
        # A collection that is named is asked alone only where the model's id does not stand for the workspace.
        workspace = mode in ("workspace", "both") or (mode == "auto" and (model.retrieval or not self.rag_collection))
        collection = self.rag_collection or ("*" if mode in ("documents", "both") else "")
        return Grounding(workspace, model.roots, collection, self.rag_top_k, given)


def _file(document: str | ContextDocument, number: int) -> ContextFile:
    if isinstance(document, str):
        return ContextFile(f"document {number}", document)
    return ContextFile(document.title or f"document {number}", document.text)
