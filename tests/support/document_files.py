"""Small files of the formats that documents come in, made as the programs make them."""

import io
import json
from collections.abc import Sequence
from typing import Any

from docx import Document
from pypdf import PdfReader, PdfWriter


def pdf(*pages: str) -> bytes:
    """Some lines of text on each page, written by hand: objects, then the table of where they begin."""
    count = len(pages)
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(count))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {count} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, text in enumerate(pages):
        lines = " 0 -24 Td ".join(f"({line}) Tj" for line in text.split("\n"))
        drawn = f"BT /F1 12 Tf 72 720 Td {lines} ET" if text else ""
        page = (
            f"/Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * number}"
        )
        objects += [
            f"<< /Type /Page {page} 0 R >>",
            f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream",
        ]
    out = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    tail = (
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\n"
    )
    return out + f"{tail}startxref\n{len(out)}\n%%EOF\n".encode()


def bookmarked_pdf(*bookmarks: tuple[str, int, list[tuple[str, int]]], pages: Sequence[str]) -> bytes:
    """Bookmarks as (title, page from 0, those below)."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(*pages))))
    for title, page, below in bookmarks:
        parent = writer.add_outline_item(title=title, page_number=page)
        for title_below, page_below in below:
            writer.add_outline_item(title=title_below, page_number=page_below, parent=parent)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def encrypted_pdf(password: str, *pages: str) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(*pages))))
    writer.encrypt(password, "owner", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def docx(*parts: tuple[int, str] | str | Sequence[Sequence[str]]) -> bytes:
    """Headings (level, text), paragraphs, and tables as rows of cells."""
    document = Document()
    for part in parts:
        if isinstance(part, str):
            document.add_paragraph(part)
        elif isinstance(part[0], int):
            document.add_heading(part[1], part[0])  # type: ignore[arg-type]
        else:
            table = document.add_table(len(part), len(part[0]))  # type: ignore[arg-type]
            for row, texts in zip(table.rows, part, strict=True):
                for cell, text in zip(row.cells, texts, strict=True):  # type: ignore[arg-type]
                    cell.text = text
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def notebook(*cells: dict[str, Any], **more: Any) -> bytes:
    metadata = {"language_info": {"name": "python"}}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells, **more}).encode()
