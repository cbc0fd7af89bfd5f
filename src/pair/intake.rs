//! From a line to a pair or a fault: splitting, UTF-8, blank lines.

use std::io::{self, BufRead};

use super::input::{Input, skip_bom, without_bom};
use super::row::Row;
use super::{Fault, Pair};

/// What stands at one place of a source.
pub(super) struct Entry {
    /// 1-based line on which it starts.
    pub line: usize,
    pub outcome: Result<Pair, Fault>,
}

/// JSON Lines: one object per line. Blank lines are passed over, but they count, so an index is always the line number less one.
pub(super) struct JsonLines {
    pub input: Input,
    parse: fn(usize, &Row) -> Result<Pair, Fault>,
    line: usize,
    buffer: Vec<u8>,
}

impl JsonLines {
    pub fn new(mut input: Input, parse: fn(usize, &Row) -> Result<Pair, Fault>) -> io::Result<Self> {
        skip_bom(&mut input)?;
        Ok(Self {
            input,
            parse,
            line: 0,
            buffer: Vec::new(),
        })
    }

    pub fn next(&mut self) -> io::Result<Option<Entry>> {
        loop {
            self.buffer.clear();
            if self.input.read_until(b'\n', &mut self.buffer)? == 0 {
                return Ok(None);
            }
            self.line += 1;
            let line = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !is_blank(line) {
                let row = utf8(line).and_then(Row::parse);
                return Ok(Some(Entry {
                    line: self.line,
                    outcome: row.and_then(|row| (self.parse)(self.line - 1, &row)),
                }));
            }
        }
    }
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
    fn blank_lines_in_the_middle_keep_their_place() {
        assert_eq!(split(b"a\n\nb"), [&b"a"[..], b"", b"b"]);
    }

    #[test]
    fn a_carriage_return_inside_a_line_stays() {
        assert_eq!(split(b"a\rb\r\n"), [&b"a\rb"[..]]);
    }
}
