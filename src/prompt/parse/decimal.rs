//! A score as exact decimal text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Digits allowed before and after the point: both parts, and their sum as a scaled integer, fit easily into 128 bits.
const MOST_DIGITS: usize = 18;

/// A finite decimal number as canonical text: optional minus, digits, and a fraction without trailing zeros.
///
/// Equal text means equal number. Kept as text because sums of scores are compared exactly (spec section 7).
///
/// ```
/// use widedeep::prompt::parse::Decimal;
/// let score: Decimal = "08.50".parse()?;
/// assert_eq!(score.as_str(), "8.5");
/// assert_eq!("7.".parse::<Decimal>()?.to_f64(), 7.0);
/// # Ok::<(), widedeep::prompt::parse::NotDecimal>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Decimal(String);

/// A text that is not a [`Decimal`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a decimal number of at most 18 digits before and after the point")]
pub struct NotDecimal {
    /// The text.
    pub text: String,
}

impl Decimal {
    /// The canonical text, such as `8`, `8.5`, `0.5` or `-1`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest `f64`.
    pub fn to_f64(&self) -> f64 {
        // Every canonical text is an `f64` literal.
        self.0.parse().unwrap_or(f64::NAN)
    }
}

impl FromStr for Decimal {
    type Err = NotDecimal;

    /// Reads ASCII digits with at most one point, which may stand first or last; a sign may come before.
    fn from_str(text: &str) -> Result<Self, NotDecimal> {
        let (minus, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let empty = whole.is_empty() && fraction.is_empty();
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let fits = whole.len() <= MOST_DIGITS && fraction.len() <= MOST_DIGITS;
        if empty || !fits || !digits(whole) || !digits(fraction) {
            return Err(NotDecimal { text: text.to_owned() });
        }
        let zero = whole.is_empty() && fraction.is_empty();
        let sign = if minus && !zero { "-" } else { "" };
        let whole = if whole.is_empty() { "0" } else { whole };
        let point = if fraction.is_empty() { "" } else { "." };
        Ok(Self(format!("{sign}{whole}{point}{fraction}")))
    }
}

impl TryFrom<String> for Decimal {
    type Error = NotDecimal;

    fn try_from(text: String) -> Result<Self, NotDecimal> {
        text.parse()
    }
}

impl From<Decimal> for String {
    fn from(decimal: Decimal) -> Self {
        decimal.0
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_numbers_have_equal_text() {
        for (written, canonical) in [
            ("8", "8"),
            ("8.", "8"),
            ("08.50", "8.5"),
            (".5", "0.5"),
            ("-0.0", "0"),
            ("+3", "3"),
            ("-1.0", "-1"),
            ("0", "0"),
        ] {
            assert_eq!(written.parse::<Decimal>().expect(written).as_str(), canonical);
        }
    }

    #[test]
    fn what_is_not_a_plain_finite_decimal_is_refused() {
        for text in [
            "",
            ".",
            "-",
            "8.5.",
            "nan",
            "inf",
            "1e1",
            "8,5",
            " 8",
            "٧",
            "8/10",
            "1234567890123456789",
            "--1",
        ] {
            assert!(text.parse::<Decimal>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn the_value_survives_text_and_canonical_text_is_stable(number in -1_000_000_i64..1_000_000) {
            let text = format!("{}.{:03}", number / 1000, number.unsigned_abs() % 1000);
            let decimal: Decimal = text.parse().expect("a decimal");
            prop_assert!((decimal.to_f64() - text.parse::<f64>().expect("a float")).abs() < f64::EPSILON);
            prop_assert_eq!(decimal.as_str().parse::<Decimal>().expect("canonical"), decimal);
        }
    }
}
