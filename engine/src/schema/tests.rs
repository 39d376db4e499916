//! What schemas do when tables grow.
