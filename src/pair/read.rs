//! Reading a [`Source`]: pair by pair with a [`Reader`], or all of it into a [`Dataset`].

use std::io;
use std::path::{Path, PathBuf};

use super::input::{Content, Input, read_out};
use super::intake::{Entry, JsonLines};
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
    all(&Origin::of(source)?, bad)
}

pub(super) fn all(origin: &Origin, bad: BadLines) -> Result<Dataset, ReadError> {
    let mut reader = origin.read(bad)?;
    let pairs = reader.by_ref().collect::<Result<_, _>>()?;
    let end = reader.end()?;
    Ok(Dataset {
        pairs,
        skipped: end.skipped,
        format: origin.format,
        name: name_of(&origin.path),
        blake3: end.blake3,
    })
}

/// A source whose format is known, to be read as often as one likes.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    /// For messages, and the source's name.
    pub path: PathBuf,
    pub format: Format,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// Bytes in which one entry follows the other.
    Stream(Content),
    /// FairEval's directory. Its files are joined, so they are held while they are read; as published they are 80 questions.
    Directory,
}

impl Origin {
    pub fn of(source: &Source) -> Result<Self, ReadError> {
        let path = source.path.clone();
        if path.is_dir() && matches!(source.format, None | Some(Format::FairEval)) {
            if source.format.is_none() {
                Format::detect(&path)?;
            }
            return Ok(Self {
                path,
                format: Format::FairEval,
                kind: Kind::Directory,
            });
        }
        let content = Content::at(&path)?;
        Self::with_content(&path, content, source.format)
    }

    /// `path` is for messages, the name and the extension.
    pub fn with_content(path: &Path, content: Content, format: Option<Format>) -> Result<Self, ReadError> {
        let format = format.map_or_else(|| Format::of_content(path, &content), Ok)?;
        if format == Format::FairEval {
            return Err(ReadError::Layout {
                path: path.to_owned(),
                problem: "it is a file; give the directory that holds `question.jsonl`".to_owned(),
            });
        }
        Ok(Self {
            path: path.to_owned(),
            format,
            kind: Kind::Stream(content),
        })
    }

    /// The name that tables use.
    pub fn name(&self) -> String {
        name_of(&self.path)
    }

    /// BLAKE3 of the bytes, as a reading would give it.
    pub fn hash(&self) -> Result<String, ReadError> {
        let hash = match &self.kind {
            Kind::Stream(content) => content.hash().map_err(|source| ReadError::open(&self.path, source))?,
            Kind::Directory => faireval::hash(&faireval::Files::in_dir(&self.path)?)?,
        };
        Ok(hash.to_hex().to_string())
    }

    pub fn read(&self, bad: BadLines) -> Result<Reader, ReadError> {
        let path = self.path.as_path();
        let unreadable = |source| ReadError::open(path, source);
        let entries = match &self.kind {
            Kind::Directory => {
                let Dataset {
                    pairs, skipped, blake3, ..
                } = faireval::read(&faireval::Files::in_dir(path)?, bad)?;
                return Ok(Reader::new(
                    self,
                    bad,
                    skipped,
                    Entries::Held(pairs.into_iter(), blake3),
                ));
            }
            Kind::Stream(content) => {
                let input = content.open().map_err(unreadable)?;
                match self.format {
                    Format::Llmeval2 => JsonLines::new(input, llmeval2::pair).map(Entries::Lines),
                    Format::JudgeBench => JsonLines::new(input, judgebench::pair).map(Entries::Lines),
                    // FairEval is no stream.
                    Format::Jsonl | Format::FairEval => JsonLines::new(input, jsonl::pair).map(Entries::Lines),
                    Format::LlmBar => llmbar::Items::new(input).map(Entries::Items),
                    Format::Csv => {
                        return Ok(Reader::new(
                            self,
                            bad,
                            Vec::new(),
                            Entries::Table(csv::Table::new(input, path)?),
                        ));
                    }
                }
                .map_err(unreadable)?
            }
        };
        Ok(Reader::new(self, bad, Vec::new(), entries))
    }
}

