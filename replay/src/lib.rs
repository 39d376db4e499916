//! Eddy: replay.
