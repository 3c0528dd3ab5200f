//! Footage: what is recorded, kept, found and played.
