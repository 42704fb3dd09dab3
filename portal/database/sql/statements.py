"""Names for what statements are made of."""

from typing import Any

import sqlalchemy as sa

Values = dict[str, object]
"""The values that a statement has bound, by parameter."""

Columns = sa.Select[*tuple[Any, ...]]
"""A select of columns chosen by name, whose types Python therefore does not know."""

Row = sa.Row[*tuple[Any, ...]]
"""A row of one."""
