//! Tokens and what they cost.

use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// Tokens of one request, or of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tokens {
    /// Prompt tokens, those read from the provider's prompt cache included.
    pub prompt: u64,
    /// Of these, how many the provider read from its prompt cache.
    #[serde(default)]
    pub cached_prompt: u64,
    /// Generated tokens.
    pub completion: u64,
}

impl Tokens {
    /// Tokens of a request that no prompt cache helped.
    pub fn new(prompt: u64, completion: u64) -> Self {
        Self {
            prompt,
            cached_prompt: 0,
            completion,
        }
    }
}

impl Add for Tokens {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            prompt: self.prompt + other.prompt,
            cached_prompt: self.cached_prompt + other.cached_prompt,
            completion: self.completion + other.completion,
        }
    }
}

impl AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Tokens {
    fn sum<I: Iterator<Item = Self>>(tokens: I) -> Self {
        tokens.fold(Self::default(), Add::add)
    }
}

/// The token counts of the canned reply that the released code uses when an API stays down (defect B6). It bills them; a failed
/// call here has no tokens and costs nothing.
pub const OFFICIAL_OUTAGE: Tokens = Tokens {
    prompt: 562,
    cached_prompt: 0,
    completion: 457,
};

/// Prices in US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Per million prompt tokens.
    pub prompt: f64,
    /// Per million prompt tokens read from the provider's cache; without it they cost what other prompt tokens do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_prompt: Option<f64>,
    /// Per million generated tokens.
    pub completion: f64,
}

impl Price {
    /// What these tokens cost, in US dollars.
    pub fn of(&self, tokens: Tokens) -> f64 {
        let cached = tokens.cached_prompt.min(tokens.prompt);
        let fresh = tokens.prompt - cached;
        let per_million = fresh as f64 * self.prompt
            + cached as f64 * self.cached_prompt.unwrap_or(self.prompt)
            + tokens.completion as f64 * self.completion;
        per_million / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GPT35: Price = Price {
        prompt: 2.0,
        cached_prompt: None,
        completion: 2.0,
    };
    const GPT4: Price = Price {
        prompt: 30.0,
        cached_prompt: None,
        completion: 60.0,
    };

    fn assert_usd(actual: f64, expected: f64) {
        assert!((actual - expected).abs() < 1e-12, "{actual} is not {expected}");
    }

    #[test]
    fn the_canned_outage_reply_would_cost_what_the_released_code_adds() {
        // Spec 14.7.
        assert_usd(GPT35.of(OFFICIAL_OUTAGE), 0.002_038);
        assert_usd(GPT4.of(OFFICIAL_OUTAGE), 0.044_28);
        assert_usd(GPT4.of(Tokens::default()), 0.0);
    }

    #[test]
    fn cached_prompt_tokens_have_their_own_price_where_one_is_known() {
        let tokens = Tokens {
            prompt: 1_000_000,
            cached_prompt: 400_000,
            completion: 0,
        };
        assert_usd(GPT35.of(tokens), 2.0);
        assert_usd(
            Price {
                cached_prompt: Some(0.5),
                ..GPT35
            }
            .of(tokens),
            1.4,
        );
    }

    #[test]
    fn more_cached_than_prompt_tokens_do_not_make_a_negative_bill() {
        let tokens = Tokens {
            prompt: 100,
            cached_prompt: 200,
            completion: 0,
        };
        assert_usd(
            Price {
                cached_prompt: Some(1.0),
                ..GPT35
            }
            .of(tokens),
            0.000_1,
        );
    }
}
