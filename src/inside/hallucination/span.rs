//! Where in a response the answer stands (spec h_neurons, section 2.5), and which tokens carry it.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// What people say before they answer.
static LEADING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)^(?:(?:the\s+)?(?:correct\s+)?answer\s*(?:is\s*:?|:)\s+|it(?:\s+is|['’]s)\s+|a:\s*)").ok()
});

/// The bytes of the answer within a response: its first line without leading and trailing white space, without `The answer is`, `It is` or `A:`
/// before it and without one full stop after it. Nothing if nothing is left.
pub fn answer_span(response: &str) -> Option<Range<usize>> {
    let mut start = response.len() - response.trim_start().len();
    let line = response[start..].lines().next().unwrap_or("");
    let mut end = start + line.trim_end().len();
    if let Some(leading) = LEADING.as_ref().and_then(|leading| leading.find(&response[start..end])) {
        // `It is` alone is no introduction.
        if leading.end() < end - start {
            start += leading.end();
        }
    }
    if response[start..end].ends_with('.') {
        end -= 1;
    }
    let trimmed = response[start..end].trim_end();
    (!trimmed.is_empty()).then(|| start..start + trimmed.len())
}

/// The tokens whose bytes overlap a range of bytes; `lengths` are the tokens' lengths in bytes. Nothing if no token does.
pub fn overlapping(lengths: &[usize], bytes: &Range<usize>) -> Option<Range<usize>> {
    let (mut at, mut found) = (0, None);
    for (token, length) in lengths.iter().enumerate() {
        let (start, end) = (at, at + length);
        at = end;
        if start < bytes.end && end > bytes.start {
            let first = found.map_or(token, |tokens: (usize, usize)| tokens.0);
            found = Some((first, token + 1));
        }
    }
    found.map(|(first, end)| first..end)
}

/// The first place at or after `from` where the tokens of an answer stand one after the other, as the H-Neurons code looks for them: `▁` and `Ġ` count as
/// spaces.
pub fn find<S: AsRef<str>, T: AsRef<str>>(tokens: &[S], answer: &[T], from: usize) -> Option<Range<usize>> {
    let plain = |token: &str| token.replace(['▁', 'Ġ'], " ");
    let tokens: Vec<String> = tokens.iter().map(|token| plain(token.as_ref())).collect();
    let answer: Vec<String> = answer.iter().map(|token| plain(token.as_ref())).collect();
    if answer.is_empty() {
        return None;
    }
    let last = tokens.len().checked_sub(answer.len())?;
    (from..=last)
        .find(|&start| tokens[start..start + answer.len()] == answer)
        .map(|start| start..start + answer.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(response: &str) -> Option<&str> {
        answer_span(response).map(|span| &response[span])
    }

    #[test]
    fn what_surrounds_an_answer_is_left_out() {
        assert_eq!(answer(" Paris. "), Some("Paris"));
        assert_eq!(answer("The answer is: Paris.\nIt lies on the Seine."), Some("Paris"));
        assert_eq!(answer("It's Paris"), Some("Paris"));
        assert_eq!(answer("it is Paris"), Some("Paris"));
        assert_eq!(answer("A: 42"), Some("42"));
        assert_eq!(answer("Answer: 42"), Some("42"));
        assert_eq!(answer("Italy"), Some("Italy"));
        assert_eq!(answer("A-ha"), Some("A-ha"));
        assert_eq!(answer("U.S.A."), Some("U.S.A"));
        assert_eq!(answer(" .\nParis"), None);
        assert_eq!(answer(""), None);
        assert_eq!(answer("It is "), Some("It is"));
        assert_eq!(answer("Ö sterreich.\u{a0}"), Some("Ö sterreich"));
    }

    #[test]
    fn a_token_belongs_to_a_span_if_its_bytes_overlap() {
        // "The answer is" | " Par" | "is" | "."
        let lengths = [13, 4, 2, 1];
        assert_eq!(overlapping(&lengths, &(14..19)), Some(1..3));
        assert_eq!(overlapping(&lengths, &(0..20)), Some(0..4));
        assert_eq!(overlapping(&lengths, &(20..22)), None);
        assert_eq!(overlapping(&[3, 0, 3], &(2..4)), Some(0..3));
    }

    #[test]
    fn tokens_are_found_by_their_text_whatever_marks_their_spaces() {
        let tokens = ["The", "ĠSer", "pent", "ine", "▁Ser", "pent"];
        assert_eq!(find(&tokens, &[" Ser", "pent"], 0), Some(1..3));
        assert_eq!(find(&tokens, &[" Ser", "pent"], 2), Some(4..6));
        assert_eq!(find(&tokens, &["lake"], 0), None);
        assert_eq!(find(&tokens, &[] as &[&str], 0), None);
    }
}
