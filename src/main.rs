//! Eddy.

fn main() {}
