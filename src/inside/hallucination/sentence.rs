//! Cutting long text into sentences, each of which is scored by itself (spec h_neurons, section 12).

use std::ops::Range;

/// The bytes of every sentence: up to a line break, or up to `.`, `!` or `?` (with closing quotes and brackets) before white space. White space around a
/// sentence is no part of it.
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut ends = false;
    for (at, c) in text.char_indices() {
        if c == '\n' || ends && c.is_whitespace() {
            push(text, start..at, &mut found);
            start = at;
        }
        ends = match c {
            '.' | '!' | '?' | '…' | '。' => true,
            '"' | '\'' | ')' | ']' | '”' | '’' | '»' => ends,
            _ => false,
        };
    }
    push(text, start..text.len(), &mut found);
    found
}

fn push(text: &str, bytes: Range<usize>, found: &mut Vec<Range<usize>>) {
    let part = &text[bytes.clone()];
    let start = bytes.start + part.len() - part.trim_start().len();
    let end = start + part.trim().len();
    if text[start..end].chars().any(char::is_alphanumeric) {
        found.push(start..end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_with_their_marks_and_lines() {
        let cut = |text: &'static str| -> Vec<&str> { sentences(text).into_iter().map(|bytes| &text[bytes]).collect() };
        assert_eq!(
            cut("It is 3.5. \"Really?\" Yes!\n- one\n- two\n\n…"),
            ["It is 3.5.", "\"Really?\"", "Yes!", "- one", "- two"]
        );
        assert_eq!(cut("no mark"), ["no mark"]);
        assert_eq!(cut(" \n. "), [] as [&str; 0]);
    }
}
