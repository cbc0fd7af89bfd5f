//! The aggregation grid: which rule, over which layers, reading which score. Cells disagree on real inputs
//! (spec 14.4), so a verdict always names the cell that it came from.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::network::score::{Score, ScoreError};

/// How the scores of many calls become one decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Method {
    /// Compare the means of all calls.
    #[default]
    Mean,
    /// Every call votes; plurality wins.
    VotePerCall,
    /// Every neuron of every layer averages its own calls and then votes; plurality wins.
    VotePerNeuron,
}

impl Method {
    /// All methods, in the order of tables.
    pub const ALL: [Self; 3] = [Self::Mean, Self::VotePerCall, Self::VotePerNeuron];

    /// The name used in files: `mean`, `vote-call` or `vote-neuron`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::VotePerCall => "vote-call",
            Self::VotePerNeuron => "vote-neuron",
        }
    }
}

/// Which layers take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Layers {
    /// Every layer.
    #[default]
    All,
    /// The highest layer from which there is a score.
    Last,
}

impl Layers {
    /// Both choices, in the order of tables.
    pub const ALL: [Self; 2] = [Self::All, Self::Last];

    /// The name used in files: `all` or `last`.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Last => "last",
        }
    }
}

/// Which of a call's two readings is its score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Reading {
    /// The score that the model wrote.
    #[default]
    Argmax,
    /// The mean of the score's distribution, where the model's probabilities are known.
    Expected,
}

impl Reading {
    /// Both readings, in the order of tables.
    pub const ALL: [Self; 2] = [Self::Argmax, Self::Expected];

    /// The name used in files: `argmax` or `expected`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Argmax => "argmax",
            Self::Expected => "expected",
        }
    }
}

/// One cell of the aggregation grid, written `method/layers/reading`: `mean/all/argmax`, `vote-call/last/expected`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Cell {
    /// How scores become a decision.
    pub method: Method,
    /// Which layers take part.
    pub layers: Layers,
    /// Which reading of a call is its score.
    pub reading: Reading,
}

impl Cell {
    /// All twelve cells, methods slowest and readings fastest.
    pub fn grid() -> [Self; 12] {
        std::array::from_fn(|i| Self {
            method: Method::ALL[i / 4],
            layers: Layers::ALL[i / 2 % 2],
            reading: Reading::ALL[i % 2],
        })
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!(
            "{}/{}/{}",
            self.method.name(),
            self.layers.name(),
            self.reading.name()
        ))
    }
}

/// A text that names no [`Cell`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` names no aggregation cell: write method/layers/reading with `mean`, `vote-call` or `vote-neuron`, \
     then `all` or `last`, then `argmax` or `expected`, such as `mean/all/argmax`"
)]
pub struct CellError {
    /// The text.
    pub text: String,
}

impl FromStr for Cell {
    type Err = CellError;

    fn from_str(text: &str) -> Result<Self, CellError> {
        Self::grid()
            .into_iter()
            .find(|cell| cell.to_string() == text)
            .ok_or_else(|| CellError { text: text.to_owned() })
    }
}

impl From<Cell> for String {
    fn from(cell: Cell) -> Self {
        cell.to_string()
    }
}

impl TryFrom<String> for Cell {
    type Error = CellError;

    fn try_from(text: String) -> Result<Self, CellError> {
        text.parse()
    }
}

/// The largest difference of means, in points, that is still a tie; never negative. Zero means exact equality.
///
/// A tuned margin is the cheapest lever on accuracy (spec section 7): tune it on other data than you report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "Score", into = "Score")]
pub struct Margin(Score);

impl Margin {
    /// A margin of that many points.
    pub fn new(points: Score) -> Result<Self, MarginError> {
        if points < Score::default() {
            Err(MarginError::Negative { points })
        } else {
            Ok(Self(points))
        }
    }

    /// The margin in points.
    pub fn points(self) -> Score {
        self.0
    }
}

/// Why something is not a [`Margin`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MarginError {
    /// Below zero.
    #[error("a tie margin of `{points}` points is negative: give zero or more")]
    Negative {
        /// The points asked for.
        points: Score,
    },
    /// Not a number of points at all.
    #[error("a tie margin must be a number of points")]
    NotPoints(#[from] ScoreError),
}

impl TryFrom<Score> for Margin {
    type Error = MarginError;

    fn try_from(points: Score) -> Result<Self, MarginError> {
        Self::new(points)
    }
}

impl From<Margin> for Score {
    fn from(margin: Margin) -> Self {
        margin.0
    }
}

impl FromStr for Margin {
    type Err = MarginError;

    fn from_str(text: &str) -> Result<Self, MarginError> {
        Self::new(text.parse()?)
    }
}

impl fmt::Display for Margin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_grid_has_twelve_different_cells_that_survive_their_own_text() {
        let names: Vec<String> = Cell::grid().iter().map(Cell::to_string).collect();
        assert_eq!(
            names,
            [
                "mean/all/argmax",
                "mean/all/expected",
                "mean/last/argmax",
                "mean/last/expected",
                "vote-call/all/argmax",
                "vote-call/all/expected",
                "vote-call/last/argmax",
                "vote-call/last/expected",
                "vote-neuron/all/argmax",
                "vote-neuron/all/expected",
                "vote-neuron/last/argmax",
                "vote-neuron/last/expected",
            ]
        );
        for cell in Cell::grid() {
            assert_eq!(cell.to_string().parse(), Ok(cell));
            let json = serde_json::to_string(&cell).unwrap();
            assert_eq!(json, format!("\"{cell}\""));
            assert_eq!(serde_json::from_str::<Cell>(&json).unwrap(), cell);
        }
    }

    #[test]
    fn a_wrong_cell_is_told_what_to_write() {
        for text in ["", "mean", "mean/all", "vote/all/argmax", "mean/all/argmax/"] {
            let message = text.parse::<Cell>().unwrap_err().to_string();
            assert!(
                message.contains("`vote-neuron`") && message.contains("`last`"),
                "{message}"
            );
        }
    }

    #[test]
    fn the_default_is_the_cell_of_the_released_code_without_a_margin() {
        assert_eq!(Cell::default().to_string(), "mean/all/argmax");
        assert_eq!(Margin::default().points(), Score::from(0));
    }

    #[test]
    fn a_margin_is_never_negative() {
        let minus = Score::from_f64(-0.1).unwrap();
        assert_eq!(Margin::new(minus), Err(MarginError::Negative { points: minus }));
        assert!("-0.1".parse::<Margin>().is_err());
        assert!(serde_json::from_str::<Margin>("-0.1").is_err());
        assert_eq!(serde_json::from_str::<Margin>("0.05").unwrap(), "0.05".parse().unwrap());
    }
}
