//! A [`Score`] is an exact decimal: whole millionths in an integer.
//!
//! Verdicts hang on equality (`TIE` is "both sides scored the same"), and 7.1 + 7.2 + 7.3 in floating point does not equal
//! 7.2 × 3. So scores are summed as integers ([`PairSum`]) and become floating point only to be shown.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::pair::Label;

/// Units per whole point.
const UNIT: i64 = 1_000_000;
/// Digits after the point that a score keeps.
const FRACTION_DIGITS: usize = 6;
/// Digits before the point that a score may have: with six more, every score survives the trip through a JSON number,
/// because a double keeps 15 decimal digits.
const INTEGER_DIGITS: usize = 9;
/// Magnitudes below this many points are scores.
const LIMIT: f64 = 1e9;

/// A score in whole millionths of a point, with a magnitude below 10⁹ points.
///
/// Text is digits with at most one point (`8`, `8.5`, `.5`, `7.`): no sign, no exponent, ASCII digits only; what stands
/// after the sixth decimal is rounded half up. In JSON a score is a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Score(i64);

/// Why something is not a [`Score`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScoreError {
    /// The text has something other than digits and one point, or has no digit.
    #[error("`{text}` is not a score: write ASCII digits with at most one point, such as `7` or `8.5`")]
    NotDecimal {
        /// The text, cut to 40 characters.
        text: String,
    },
    /// More than nine digits before the point.
    #[error("`{text}` is too large for a score: at most 9 digits may stand before the point")]
    TooLarge {
        /// The text, cut to 40 characters.
        text: String,
    },
    /// A floating-point number that is infinite, not a number, or has a magnitude of 10⁹ or more.
    #[error("`{value}` is not a score: it must be finite, with a magnitude below 1e9")]
    OutOfRange {
        /// The number.
        value: f64,
    },
}

impl Score {
    /// The score nearest to a floating-point number, at most half a millionth away.
    pub fn from_f64(value: f64) -> Result<Self, ScoreError> {
        // The comparison is false for NaN, too.
        if value.abs() < LIMIT {
            #[expect(clippy::cast_possible_truncation, reason = "the magnitude is at most 1e15")]
            let millionths = (value * UNIT as f64).round() as i64;
            if millionths.abs() < UNIT * 1_000_000_000 {
                return Ok(Self(millionths));
            }
        }
        Err(ScoreError::OutOfRange { value })
    }

    /// The score in points, for display and statistics.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / UNIT as f64
    }

    /// The score in millionths of a point: the exact value.
    pub fn millionths(self) -> i64 {
        self.0
    }
}

/// A whole number of points, such as the 1 to 10 that a judge may give.
impl From<u8> for Score {
    fn from(points: u8) -> Self {
        Self(i64::from(points) * UNIT)
    }
}

impl TryFrom<f64> for Score {
    type Error = ScoreError;

    fn try_from(value: f64) -> Result<Self, ScoreError> {
        Self::from_f64(value)
    }
}

impl FromStr for Score {
    type Err = ScoreError;

    fn from_str(text: &str) -> Result<Self, ScoreError> {
        // A judge's reply may put anything here; an error must not carry pages of it.
        let shown = || text.chars().take(40).collect::<String>();
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let all_digits = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
        if !all_digits || whole.len() + fraction.len() == 0 {
            return Err(ScoreError::NotDecimal { text: shown() });
        }
        if whole.len() > INTEGER_DIGITS {
            return Err(ScoreError::TooLarge { text: shown() });
        }
        let digit = |byte: u8| i64::from(byte - b'0');
        let kept = fraction.bytes().chain(std::iter::repeat(b'0')).take(FRACTION_DIGITS);
        let millionths = whole
            .bytes()
            .chain(kept)
            .fold(0, |value, byte| value * 10 + digit(byte));
        let round_up = fraction
            .as_bytes()
            .get(FRACTION_DIGITS)
            .is_some_and(|&byte| byte >= b'5');
        let millionths = millionths + i64::from(round_up);
        if millionths >= UNIT * 1_000_000_000 {
            return Err(ScoreError::TooLarge { text: shown() });
        }
        Ok(Self(millionths))
    }
}

