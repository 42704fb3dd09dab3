"""The page that asks before something cannot be undone."""

from dataclasses import dataclass

from portal.web.rendering import render


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """What `confirm.html` shows."""

    question: str
    consequence: str
    button: str
    back: str
    """The address that the other choice leads to."""
    otherwise: str


def confirm(question: str, consequence: str, button: str, back: str, otherwise: str = "Cancel") -> str:
    page = Confirmation(
        question=question, consequence=consequence, button=button, back=back, otherwise=otherwise
    )
    return render("confirm.html", page)
