"""Flask plumbing below authentication: headers, envelope, JSON, logs, proxies, htmx, formats."""
