//! Eddy: connector.
