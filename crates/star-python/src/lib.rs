//! `star_landmarks._native`: what the Python package `star_landmarks` computes with.
//!
//! Python's side, in `python/star_landmarks`, is the one that people call: it takes images in every form, and makes NumPy arrays and
//! objects with names of what comes back. Here images are bytes with a width and a height, numbers are the bytes of their 64-bit floats,
//! and the interpreter is let go while something computes.

#![forbid(unsafe_code)]

mod draw;
mod failure;
mod found;
mod landmarker;
mod layout;
mod pixels;
mod program;
mod tracker;

use pyo3::pymodule;

/// The module as Python imports it.
#[pymodule]
mod _native {
    #[pymodule_export]
    use super::{
        draw::draw, landmarker::Landmarker, pixels::read_image, program::run_program,
        tracker::Tracker,
    };
}
