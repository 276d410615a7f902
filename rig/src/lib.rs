//! Real servers for tests: Redis, Sentinel, Cassandra, and a network that can be cut.
