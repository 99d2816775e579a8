//! What `star --version` says: a bug report should name the commit and the backends.

/// `0.1.0 (0123456789ab; backends: flex, ndarray)`
pub fn version() -> String {
    let backends = [
        ("flex", cfg!(feature = "flex")),
        ("ndarray", cfg!(feature = "ndarray")),
        ("wgpu", cfg!(feature = "wgpu")),
        ("cuda", cfg!(feature = "cuda")),
    ];
    let built_in: Vec<&str> = (backends.iter())
        .filter(|(_, there)| *there)
        .map(|(name, _)| *name)
        .collect();
    let commit = option_env!("STAR_COMMIT").map_or(String::new(), |commit| format!("{commit}; "));
    format!(
        "{} ({commit}backends: {})",
        env!("CARGO_PKG_VERSION"),
        built_in.join(", ")
    )
}
