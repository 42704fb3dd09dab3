"""OpenID Connect: the provider, its keys and tokens, and who is who there."""
