//! A file that is not what it should be.

/// What is wrong with it.
#[derive(Debug)]
pub struct Malformed(pub String);
