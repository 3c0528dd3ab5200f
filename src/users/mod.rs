//! Users: the flat file and password checks.
