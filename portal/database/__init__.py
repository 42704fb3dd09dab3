"""The database: engine, transactions, column types, both kinds of servers, tables and migrations."""
