"""How the process fares: probes for load balancers, metrics for Prometheus."""
