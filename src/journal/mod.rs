//! Events on disk.
