//! The gate that every reader passes its lines through: splitting, UTF-8, and what happens to the malformed ones.

use std::path::{Path, PathBuf};

use super::row::Row;
use super::{BadLine, BadLines, Fault, Pair, ReadError};

/// The marker that some editors write at the start of a UTF-8 file.
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Collects pairs and malformed lines of one input.
#[derive(Debug)]
pub(super) struct Intake {
    path: PathBuf,
    bad: BadLines,
    pub pairs: Vec<Pair>,
    pub skipped: Vec<BadLine>,
}

impl Intake {
    pub fn new(path: &Path, bad: BadLines) -> Self {
        Self {
            path: path.to_owned(),
            bad,
            pairs: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// Takes in what became of the text at `line` (1-based).
    pub fn put(&mut self, line: usize, outcome: Result<Pair, Fault>) -> Result<(), ReadError> {
        match outcome {
            Ok(pair) => self.pairs.push(pair),
            Err(fault) => {
                let path = self.path.clone();
                self.reject(BadLine { path, line, fault })?;
            }
        }
        Ok(())
    }

    /// Takes in a malformed line, of this file or of one that belongs to it.
    pub fn reject(&mut self, line: BadLine) -> Result<(), ReadError> {
        match self.bad {
            BadLines::Stop => Err(ReadError::Malformed(Box::new(line))),
            BadLines::Skip => {
                self.skipped.push(line);
                Ok(())
            }
        }
    }

    /// An error that ends reading whatever was asked for: nothing after it can be trusted.
    pub fn fatal(&self, line: usize, fault: Fault) -> ReadError {
        ReadError::Malformed(Box::new(BadLine {
            path: self.path.clone(),
            line,
            fault,
        }))
    }

    /// The file could not be read to its end.
    pub fn unreadable(&self, source: std::io::Error) -> ReadError {
        ReadError::Open {
            path: self.path.clone(),
            source,
        }
    }

    /// Reads JSON Lines: one object per line. Blank lines are passed over, but they count, so an index is always the line
    /// number less one.
    pub fn json_lines(
        &mut self,
        bytes: &[u8],
        parse: impl Fn(usize, &Row) -> Result<Pair, Fault>,
    ) -> Result<(), ReadError> {
        for (index, line) in lines(bytes).enumerate().filter(|(_, line)| !is_blank(line)) {
            self.put(
                index + 1,
                utf8(line).and_then(Row::parse).and_then(|row| parse(index, &row)),
            )?;
        }
        Ok(())
    }
}

/// The content behind a byte order mark, if there is one.
pub(super) fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BOM).unwrap_or(bytes)
}

/// The lines of a file, without BOM and line ends (LF or CRLF); the last may lack its line end. A CR elsewhere stays.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let bytes = without_bom(bytes);
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    // `split` yields one empty piece for an empty slice; an empty file has no lines.
    let count = if bytes.is_empty() { 0 } else { usize::MAX };
    bytes
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .take(count)
}

/// Whether a raw line holds nothing but ASCII white space.
pub(super) fn is_blank(line: &[u8]) -> bool {
    line.trim_ascii().is_empty()
}

/// Whether a file has blank lines only, or none.
pub(super) fn holds_nothing(bytes: &[u8]) -> bool {
    lines(bytes).all(is_blank)
}

/// The line as text.
pub(super) fn utf8(line: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(line).map_err(|error| Fault::NotUtf8 {
        byte: error.valid_up_to() + 1,
    })
}

/// Line numbers of increasing offsets, counted once over the file.
#[derive(Debug, Default)]
pub(super) struct LineCounter {
    offset: usize,
    line_ends: usize,
}

impl LineCounter {
    /// 1-based line of `offset`, which must not decrease from call to call.
    pub fn at(&mut self, offset: usize, bytes: &[u8]) -> usize {
        let new = &bytes[self.offset..offset];
        self.line_ends += new.split(|&byte| byte == b'\n').count() - 1;
        self.offset = offset;
        self.line_ends + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(bytes: &[u8]) -> Vec<&[u8]> {
        lines(bytes).collect()
    }

    #[test]
    fn a_file_has_the_same_lines_with_and_without_its_last_line_end_and_bom() {
        let expected: [&[u8]; 2] = [b"a", b"b"];
        for file in [&b"a\nb"[..], b"a\nb\n", b"a\r\nb\r\n", b"\xEF\xBB\xBFa\nb\n", b"a\r\nb"] {
            assert_eq!(split(file), expected);
        }
        assert!(split(b"").is_empty());
        assert!(split(b"\xEF\xBB\xBF").is_empty());
    }

    #[test]
    fn line_numbers_are_counted_on_from_the_last_offset() {
        let mut lines = LineCounter::default();
        assert_eq!(
            [0, 1, 2, 2, 5].map(|offset| lines.at(offset, b"a\n\nb\n")),
            [1, 1, 2, 2, 4]
        );
    }

    #[test]
    fn blank_lines_in_the_middle_keep_their_place() {
        assert_eq!(split(b"a\n\nb"), [&b"a"[..], b"", b"b"]);
    }

    #[test]
    fn a_carriage_return_inside_a_line_stays() {
        assert_eq!(split(b"a\rb\r\n"), [&b"a\rb"[..]]);
    }
}
