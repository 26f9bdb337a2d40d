"""Each format: what is found in a small real file, and that a broken or hostile one gives a reason, never a crash."""

import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.document_files import bookmarked_pdf, docx, encrypted_pdf, notebook, pdf

from impetus.adapters import document_child, document_formats
from impetus.adapters.document_formats import READERS, known, media_type
from impetus.adapters.document_readers import docx as word
from impetus.errors import BadRequest

MARKDOWN, TEXT, HTML, PDF, WORD, NOTEBOOK = READERS

Found = list[tuple[str, list[str]]]


def read(kind: str, data: bytes | str) -> Found:
    """(text, headings) of each passage."""
    answer = document_child.read(kind, data.encode() if isinstance(data, str) else data)
    assert "error" not in answer, answer
    return [(text, list(headings)) for text, headings, _page, _cell in answer["passages"]]


def refusal(kind: str, data: bytes | str) -> str:
    answer = document_child.read(kind, data.encode() if isinstance(data, str) else data)
    assert set(answer) == {"error"}, answer
    return str(answer["error"])


def test_markdown() -> None:
    text = """---
title: A guide
---
# Guide

Intro *text*
goes on.

## Install

- one
- two

```sh
# no heading
make install
```

| a | b |
|---|---|
| 1 | 2 |

Other
-----

<p>raw</p>
"""
    assert read(MARKDOWN, text) == [
        ("title: A guide", []),
        ("Intro *text*\ngoes on.", ["Guide"]),
        (
            "- one\n- two\n\n```sh\n# no heading\nmake install\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |",
            ["Guide", "Install"],
        ),
        ("<p>raw</p>", ["Guide", "Other"]),
    ]


def test_titles_with_nothing_below_are_text_themselves() -> None:
    assert read(MARKDOWN, "# A\n## B\n## C\ntext\n# D\n") == [("B", ["A"]), ("text", ["A", "C"]), ("D", [])]
    assert read(MARKDOWN, "# Alone") == [("Alone", [])]


def test_levels_that_are_left_out_do_no_harm() -> None:
    assert read(MARKDOWN, "### Deep\na\n# Top\nb\n###### Deeper\nc") == [
        ("a", ["Deep"]),
        ("b", ["Top"]),
        ("c", ["Top", "Deeper"]),
    ]


def test_plain_text() -> None:
    assert read(TEXT, "one\r\ntwo\r\n \r\n\r\nthree") == [("one\ntwo\n\nthree", [])]


@pytest.mark.parametrize(
    "data", ["naïve – 日本".encode(), "naïve – 日本".encode("utf-8-sig"), "naïve – 日本".encode("utf-16")]
)
def test_encodings_of_text(data: bytes) -> None:
    assert read(TEXT, data) == [("naïve – 日本", [])]


def test_what_windows_wrote() -> None:
    assert read(TEXT, "naïve – café".encode("cp1252")) == [("naïve – café", [])]


def test_html() -> None:
    page = """<!doctype html><html><head><title>Site</title><style>p {}</style></head><body>
      <nav>Home | About</nav><script>alert(1)</script><!-- no -->
      <h1>Big <em>title</em></h1><p>One<br>two &amp; <b>bold</b>.</p>
      <div>loose text<div>inner</div>tail</div>
      <h2>Code</h2><pre><code>if x:
    y()
</code></pre>
      <ul><li>first<ul><li>nested</li></ul></li><li>second</li></ul>
      <table><tr><th>Name</th><th>Age</th></tr><tr><td>Ann <p>Lee</p></td><td>7</td></tr></table>
    </body></html>"""
    assert read(HTML, page) == [
        ("One two & bold.\n\nloose text\n\ninner\n\ntail", ["Big title"]),
        (
            "```\nif x:\n    y()\n```\n\n- first\n- nested\n- second\n\nName | Age\nAnn Lee | 7",
            ["Big title", "Code"],
        ),
    ]


