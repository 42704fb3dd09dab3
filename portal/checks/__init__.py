"""The checks of `flask check` and `flask doctor`: database, stored files, installation."""
