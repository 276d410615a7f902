//! The protocol of the cluster form, checked state by state.
