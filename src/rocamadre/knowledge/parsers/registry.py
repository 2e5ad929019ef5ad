"""Which parsers there are, by format."""

from __future__ import annotations

from rocamadre.core.registry import Registry
from rocamadre.knowledge.parsers.file import Parser

_PARTS = {
    "text": "rocamadre.knowledge.parsers.plain:parse_text",
    "markdown": "rocamadre.knowledge.parsers.markdown:parse_markdown",
    "html": "rocamadre.knowledge.parsers.html:parse_html",
    "csv": "rocamadre.knowledge.parsers.tabular:parse_csv",
    "tsv": "rocamadre.knowledge.parsers.tabular:parse_csv",
    "json": "rocamadre.knowledge.parsers.json_lines:parse_json",
    "jsonl": "rocamadre.knowledge.parsers.json_lines:parse_json",
    "pdf": "rocamadre.knowledge.parsers.pdf:parse_pdf",
    "docx": "rocamadre.knowledge.parsers.office:parse_docx",
    "xlsx": "rocamadre.knowledge.parsers.office:parse_xlsx",
    "pptx": "rocamadre.knowledge.parsers.pptx:parse_pptx",
    "eml": "rocamadre.knowledge.parsers.eml:parse_eml",
    "image": "rocamadre.knowledge.parsers.images:parse_image",
}
BUILT_IN = tuple(_PARTS)
PARSERS: Registry[Parser] = Registry("parser", _PARTS)
