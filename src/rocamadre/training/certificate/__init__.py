"""Proof that a tuned model answers, once served, as it did in training. Nothing here but `certify` needs torch."""

from rocamadre.training.certificate.text import as_text
from rocamadre.training.certificate.types import Certificate, Divergence, FormReport, from_json, to_json

__all__ = ["Certificate", "Divergence", "FormReport", "as_text", "from_json", "to_json"]
