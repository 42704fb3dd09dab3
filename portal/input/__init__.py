"""Reading what comes in: parameters, bodies, addresses, and how large values may be."""