def test_html_without_headings_has_its_title() -> None:
    assert read(HTML, "<title>Terms</title><p>naïve") == [("naïve", ["Terms"])]


def test_html_says_its_encoding() -> None:
    page = '<meta charset="iso-8859-2"><p>zażółć'.encode("iso-8859-2")
    assert read(HTML, page) == [("zażółć", [])]


def test_pages_of_a_pdf() -> None:
    answer = document_child.read(PDF, pdf("First page", "", "Third page"))
    assert [(text, page) for text, _headings, page, _cell in answer["passages"]] == [
        ("First page", 1),
        ("Third page", 3),
    ]


def test_bookmarks_of_a_pdf_are_titles() -> None:
    pages = ["Preface\nHello.", "It goes on.\nSetup\nTurn it on.", "Linux  first\nUse apt.", "Done."]
    data = bookmarked_pdf(
        ("Preface", 0, []), ("Setup", 1, [("Linux first", 2), ("Not shown in the text", 3)]), pages=pages
    )
    answer = document_child.read(PDF, data)
    assert [(text, list(headings), page) for text, headings, page, _cell in answer["passages"]] == [
        ("Preface\nHello.", ["Preface"], 1),
        ("It goes on.", ["Preface"], 2),
        ("Setup\nTurn it on.", ["Setup"], 2),
        ("Linux  first\nUse apt.", ["Setup", "Linux first"], 3),
        ("Done.", ["Setup", "Not shown in the text"], 4),
    ]


def test_an_encrypted_pdf() -> None:
    assert "encrypted" in refusal(PDF, encrypted_pdf("secret", "Hello"))
    assert read(PDF, encrypted_pdf("", "Only printing is forbidden")) == [("Only printing is forbidden", [])]


def test_a_scanned_pdf() -> None:
    assert "only pictures" in refusal(PDF, pdf("", ""))


@pytest.mark.parametrize(
    "data", [b"", b"%PDF-1.7", b"no pdf", pdf("a")[:200], pdf("a", "b").replace(b"/Kids", b"/Kinds")]
)
def test_a_broken_pdf(data: bytes) -> None:
    assert refusal(PDF, data)


def test_word() -> None:
    data = docx((1, "Plan"), "First.", "Second.", (2, "Costs"), [["Item", "Price"], ["Desk", "100"]], (1, "End"))
    assert read(WORD, data) == [
        ("First.\n\nSecond.", ["Plan"]),
        ("Item | Price\nDesk | 100", ["Plan", "Costs"]),
        ("End", []),
    ]


