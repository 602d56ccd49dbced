"""The use cases, and the ports they need. Knows the domain, and neither gRPC nor a database."""
