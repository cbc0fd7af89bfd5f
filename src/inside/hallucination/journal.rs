//! A file of lines to which a stage appends what it has finished, so that it is never done again.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Lines of JSON, each an entry that is finished.
#[derive(Debug)]
pub struct Journal<T> {
    path: PathBuf,
    file: File,
    entries: Vec<T>,
}

/// Failures to use a journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be used.
    #[error("failed to use `{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line in the middle is damaged.
    #[error("{}:{line}: {source}; delete this line, and what it stands for is done again", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
}

impl<T: Serialize + DeserializeOwned> Journal<T> {
    /// Reads what is there, or begins. A last line without its end was being written when its writer was killed: it is cut off.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let io = |source| JournalError::Io {
            path: path.to_owned(),
            source,
        };
        let file = OpenOptions::new().create(true).append(true).read(true).open(path);
        let file = file.map_err(io)?;
        let bytes = std::fs::read(path).map_err(io)?;
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        file.set_len(whole as u64).map_err(io)?;
        let mut entries = Vec::new();
        for (at, line) in bytes[..whole].split_inclusive(|&byte| byte == b'\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            entries.push(serde_json::from_slice(line).map_err(|source| JournalError::Line {
                path: path.to_owned(),
                line: at + 1,
                source,
            })?);
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            entries,
        })
    }

    /// Everything that is finished.
    pub fn entries(&self) -> &[T] {
        &self.entries
    }

    /// Appends entries, in one write: they are on disk when this returns.
    pub fn append(&mut self, entries: Vec<T>) -> Result<(), JournalError> {
        let mut lines = Vec::new();
        let io = |source| JournalError::Io {
            path: self.path.clone(),
            source,
        };
        for entry in &entries {
            serde_json::to_writer(&mut lines, entry).map_err(|error| io(error.into()))?;
            lines.push(b'\n');
        }
        self.file
            .write_all(&lines)
            .and_then(|()| self.file.sync_data())
            .map_err(io)?;
        self.entries.extend(entries);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_line_that_was_being_written_is_done_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let mut journal = Journal::<u32>::open(&path).unwrap();
        journal.append(vec![1, 2]).unwrap();
        drop(journal);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"33").unwrap();
        let mut journal = Journal::<u32>::open(&path).unwrap();
        assert_eq!(journal.entries(), [1, 2]);
        journal.append(vec![3]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n2\n3\n");
    }

    #[test]
    fn a_damaged_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        std::fs::write(&path, "1\n\nx\n2\n").unwrap();
        let error = Journal::<u32>::open(&path).unwrap_err().to_string();
        assert!(error.contains("journal.jsonl:3:"), "{error}");
    }
}
