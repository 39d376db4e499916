//! Eddy: query.
