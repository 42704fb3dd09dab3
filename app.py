"""Entry point for `flask` and for WSGI servers (`app:app`)."""

import sys

from portal import create_app
from portal.input.setting_values import BadSetting

try:
    app = create_app()
except BadSetting as refusal:
    sys.exit(f"Run Portal does not start. {refusal}")
