"""What embedding models want to read before a query and before a document; without it they find far less.

The words are those of the models' cards; a name that is not known here gets none.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prefixes:
    query: str = ""
    document: str = ""


_CODE_QUERY = "Represent this query for searching relevant code: "

#: Part of a model's name (lower case) → its prefixes; the first that fits counts.
_FAMILIES: tuple[tuple[str, Prefixes], ...] = (
    ("coderankembed", Prefixes(_CODE_QUERY)),
    ("nomic-embed-code", Prefixes(_CODE_QUERY)),
    ("nomic-embed-text", Prefixes("search_query: ", "search_document: ")),
    ("embeddinggemma", Prefixes("task: code retrieval | query: ", "title: none | text: ")),
    (
        "qwen3-embedding",
        Prefixes("Instruct: Given a question about a code base, retrieve the code that answers it\nQuery:"),
    ),
    ("e5-", Prefixes("query: ", "passage: ")),
)

#: As a setting: take what is known of the model.
AUTO = "auto"


def prefixes(model: str, query: str = AUTO, document: str = AUTO) -> Prefixes:
    """`query` and `document` as the settings say; `AUTO` looks at the model's name."""
    name = model.lower()
    known = next((found for part, found in _FAMILIES if part in name), Prefixes())
    return Prefixes(known.query if query == AUTO else query, known.document if document == AUTO else document)
