//! One member of a zip archive (Python wheels are zip archives too) appended to a file.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Which member is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member<'a> {
    /// The one at this path.
    At(&'a str),
    /// The one at this path or, if there is none, the only member with the same extension: repacked archives change folders.
    AtOrOnly(&'a str),
}

impl Member<'_> {
    fn path(&self) -> &str {
        match self {
            Member::At(path) | Member::AtOrOnly(path) => path,
        }
    }
}

/// A member that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum UnzipError {
    /// The archive cannot be read.
    #[error("`{archive}` is not a readable zip archive: {why}")]
    Archive {
        /// The archive's file name.
        archive: String,
        /// What the reader says.
        why: String,
    },
    /// The archive has no such member.
    #[error("`{archive}` has no member `{member}`; it holds {holds}")]
    Missing {
        /// The archive's file name.
        archive: String,
        /// What was looked for.
        member: String,
        /// What there is instead: the first few names.
        holds: String,
    },
    /// The member is longer than the file is meant to be.
    #[error("member `{member}` of `{archive}` is longer than the {limit} bytes that are expected")]
    TooLong {
        /// The archive's file name.
        archive: String,
        /// The member.
        member: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The bytes cannot be kept.
    #[error("cannot write the unpacked `{member}` to `{path}`: {source}")]
    Write {
        /// The member.
        member: String,
        /// The file written to.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Appends a member of `archive` to `out` (which is at `path`), writing at most `limit` bytes; returns how many came.
pub fn append_member(
    archive: &Path,
    member: Member<'_>,
    out: &mut File,
    path: &Path,
    limit: Option<u64>,
) -> Result<u64, UnzipError> {
    let label = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let broken = |why: &dyn std::fmt::Display| UnzipError::Archive {
        archive: label.clone(),
        why: why.to_string(),
    };
    let file = File::open(archive).map_err(|e| broken(&e))?;
    let mut zip = zip::ZipArchive::new(io::BufReader::new(file)).map_err(|e| broken(&e))?;
    let names: Vec<String> = zip
        .file_names()
        .filter_map(|name| name.ok().map(std::borrow::Cow::into_owned))
        .collect();
    let name = find(&names, member).ok_or_else(|| UnzipError::Missing {
        archive: label.clone(),
        member: member.path().to_owned(),
        holds: listing(&names),
    })?;
    let mut bytes = zip.by_name(name).map_err(|e| broken(&e))?;
    let mut block = vec![0; 1 << 20];
    let mut written = 0;
    loop {
        let n = bytes.read(&mut block).map_err(|e| broken(&e))?;
        if n == 0 {
            return Ok(written);
        }
        written += n as u64;
        if let Some(limit) = limit.filter(|limit| written > *limit) {
            return Err(UnzipError::TooLong {
                archive: label.clone(),
                member: name.to_owned(),
                limit,
            });
        }
        io::Write::write_all(out, &block[..n]).map_err(|source| UnzipError::Write {
            member: name.to_owned(),
            path: path.to_owned(),
            source,
        })?;
    }
}

fn find<'n>(names: &'n [String], member: Member<'_>) -> Option<&'n str> {
    if let Some(name) = names.iter().find(|name| *name == member.path()) {
        return Some(name);
    }
    let Member::AtOrOnly(path) = member else {
        return None;
    };
    let extension = Path::new(path).extension()?;
    let mut alike = names.iter().filter(|name| {
        // `__MACOSX/._x.json` is not the file but its Finder attributes.
        !name.starts_with("__MACOSX/") && Path::new(name.as_str()).extension() == Some(extension)
    });
    match (alike.next(), alike.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

fn listing(names: &[String]) -> String {
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        let first: Vec<String> = names.iter().take(4).map(|name| format!("`{name}`")).collect();
        let rest = names.len() - first.len();
        if rest == 0 {
            first.join(", ")
        } else {
            format!("{} and {rest} more", first.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_member_of_the_kind_stands_in_for_a_moved_one() {
        let names = ["__MACOSX/._a.json", "folder/a.json", "readme.txt"].map(str::to_owned);
        assert_eq!(find(&names, Member::AtOrOnly("b.json")), Some("folder/a.json"));
        assert_eq!(find(&names, Member::At("b.json")), None);
        let two = ["x/a.json", "y/a.json"].map(str::to_owned);
        assert_eq!(find(&two, Member::AtOrOnly("a.json")), None);
    }
}