def _zipped(**parts: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize("data", [b"", b"PK", docx("x")[:500], _zipped(a=b"b"), b"\xd0\xcf\x11\xe0" * 100])
def test_what_is_no_word_document(data: bytes) -> None:
    assert "DOCX" in refusal(WORD, data)


def test_an_archive_that_unpacks_to_too_much() -> None:
    assert "unpacks to more" in refusal(WORD, _zipped(**{"word/document.xml": bytes(word.MAX_UNPACKED + 1)}))
    assert "unpacks to more" in refusal(WORD, _zipped(**{f"p{number}": b"" for number in range(word.MAX_PARTS + 1)}))


def test_entities_of_a_word_document_are_not_expanded() -> None:
    source, out = zipfile.ZipFile(io.BytesIO(docx("Hello"))), io.BytesIO()
    bomb = b'<!DOCTYPE x [<!ENTITY a "' + b"ha" * 1_000 + b'"><!ENTITY b "' + b"&a;" * 1_000 + b'">]>'
    with source, zipfile.ZipFile(out, "w") as changed:
        for part in source.infolist():
            data = source.read(part)
            if part.filename == "word/document.xml":
                begin = data.index(b"<w:document")
                data = data[:begin] + bomb + data[begin:].replace(b"Hello", b"Hello &b;")
            changed.writestr(part, data)
    answer = document_child.read(WORD, out.getvalue())
    assert "hahaha" not in str(answer)


def test_cells_of_a_notebook() -> None:
    data = notebook(
        {"cell_type": "markdown", "source": ["# Analysis\n", "\n", "We load data."]},
        {
            "cell_type": "code",
            "source": "load('x')",
            "outputs": [
                {"output_type": "stream", "text": ["12 rows\n"]},
                {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure>"}},
            ],
        },
        {"cell_type": "code", "source": [], "outputs": []},
        {"cell_type": "raw", "source": "raw\0text \ud800"},
    )
    answer = document_child.read(NOTEBOOK, data)
    assert [(text, list(headings), cell) for text, headings, _page, cell in answer["passages"]] == [
        ("We load data.", ["Analysis"], 1),
        ("```python\nload('x')\n```\n\n```text\n12 rows\n<Figure>\n```", ["Analysis"], 2),
        ("raw text ?", ["Analysis"], 4),
    ]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"nbformat": 3, "worksheets": []}', b"[" * 100_000])
def test_what_is_no_notebook(data: bytes) -> None:
    assert "no notebook" in refusal(NOTEBOOK, data)


@pytest.mark.parametrize("kind", [MARKDOWN, TEXT, HTML])
def test_a_document_without_text(kind: str) -> None:
    assert refusal(kind, b" \n ") == "it holds no text"


def test_binary_data_is_no_text() -> None:
    assert "binary" in refusal(TEXT, b"\x7fELF\0\0\0")


def test_deep_nesting() -> None:
    deep = "<div>" * 50_000 + "deep" + "</div>" * 50_000
    assert document_child.read(HTML, deep.encode()).keys() <= {"passages", "error"}
    assert read(MARKDOWN, ">" * 20_000 + " deep")
    assert read(MARKDOWN, "- " * 20_000 + " deep")


def test_secrets_are_masked_before_blocks_are_cut() -> None:
    key = (
        "-----BEGIN RSA PRIVATE KEY-----\n"
        + f"MIIEpAIBAAKCAQEA7Hq{'xY3' * 15}\n" * 45
        + "-----END RSA PRIVATE KEY-----"
    )
    found = read(MARKDOWN, f"# Keys\n\n```\n{key}\n```\n")
    assert "MIIEpA" not in str(found)


def test_a_document_that_holds_too_much() -> None:
    assert "more than 1,000 characters" in document_child.read(TEXT, b"word " * 300, max_text=1_000)["error"]


WHOLE = {
    MARKDOWN: b"# a\n\n```x\nb\n```\n\n- c\n",
    TEXT: b"a\n\nb",
    HTML: b"<h1>a</h1><table><tr><td><pre>x</pre></table>",
    PDF: pdf("a", "b"),
    WORD: docx((1, "a"), "b"),
    NOTEBOOK: notebook({"cell_type": "code", "source": "a"}),
}


@pytest.mark.parametrize("kind", [*READERS])
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_nothing_crashes_a_reader(kind: str, data: st.DataObject) -> None:
    whole = WHOLE[kind]
    begin = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, 40))
    broken = whole[:begin] + data.draw(st.binary(max_size=40)) + whole[begin + length :]
    answer = document_child.read(kind, broken)
    assert set(answer) == {"error"} or all(text.strip() for text, *_place in answer["passages"])


def test_formats_are_known_by_name_or_media_type() -> None:
    assert known("a/B.PDF") == PDF
    assert known("Makefile") is None
    assert media_type("x.bin", "text/html; charset=utf-8") == HTML
    assert media_type("notes.md", "text/plain") == TEXT  # what is said wins over the name
    assert set(READERS) == set(document_formats._ENDINGS.values())
    for name, said in [("x.bin", None), ("x.md", "image/png")]:
        with pytest.raises(BadRequest) as caught:
            media_type(name, said)
        assert caught.value.parameter == "media_type"
