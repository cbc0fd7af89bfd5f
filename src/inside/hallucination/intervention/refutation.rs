//! Whether a reply corrects what its question supposes, by its words.

/// Words with which false premises are corrected, beside those that end in `n't`.
const WORDS: [&str; 26] = [
    "no",
    "not",
    "never",
    "none",
    "nothing",
    "nobody",
    "cannot",
    "neither",
    "nor",
    "without",
    "false",
    "incorrect",
    "wrong",
    "untrue",
    "impossible",
    "myth",
    "fiction",
    "fictional",
    "imaginary",
    "nonexistent",
    "instead",
    "rather",
    "actually",
    "only",
    "unable",
    "unlike",
];

/// Whether a reply denies anything. Of what people wrote in FalseQA's test file this finds 80 % of the answers that correct a false premise, and 6 % of those to sound
/// questions (2,061 and 687; a test counts them). So it underestimates corrections that only state the facts: differences between strengths mean more than levels, and a
/// model as the judge sees more.
pub fn corrects(reply: &str) -> bool {
    let reply = reply.to_lowercase().replace('’', "'");
    reply
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .any(|word| WORDS.contains(&word) || word.ends_with("n't"))
}

#[cfg(test)]
mod tests {
    use super::corrects;

    #[test]
    fn denials_are_words() {
        for reply in [
            "A man cannot get pregnant.",
            "Mice don’t catch cats",
            "No.",
            "It's a myth",
            "Only mammals have milk.",
        ] {
            assert!(corrects(reply), "{reply}");
        }
        for reply in ["", "Nitrogen and a notion of knots", "Because it is warmer.", "The ant"] {
            assert!(!corrects(reply), "{reply}");
        }
    }
}
