//! Whether a prompt still shows two candidates, each in a block of its own.

use std::sync::LazyLock;

use regex::Regex;
use widedeep::pair::Pair;
use widedeep::prompt::{Family, Layout, Nonce};

/// What ends a review; the code is chosen so that no review holds it.
static END_OF_REVIEW: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\[End of Member [0-9]+, review [0-9]+, ([0-9a-f]+)\]\n").expect("a tested pattern"));

/// The markers around the two candidates.
pub struct Markers {
    /// Opening and closing, of Assistant 1 and of Assistant 2.
    candidates: [(String, String); 2],
}

impl Markers {
    /// Those of a pair with this code. Only [`Layout::Shared`] has the code in them; the others reproduce what has none.
    pub fn of(layout: Layout, family: &Family, nonce: &Nonce) -> Self {
        let label = &family.candidate.label;
        let candidates = [1, 2].map(|number| match layout {
            Layout::Shared => (
                format!("[Assistant {number}'s {label} {nonce}]\n"),
                format!("\n[End of Assistant {number}'s {label} {nonce}]\n"),
            ),
            Layout::Official | Layout::FairEval | Layout::FairEvalVanilla => (
                format!("[Start of Assistant {number}'s {label}]\n"),
                format!("\n[End of Assistant {number}'s {label}]\n"),
            ),
        });
        Self { candidates }
    }

    /// What is wrong with the blocks of a prompt that shows this pair in either order: a candidate that is not in its block byte for byte,
    /// or a marker that stands there twice. In prompts with reviews, what a review quotes is in a block of its own.
    pub fn problem(&self, pair: &Pair, prompt: &str) -> Option<String> {
        let texts = [&pair.response1, &pair.response2];
        let block = |i: usize, text: &str| {
            let (open, close) = &self.candidates[i];
            format!("{open}{text}{close}")
        };
        let shown = [[texts[0], texts[1]], [texts[1], texts[0]]]
            .into_iter()
            .map(|[first, second]| format!("{}\n{}", block(0, first), block(1, second)))
            .find_map(|blocks| prompt.find(&blocks).map(|at| (at, at + blocks.len())));
        let Some((start, end)) = shown else {
            return Some("the candidates are not in their blocks byte for byte".to_owned());
        };
        let rest = match without_reviews(&prompt[end..]) {
            Ok(rest) => rest,
            Err(problem) => return Some(problem),
        };
        let seen = format!("{}\u{FFFF}{rest}", &prompt[..end]);
        debug_assert!(start < end);
        let markers = self.candidates.iter().flat_map(|(open, close)| [open, close]);
        markers.map(|marker| marker.trim()).find_map(|marker| {
            let count = seen.matches(marker).count();
            (count != 1).then(|| format!("`{marker}` stands there {count} times"))
        })
    }
}

/// What follows the candidates, review blocks cut out.
fn without_reviews(rest: &str) -> Result<String, String> {
    // Whatever reviews say, the last such marker is the program's own: nothing that a model wrote follows it but names of angles.
    let Some(code) = END_OF_REVIEW.captures_iter(rest).last().map(|found| found[1].to_owned()) else {
        return Ok(rest.to_owned());
    };
    let opening = Regex::new(&format!(r"\[Member [0-9]+ ?[^\n]*, review [0-9]+, {code}\]\n")).expect("the code is hexadecimal");
    let closing = Regex::new(&format!(r"\n\[End of Member [0-9]+, review [0-9]+, {code}\]\n")).expect("the code is hexadecimal");
    let (mut outside, mut at) = (String::new(), 0);
    while let Some(open) = opening.find_at(rest, at) {
        let Some(close) = closing.find_at(rest, open.end() - 1) else {
            return Err("a review block is not closed".to_owned());
        };
        outside.push_str(&rest[at..open.start()]);
        at = close.end();
    }
    outside.push_str(&rest[at..]);
    if outside.contains(&code) && outside.contains("[End of Member") {
        return Err("a review block is closed twice".to_owned());
    }
    Ok(outside)
}
