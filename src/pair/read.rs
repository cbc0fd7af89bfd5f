//! Reading a [`Source`] into a [`Dataset`].

use std::path::{Path, PathBuf};

use super::intake::{Intake, holds_nothing};
use super::{BadLine, Format, Pair, ReadError, csv, faireval, jsonl, judgebench, llmbar, llmeval2};

/// Where pairs come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// A file, or FairEval's directory.
    pub path: PathBuf,
    /// The format; `None` to tell it from the content.
    pub format: Option<Format>,
}

/// What to do with a line that cannot become a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BadLines {
    /// Stop at the first one, with an error.
    #[default]
    Stop,
    /// Leave it out and keep it in [`Dataset::skipped`]; the pairs around it keep their indices.
    Skip,
}

/// The pairs of one source, as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// In source order, each with its own position as index.
    pub pairs: Vec<Pair>,
    /// Malformed lines that were left out; empty under [`BadLines::Stop`].
    pub skipped: Vec<BadLine>,
    /// What the source was read as.
    pub format: Format,
    /// The file's name without extension, or the directory's name.
    pub name: String,
    /// BLAKE3 of the bytes read, in hexadecimal. For FairEval's four files see [`faireval::Files`].
    pub blake3: String,
}

/// Reads all pairs of a source.
///
/// # Errors
/// [`ReadError`] when the source cannot be opened, is empty, is of no known format, has a malformed line under
/// [`BadLines::Stop`], or has nothing but malformed lines.
pub fn read(source: &Source, bad: BadLines) -> Result<Dataset, ReadError> {
    let path = &source.path;
    if path.is_dir() && matches!(source.format, None | Some(Format::FairEval)) {
        if source.format.is_none() {
            Format::detect(path)?;
        }
        let mut dataset = faireval::read(&faireval::Files::in_dir(path)?, bad)?;
        dataset.name = name_of(path);
        return Ok(dataset);
    }
    let bytes = std::fs::read(path).map_err(|source| ReadError::Open {
        path: path.clone(),
        source,
    })?;
    read_bytes(path, &bytes, source.format, bad)
}

/// Reads a file whose content is at hand; `path` is for messages, the name and the extension.
pub(super) fn read_bytes(
    path: &Path,
    bytes: &[u8],
    format: Option<Format>,
    bad: BadLines,
) -> Result<Dataset, ReadError> {
    let format = format.map_or_else(|| Format::of_content(path, bytes), Ok)?;
    if holds_nothing(bytes) {
        return Err(ReadError::Empty { path: path.to_owned() });
    }
    let mut intake = Intake::new(path, bad);
    match format {
        Format::Llmeval2 => intake.json_lines(bytes, llmeval2::pair)?,
        Format::JudgeBench => intake.json_lines(bytes, judgebench::pair)?,
        Format::Jsonl => intake.json_lines(bytes, jsonl::pair)?,
        Format::LlmBar => llmbar::read(bytes, &mut intake)?,
        Format::Csv => csv::read(bytes, &mut intake)?,
        Format::FairEval => {
            return Err(ReadError::Layout {
                path: path.to_owned(),
                problem: "it is a file; give the directory that holds `question.jsonl`".to_owned(),
            });
        }
    }
    if intake.pairs.is_empty() && intake.skipped.is_empty() {
        return Err(ReadError::Empty { path: path.to_owned() });
    }
    dataset(path, format, intake, blake3::hash(bytes))
}

/// Closes an intake that has seen at least one line.
pub(super) fn dataset(path: &Path, format: Format, intake: Intake, hash: blake3::Hash) -> Result<Dataset, ReadError> {
    let Intake { pairs, skipped, .. } = intake;
    if let (true, Some(first)) = (pairs.is_empty(), skipped.first()) {
        return Err(ReadError::NothingReadable {
            path: path.to_owned(),
            format,
            count: skipped.len(),
            first: Box::new(first.clone()),
        });
    }
    Ok(Dataset {
        pairs,
        skipped,
        format,
        name: name_of(path),
        blake3: hash.to_hex().to_string(),
    })
}

/// The last component without its extension; `.` and `..` are looked up first, for a name that means something.
fn name_of(path: &Path) -> String {
    let real = if path.file_name().is_some() {
        None
    } else {
        path.canonicalize().ok()
    };
    let path = real.as_deref().unwrap_or(path);
    let name = if path.is_dir() {
        path.file_name()
    } else {
        path.file_stem()
    };
    name.map_or_else(|| "pairs".to_owned(), |name| name.to_string_lossy().into_owned())
}
