"""Entry point for `flask` and for WSGI servers (`app:app`)."""

from portal import create_app

app = create_app()
