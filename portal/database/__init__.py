"""The database: engine, transactions, column types, SQLite, PostgreSQL, models and migrations."""