/// The shortest decimal text: `8`, `8.5`, `7.428571`.
impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, fraction) = (self.0.abs() / UNIT, self.0.abs() % UNIT);
        if fraction == 0 {
            return write!(f, "{sign}{whole}");
        }
        let digits = format!("{fraction:06}");
        write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl Serialize for Score {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Whole points as integers: `8`, not `8.0`.
        if self.0 % UNIT == 0 {
            serializer.serialize_i64(self.0 / UNIT)
        } else {
            serializer.serialize_f64(self.to_f64())
        }
    }
}

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_f64(f64::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// The scores of both responses of one pair, canonical: `score1` is `response1`'s in whichever order they were shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct ScorePair {
    /// The score of `response1`.
    pub score1: Score,
    /// The score of `response2`.
    pub score2: Score,
}

impl ScorePair {
    /// Pairs the score of `response1` with that of `response2`.
    pub fn new(score1: Score, score2: Score) -> Self {
        Self { score1, score2 }
    }

    /// The pair with its sides exchanged: turns the scores of a reply to order 21 into canonical ones, and back.
    #[must_use]
    pub fn swapped(self) -> Self {
        Self {
            score1: self.score2,
            score2: self.score1,
        }
    }

    /// The response with the higher score; `Tie` when they are equal.
    pub fn verdict(self) -> Label {
        match self.score1.cmp(&self.score2) {
            std::cmp::Ordering::Greater => Label::Model1,
            std::cmp::Ordering::Less => Label::Model2,
            std::cmp::Ordering::Equal => Label::Tie,
        }
    }
}

/// An exact sum of score pairs and how many there were. Both sides always have the same count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PairSum {
    sum1: i128,
    sum2: i128,
    n: usize,
}

impl PairSum {
    /// Adds one pair.
    pub fn add(&mut self, pair: ScorePair) {
        self.sum1 += i128::from(pair.score1.0);
        self.sum2 += i128::from(pair.score2.0);
        self.n += 1;
    }

    /// How many pairs have been added.
    pub fn n(&self) -> usize {
        self.n
    }

    /// The sums of both sides, in millionths of a point.
    pub fn millionths(&self) -> (i128, i128) {
        (self.sum1, self.sum2)
    }

    /// The mean pair, rounded to a millionth (half away from zero): for display. Verdicts compare the sums.
    pub fn mean(&self) -> Option<ScorePair> {
        Some(ScorePair {
            score1: Score(mean(self.sum1, self.n)?),
            score2: Score(mean(self.sum2, self.n)?),
        })
    }
}

impl Extend<ScorePair> for PairSum {
    fn extend<I: IntoIterator<Item = ScorePair>>(&mut self, pairs: I) {
        pairs.into_iter().for_each(|pair| self.add(pair));
    }
}

impl FromIterator<ScorePair> for PairSum {
    fn from_iter<I: IntoIterator<Item = ScorePair>>(pairs: I) -> Self {
        let mut sum = Self::default();
        sum.extend(pairs);
        sum
    }
}

impl std::ops::AddAssign for PairSum {
    fn add_assign(&mut self, other: Self) {
        self.sum1 += other.sum1;
        self.sum2 += other.sum2;
        self.n += other.n;
    }
}

