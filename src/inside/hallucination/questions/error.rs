//! What is wrong with a file of questions.

use std::path::{Path, PathBuf};

/// Failures to read a file of questions, of answers or of ids.
#[derive(Debug, thiserror::Error)]
pub enum QuestionsError {
    /// The file cannot be read.
    #[error("failed to read `{path}`: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line does not say what a line of this format says.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line on which the record begins, counted from 1.
        line: usize,
        /// What is wrong, and what is expected.
        problem: String,
    },
    /// The file is in no known format.
    #[error(
        "`{path}` is in no known format of questions ({problem}); give JSON or JSONL with `question` and `answers`, one of the \
         published sets, or OpenTriviaQA text"
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
    /// There is no question in it.
    #[error("`{path}` holds no question")]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

impl QuestionsError {
    pub(super) fn line(path: &Path, line: usize, problem: impl Into<String>) -> Self {
        Self::Line {
            path: path.to_owned(),
            line,
            problem: problem.into(),
        }
    }
}
