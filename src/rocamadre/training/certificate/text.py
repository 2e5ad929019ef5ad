"""A certificate in words, for cards, the command and logs."""

from __future__ import annotations

from rocamadre.training.certificate.types import Certificate, FormReport


def as_text(certificate: Certificate) -> str:
    """A few lines: the verdict, then each form.

    The figures are explained in docs/customization.md, "The same model, trained and served".
    """
    verdict = "holds" if certificate.passed else f"FAILS ({certificate.cause})"
    head = f"Certificate of {certificate.name} ({certificate.method}): {verdict}"
    reference = f"compared with {certificate.reference}; F16 noise of this model {certificate.noise_nats:.2g} nats"
    return "\n".join([head, f"  {reference}", *(line for form in certificate.forms for line in _lines(form))])


def _lines(form: FormReport) -> list[str]:
    """One form: what is equal, and the figure that decides."""
    mark = "✓" if form.passed else "✗"
    same = f"tokens read equal {form.same_ids}/{form.prompts}, written equal {form.same_answers}/{form.prompts}"
    if form.exact:
        decides = f"deviation {form.deviation_nats:.2g} of at most {form.deviation_limit_nats:.2g} nats"
    else:
        decides = f"KL {form.kl_nats:.2g} of at most {form.kl_limit_nats:.2g} nats a token"
    stop = "stops" if form.stops else "DOES NOT STOP at its end mark"
    lines = [f"  {mark} {form.name}: {same}; {decides}; {stop}"]
    if form.exact and form.divergences:
        gap, noise = f"{form.widest_gap_nats:.2g}", f"{form.gap_limit_nats:.2g}"
        lines.append(f"      widest gap where a token is another {gap} nats (noise reaches {noise})")
    if form.detail:
        lines.append(f"      {form.cause}: {form.detail}")
    return lines
