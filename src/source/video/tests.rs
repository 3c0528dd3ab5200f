//! The supervisor with sources and a clock of its own.
