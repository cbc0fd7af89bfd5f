//! What can be wrong with an input, as data: where ([`BadLine`]), what ([`Fault`]), and whether reading went on ([`ReadError`]).

use std::path::{Path, PathBuf};

use super::Format;

/// One line, record or item that cannot become a pair. Displays as `file:line: what`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {fault}", path.display())]
pub struct BadLine {
    /// The file that was being read.
    pub path: PathBuf,
    /// 1-based line on which the record or item starts.
    pub line: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with one line, record or item.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The line is not UTF-8.
    #[error("invalid UTF-8 at byte {byte} of the text; save the file as UTF-8")]
    NotUtf8 {
        /// 1-based offset in the line, CSV cell or JSON item.
        byte: usize,
    },
    /// The line, or the file from here on, is not JSON.
    #[error("not valid JSON: {what} (column {column})")]
    NotJson {
        /// The parser's words.
        what: String,
        /// 1-based column in the line, in bytes.
        column: usize,
    },
    /// Valid JSON, but not an object.
    #[error("expected a JSON object, found {found}")]
    NotObject {
        /// The kind of value that stands there.
        found: &'static str,
    },
    /// A required field or column is absent.
    #[error("missing field `{field}`; present: {}", list(present))]
    MissingField {
        /// The absent name.
        field: &'static str,
        /// The names that are there.
        present: Vec<String>,
    },
    /// A name occurs twice, so that it is unclear which value counts.
    #[error("field `{field}` occurs twice")]
    RepeatedField {
        /// The repeated name.
        field: String,
    },
    /// A format with a fixed set of fields has another one.
    #[error(
        "unexpected field `{field}`; a line of {format} has exactly {}; for files with more use `--format jsonl`",
        list(expected)
    )]
    UnexpectedField {
        /// The name that does not belong.
        field: String,
        /// The format that forbids it.
        format: Format,
        /// All names of the format.
        expected: &'static [&'static str],
    },
    /// A field holds another kind of value than the format says.
    #[error("field `{field}` is {found}, expected {expected}")]
    WrongType {
        /// The field.
        field: &'static str,
        /// The kind of value found.
        found: &'static str,
        /// The kind of value wanted.
        expected: &'static str,
    },
    /// A label outside the format's set.
    #[error("unknown label `{found}`; allowed: {}", list(allowed))]
    UnknownLabel {
        /// The label as it stands there, cut after 40 characters.
        found: String,
        /// What the format allows.
        allowed: Vec<String>,
    },
    /// A CSV record with another number of cells than the header.
    #[error("{found} cells, but the header has {expected}; quote cells that contain commas or line breaks")]
    CellCount {
        /// Cells of this record.
        found: usize,
        /// Cells of the header.
        expected: usize,
    },
    /// A quoted CSV cell that runs to the end of the file.
    #[error("a quoted cell that starts here is never closed")]
    OpenQuote,
    /// An id that stood on an earlier line too.
    #[error("`{field}` {id} stands on line {first_line} too; ids must be unique")]
    RepeatedId {
        /// The id's field.
        field: &'static str,
        /// The id.
        id: String,
        /// 1-based line of its first occurrence.
        first_line: usize,
    },
    /// A FairEval question without an answer of one of the models.
    #[error("question {id} has no answer in `{}`", answers.display())]
    NoAnswer {
        /// The question's `question_id`.
        id: String,
        /// The file that should answer it.
        answers: PathBuf,
    },
    /// A FairEval answer to a question that does not exist.
    #[error("answer to question {id}, which is not in `{}`", questions.display())]
    NoQuestion {
        /// The answer's `question_id`.
        id: String,
        /// The file that should ask it.
        questions: PathBuf,
    },
}

impl Fault {
    /// An unknown label, cut to a length that a message can carry.
    pub(super) fn unknown_label(found: &str, allowed: &[&str]) -> Self {
        let mut shown: String = found.chars().take(40).collect();
        if shown.len() < found.len() {
            shown.push('…');
        }
        Fault::UnknownLabel {
            found: shown,
            allowed: allowed.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Why an input could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file or directory cannot be opened or read.
    #[error("cannot read `{}`", path.display())]
    Open {
        /// What was being opened.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The file holds nothing, or a header or an empty array only.
    #[error("`{}` is empty: there is no pair in it", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The content is of no known format.
    #[error("cannot tell the format of `{}`: it holds {seen}; name it with `--format` ({})", path.display(), list(&Format::ALL.map(Format::name)))]
    Unrecognised {
        /// The file or directory.
        path: PathBuf,
        /// What was seen there.
        seen: String,
    },
    /// A malformed line, under [`BadLines::Stop`](super::BadLines::Stop), or damage that no reader can step over.
    #[error(transparent)]
    Malformed(Box<BadLine>),
    /// Every line was malformed, under [`BadLines::Skip`](super::BadLines::Skip).
    #[error("all {count} entries of `{}` are malformed; the first: {first}; is it really {format}?", path.display())]
    NothingReadable {
        /// The input.
        path: PathBuf,
        /// What it was read as.
        format: Format,
        /// How many were malformed.
        count: usize,
        /// The first of them.
        first: Box<BadLine>,
    },
    /// A FairEval directory without one of its files, or with more than one candidate for it.
    #[error("`{}` is not a FairEval directory: {problem}", path.display())]
    Layout {
        /// The directory.
        path: PathBuf,
        /// What is missing or ambiguous.
        problem: String,
    },
    /// The source changed between its two readings.
    #[error("`{}` changed while it was read; give the command again when it is complete", path.display())]
    Changed {
        /// The input.
        path: PathBuf,
    },
    /// FairEval's labels belong to questions by position, and the positions do not match up.
    #[error("lines in `{}`: {labels_found}, questions in `{}`: {questions_found}; line i labels question i, so there must be as many", labels.display(), questions.display())]
    LabelCount {
        /// The label file.
        labels: PathBuf,
        /// Its lines.
        labels_found: usize,
        /// The question file.
        questions: PathBuf,
        /// Its lines.
        questions_found: usize,
    },
}

impl ReadError {
    /// The file or directory cannot be read, or not to its end.
    pub(super) fn open(path: &Path, source: std::io::Error) -> Self {
        Self::Open {
            path: path.to_owned(),
            source,
        }
    }

    /// A fault at a line.
    pub(super) fn at(path: &Path, line: usize, fault: Fault) -> Self {
        Self::Malformed(Box::new(BadLine {
            path: path.to_owned(),
            line,
            fault,
        }))
    }
}

/// `` `a`, `b`, `c` ``, or `nothing`.
pub(super) fn list<T: AsRef<str>>(names: &[T]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    names
        .iter()
        .map(|name| format!("`{}`", name.as_ref()))
        .collect::<Vec<_>>()
        .join(", ")
}
