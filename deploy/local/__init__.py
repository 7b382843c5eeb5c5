"""The embedded stack: PostgreSQL, Kafka and the four services on a machine that has only Python."""