fn mean(sum: i128, n: usize) -> Option<i64> {
    let n = i128::try_from(n).ok().filter(|&n| n > 0)?;
    let rounded = (sum.abs() + n / 2) / n * sum.signum();
    i64::try_from(rounded).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn score(text: &str) -> Score {
        text.parse().unwrap()
    }

    #[test]
    fn decimal_text_is_kept_exactly() {
        for (text, millionths) in [
            ("8", 8_000_000),
            ("8.5", 8_500_000),
            (".5", 500_000),
            ("7.", 7_000_000),
            ("007.25", 7_250_000),
            ("0.000001", 1),
            ("999999999.999999", 999_999_999_999_999),
            ("7.3333333333333333333333", 7_333_333),
            ("6.6666666666", 6_666_667),
        ] {
            assert_eq!(score(text).millionths(), millionths, "{text}");
        }
    }

    #[test]
    fn text_that_is_no_plain_decimal_is_refused() {
        // `٧` is the Arabic-Indic seven of spec 14.1; the rest are its `✗` rows and their kin.
        for text in [
            "", ".", "8.5.", "-2", "+2", "...", "N/A", "1e3", "٧", "8,5", " 8", "8 ", "nan", "inf", "9/10",
        ] {
            assert!(
                matches!(text.parse::<Score>(), Err(ScoreError::NotDecimal { .. })),
                "{text:?}"
            );
        }
        for text in ["1000000000", "0000000001", "999999999.9999999"] {
            assert!(
                matches!(text.parse::<Score>(), Err(ScoreError::TooLarge { .. })),
                "{text:?}"
            );
        }
    }

    #[test]
    fn an_error_does_not_carry_a_page_of_reply() {
        let message = "x".repeat(5000).parse::<Score>().unwrap_err().to_string();
        assert!(message.len() < 160, "{message}");
    }

    #[test]
    fn floating_point_is_rounded_to_a_millionth_and_must_be_finite() {
        assert_eq!(Score::from_f64(7.1).unwrap(), score("7.1"));
        assert_eq!(Score::from_f64(7.123_456_49).unwrap(), score("7.123456"));
        assert_eq!(Score::from_f64(-1.5).unwrap().to_string(), "-1.5");
        for value in [
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1e9,
            -1e9,
            999_999_999.999_999_9,
        ] {
            assert!(Score::from_f64(value).is_err(), "{value}");
        }
    }

    #[test]
    fn a_score_is_a_json_number() {
        let pair = ScorePair::new(score("8"), score("7.25"));
        let json = serde_json::to_string(&pair).unwrap();
        assert_eq!(json, r#"{"score1":8,"score2":7.25}"#);
        assert_eq!(serde_json::from_str::<ScorePair>(&json).unwrap(), pair);
        assert_eq!(serde_json::from_str::<Score>("8.0").unwrap(), score("8"));
        assert!(serde_json::from_str::<Score>("\"8\"").is_err());
        assert!(serde_json::from_str::<Score>("1e300").is_err());
    }

    #[test]
    fn sums_do_not_drift_as_floating_point_does() {
        let sum: PairSum = ["7.1", "7.2", "7.3"]
            .iter()
            .map(|text| ScorePair::new(score(text), score("7.2")))
            .collect();
        assert_eq!(sum.millionths(), (21_600_000, 21_600_000));
        let float: f64 = [0.1, 0.2, 0.3].iter().sum();
        assert!(float > 0.6, "the drift that exact sums avoid: {float}");
    }

    #[test]
    fn a_mean_is_rounded_half_away_from_zero_and_none_without_pairs() {
        let mut sum = PairSum::default();
        assert_eq!(sum.mean(), None);
        sum.extend([ScorePair::new(Score(1), Score(-1)), ScorePair::new(Score(2), Score(-2))]);
        assert_eq!(sum.mean(), Some(ScorePair::new(Score(2), Score(-2))));
    }

    #[test]
    fn the_higher_score_wins_and_swapping_swaps_the_verdict() {
        let pair = ScorePair::new(4.into(), 9.into());
        assert_eq!(pair.verdict(), Label::Model2);
        assert_eq!(pair.swapped().verdict(), Label::Model1);
        assert_eq!(ScorePair::new(7.into(), score("7.0")).verdict(), Label::Tie);
    }

    proptest! {
        #[test]
        fn parsing_what_was_printed_gives_the_score_back(millionths in 0_i64..1_000_000_000_000_000) {
            let score = Score(millionths);
            prop_assert_eq!(score.to_string().parse::<Score>().unwrap(), score);
        }

        #[test]
        fn json_gives_the_score_back(millionths in -999_999_999_999_999_i64..1_000_000_000_000_000) {
            let json = serde_json::to_string(&Score(millionths)).unwrap();
            prop_assert_eq!(serde_json::from_str::<Score>(&json).unwrap(), Score(millionths));
        }
    }
}
