"""OpenID Connect: sign-in, tokens, keys and linked identities."""
