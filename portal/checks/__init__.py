"""What `flask check` and `flask doctor` examine: the database, stored files, the installation."""
