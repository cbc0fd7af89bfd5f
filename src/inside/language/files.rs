//! Files that appear under their name only when they are complete; JSON for results that have no format of their own.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

/// A file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("failed to write `{path}`: {source}; check that the folder exists, is writable and has room")]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: std::io::Error,
}

/// Writes `content` under a temporary name in the same folder and renames it when it is whole.
pub(in crate::inside) fn whole<E: Into<std::io::Error>>(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<&mut File>) -> Result<(), E>,
) -> Result<(), WriteError> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let write = || -> std::io::Result<()> {
        let mut temporary = builder().tempfile_in(folder)?;
        let mut buffer = BufWriter::new(temporary.as_file_mut());
        content(&mut buffer).map_err(Into::into)?;
        buffer.flush()?;
        drop(buffer);
        temporary.as_file().sync_all()?;
        temporary.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|source| WriteError {
        path: path.to_owned(),
        source,
    })
}

/// Writes a result, such as [`Classes`](super::Classes), [`Comparison`](super::Comparison) or [`Matrix`](super::Matrix), as JSON with indentation.
pub fn json(path: &Path, value: &impl serde::Serialize) -> Result<(), WriteError> {
    whole(path, |file| -> std::io::Result<()> {
        serde_json::to_writer_pretty(&mut *file, value)?;
        file.write_all(b"\n")
    })
}

/// Writes values as JSON, one per line.
pub fn json_lines(path: &Path, values: &[impl serde::Serialize]) -> Result<(), WriteError> {
    whole(path, |file| -> std::io::Result<()> {
        for value in values {
            serde_json::to_writer(&mut *file, value)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    })
}

fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".writing-");
    // Temporary files are private by default; a result is an ordinary file, readable as the user's umask says.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}
