//! Eddy: engine.
