//! Files that appear whole or not at all.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::error::ModelError;

/// Writes beside `path`, then renames: whoever reads `path` sees the old file or the new one.
///
/// # Errors
/// [`ModelError::Io`] when it cannot be written; nothing is left beside `path` then.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(name);
    let written = fs::File::create(&beside)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.map_err(|source| ModelError::Io {
        path: path.into(),
        source,
    })
}
