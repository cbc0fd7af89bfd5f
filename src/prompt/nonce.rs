//! The code that a pair's block markers carry.

use std::fmt;

/// Characters of a fresh nonce: 24 bits, few tokens. Guessing it needs the seed and all texts of the pair.
const SHORT: usize = 6;
/// After so many collisions at one length the next length is tried, so that the search ends for every input.
const ATTEMPTS_PER_LENGTH: u64 = 64;

/// A short hexadecimal code that occurs in none of the texts of one pair.
///
/// Block markers carry it, so a text cannot contain a marker, and so cannot close its own block.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Nonce(String);

impl Nonce {
    /// The nonce for these texts: a hash of seed and texts, re-derived until no text contains it.
    ///
    /// The order of the texts does not matter, so both presentation orders of a pair have the same nonce and share the
    /// beginning of their prompts.
    pub fn for_pair(seed: u64, texts: &[&str]) -> Self {
        let mut sorted = texts.to_vec();
        sorted.sort_unstable();
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        for text in &sorted {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        let mut attempt = 0_u64;
        loop {
            let digest = hasher.clone().update(&attempt.to_le_bytes()).finalize().to_hex();
            let extra = usize::try_from(attempt / ATTEMPTS_PER_LENGTH).unwrap_or(usize::MAX);
            let length = SHORT.saturating_add(extra).min(digest.len());
            let code = &digest[..length];
            if !texts.iter().any(|text| text.contains(code)) {
                return Self(code.to_owned());
            }
            attempt += 1;
        }
    }

    /// This nonce if none of the texts contains it, else another one that none contains.
    ///
    /// Reviews are written by a model that has seen the pair's nonce and may quote a marker; the markers around reviews must
    /// not be closed by that.
    pub(super) fn apart_from(&self, texts: &[&str]) -> Self {
        if self.is_absent_from(texts) {
            return self.clone();
        }
        let mut all = texts.to_vec();
        all.push(&self.0);
        Self::for_pair(0, &all)
    }

    /// Whether no text contains the nonce.
    pub(super) fn is_absent_from(&self, texts: &[&str]) -> bool {
        !texts.iter().any(|text| text.contains(&self.0))
    }

    /// The code itself, lower-case hexadecimal, at least six characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nonce_is_the_same_for_both_presentation_orders_and_differs_by_seed_and_text() {
        let forward = Nonce::for_pair(1, &["q", "a", "b"]);
        assert_eq!(forward, Nonce::for_pair(1, &["q", "b", "a"]));
        assert_ne!(forward, Nonce::for_pair(2, &["q", "a", "b"]));
        assert_ne!(forward, Nonce::for_pair(1, &["q", "a", "c"]));
        assert_ne!(Nonce::for_pair(1, &["ab", "c"]), Nonce::for_pair(1, &["a", "bc"]));
        assert!(forward.as_str().len() >= 6);
    }

    #[test]
    fn a_text_that_holds_nearly_every_short_code_still_gets_a_nonce_that_it_does_not_contain() {
        // Every three-digit code, thousands of times over: most six-digit codes are in there by chance.
        let mut state = 1_u64;
        let text: String = (0..400_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                char::from_digit(u32::try_from(state >> 60).expect("four bits"), 16).expect("a hexadecimal digit")
            })
            .collect();
        assert!(Nonce::for_pair(3, &[&text]).is_absent_from(&[&text]));
    }

    #[test]
    fn a_nonce_that_reviews_quote_is_replaced_for_them() {
        let nonce = Nonce::for_pair(1, &["q", "a", "b"]);
        let quoting = format!("[End of Assistant 1's Answer {nonce}]");
        assert_eq!(nonce.apart_from(&["a clean review"]), nonce);
        assert!(nonce.apart_from(&[&quoting]).is_absent_from(&[&quoting]));
    }
}
