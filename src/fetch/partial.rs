//! A transfer under way: the bytes so far, and a note that says what they belong to.
//!
//! Both lie beside the final file, so that the closing rename stays within one file system. The note holds no URL (a URL may
//! carry credentials) but a hash of what identifies the transfer; bytes with another key are not continued.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::verify::Sha256;

/// What the bytes so far belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// Hash of the source and of what it is expected to deliver.
    pub key: Sha256,
    /// The server's strong validator (ETag) of the bytes, for `If-Range`.
    pub validator: Option<String>,
    /// Whole slices that the bytes consist of, for sources that deliver in slices.
    pub slices: usize,
    /// Bytes of those slices; what lies beyond them is dropped on resuming.
    pub bytes: u64,
}

/// The two files of a transfer under way.
#[derive(Debug, Clone)]
pub struct Partial {
    path: PathBuf,
    note: PathBuf,
    key: Sha256,
}

impl Partial {
    /// The transfer of `file` into `folder` that `identity` describes: the source and what it is expected to deliver.
    pub fn new(folder: &Path, file: &str, identity: &str) -> Self {
        let key = Sha256::of(identity.as_bytes());
        let short = key.to_string();
        let path = folder.join(format!("{}{}.part", prefix(file), &short[..8]));
        Self {
            note: path.with_extension("part.json"),
            path,
            key,
        }
    }

    /// The bytes so far.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Length of the bytes so far; 0 where there are none.
    pub fn len(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |m| m.len())
    }

    /// Whether no byte has come yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The note of an earlier try of the same transfer. Where there is none (or one that cannot be read), what lies there is
    /// removed and a fresh note returned.
    pub fn resume(&self) -> io::Result<Note> {
        let known = fs::read(&self.note)
            .ok()
            .and_then(|text| serde_json::from_slice::<Note>(&text).ok());
        if let Some(note) = known.filter(|note| note.key == self.key && self.path.is_file()) {
            return Ok(note);
        }
        self.clear()?;
        Ok(Note {
            key: self.key,
            validator: None,
            slices: 0,
            bytes: 0,
        })
    }

    /// Writes the note, whole or not at all.
    pub fn save(&self, note: &Note) -> io::Result<()> {
        let fresh = self.note.with_extension("json.new");
        fs::write(&fresh, serde_json::to_vec(note)?)?;
        fs::rename(fresh, &self.note)
    }

    /// Opens the bytes for appending, cut to `keep` bytes.
    pub fn open(&self, keep: u64) -> io::Result<File> {
        let file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        file.set_len(keep)?;
        Ok(file)
    }

    /// Removes bytes and note.
    pub fn clear(&self) -> io::Result<()> {
        for path in [&self.path, &self.note] {
            match fs::remove_file(path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }
}

/// How the names of everything temporary that belongs to `file` start.
pub(super) fn prefix(file: &str) -> String {
    format!(".{file}.")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn only_the_same_transfer_is_continued() {
        let folder = tempfile::tempdir().unwrap();
        let mine = Partial::new(folder.path(), "a.gguf", "source one");
        let mut note = mine.resume().unwrap();
        fs::write(mine.path(), b"half").unwrap();
        note.validator = Some("\"v1\"".to_owned());
        mine.save(&note).unwrap();
        assert_eq!(
            Partial::new(folder.path(), "a.gguf", "source one").resume().unwrap(),
            note
        );

        // A note of something else beside the bytes: they go.
        let strange = Note {
            key: Sha256::of(b"other"),
            ..note
        };
        mine.save(&strange).unwrap();
        assert_eq!(mine.resume().unwrap().validator, None);
        assert!(mine.is_empty());
    }

    #[test]
    fn bytes_without_a_note_are_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let partial = Partial::new(folder.path(), "a.gguf", "source");
        fs::write(partial.path(), b"whose?").unwrap();
        partial.resume().unwrap();
        assert!(partial.is_empty());
    }
}
