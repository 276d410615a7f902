//! Bill bases and clearing files.