/// The pairs of a source one by one, in source order: memory does not grow with their number. After an error nothing comes any more.
pub struct Reader {
    path: PathBuf,
    format: Format,
    bad: BadLines,
    entries: Entries,
    skipped: Vec<BadLine>,
    pairs: usize,
    failed: bool,
}

/// What there is to say of a source when all of it was read.
pub(super) struct SourceEnd {
    pub skipped: Vec<BadLine>,
    pub blake3: String,
}

enum Entries {
    Lines(JsonLines),
    Items(llmbar::Items),
    Table(csv::Table),
    Held(std::vec::IntoIter<Pair>, String),
}

impl Reader {
    /// Opens a source.
    ///
    /// # Errors
    /// As [`read`], without those that only the end of the source shows.
    pub fn open(source: &Source, bad: BadLines) -> Result<Self, ReadError> {
        Origin::of(source)?.read(bad)
    }

    fn new(origin: &Origin, bad: BadLines, skipped: Vec<BadLine>, entries: Entries) -> Self {
        Self {
            path: origin.path.clone(),
            format: origin.format,
            bad,
            entries,
            skipped,
            pairs: 0,
            failed: false,
        }
    }

    /// Malformed lines that were left out so far.
    pub fn skipped(&self) -> &[BadLine] {
        &self.skipped
    }

    fn step(&mut self) -> Result<Option<Pair>, ReadError> {
        loop {
            let path = self.path.as_path();
            let unreadable = |source| ReadError::open(path, source);
            let entry = match &mut self.entries {
                Entries::Lines(lines) => lines.next().map_err(unreadable)?,
                Entries::Table(table) => table.next().map_err(unreadable)?,
                Entries::Items(items) => items.next(path)?,
                Entries::Held(pairs, _) => return Ok(pairs.next()),
            };
            let Some(Entry { line, outcome }) = entry else {
                return Ok(None);
            };
            match (outcome, self.bad) {
                (Ok(pair), _) => return Ok(Some(pair)),
                (Err(fault), BadLines::Stop) => return Err(ReadError::at(path, line, fault)),
                (Err(fault), BadLines::Skip) => {
                    let path = path.to_owned();
                    self.skipped.push(BadLine { path, line, fault });
                }
            }
        }
    }

    /// Closes a reader that gives no more pairs.
    pub(super) fn end(mut self) -> Result<SourceEnd, ReadError> {
        let hash = |input: &mut Input| -> io::Result<String> {
            read_out(input)?;
            Ok(input.get_ref().hash().to_hex().to_string())
        };
        let blake3 = match &mut self.entries {
            Entries::Lines(lines) => hash(&mut lines.input),
            Entries::Items(items) => hash(&mut items.walk.input),
            Entries::Table(table) => hash(&mut table.records.input),
            Entries::Held(_, blake3) => Ok(std::mem::take(blake3)),
        };
        let blake3 = blake3.map_err(|source| ReadError::open(&self.path, source))?;
        match (self.pairs, self.skipped.first()) {
            (0, None) => Err(ReadError::Empty { path: self.path }),
            (0, Some(first)) => Err(ReadError::NothingReadable {
                first: Box::new(first.clone()),
                path: self.path,
                format: self.format,
                count: self.skipped.len(),
            }),
            _ => Ok(SourceEnd {
                skipped: self.skipped,
                blake3,
            }),
        }
    }
}

impl Iterator for Reader {
    type Item = Result<Pair, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.step();
        self.pairs += usize::from(matches!(step, Ok(Some(_))));
        self.failed = step.is_err();
        step.transpose()
    }
}

/// The last component without its extension; `.` and `..` are looked up first, for a name that means something.
pub(super) fn name_of(path: &Path) -> String {
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
