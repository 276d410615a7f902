//! The truth: journal lanes and look-up tables in ScyllaDB or Cassandra.
