//! One file of footage: a Matroska file that is valid at every instant.
