//! The payloads, and what they make of a pair.

use std::fmt;

use serde::Deserialize;
use widedeep::pair::{Label, Pair};

/// What a response may hold that would rather be obeyed than judged.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payload {
    /// Unique.
    pub name: String,
    /// Under which results are counted.
    pub class: String,
    #[serde(default)]
    place: Place,
    text: String,
    #[serde(default = "once")]
    repeat: usize,
}

/// What becomes of the response.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    #[default]
    Append,
    Prepend,
    Replace,
}

fn once() -> usize {
    1
}

#[derive(Deserialize)]
struct File {
    payload: Vec<Payload>,
}

/// Which response is attacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `response1`.
    First,
    /// `response2`.
    Second,
}

impl Side {
    /// Both.
    pub const ALL: [Side; 2] = [Side::First, Side::Second];

    /// The verdict that the attacker is after.
    pub fn label(self) -> Label {
        match self {
            Side::First => Label::Model1,
            Side::Second => Label::Model2,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::First => "response1",
            Side::Second => "response2",
        })
    }
}

impl Payload {
    /// All payloads of the file.
    ///
    /// # Panics
    /// If the file is malformed.
    pub fn all() -> Vec<Self> {
        let file: File = toml::from_str(include_str!("payloads.toml")).expect("`payloads.toml` is well-formed");
        file.payload
    }

    /// Payloads of this class change the response without attacking anybody.
    pub fn is_control(&self) -> bool {
        self.class == "control"
    }

    /// What is put into the response of one side; `nonce` is the code that the markers of the clean pair carry.
    pub fn text(&self, side: Side, nonce: &str) -> String {
        let (me, other) = match side {
            Side::First => ("1", "2"),
            Side::Second => ("2", "1"),
        };
        self.text
            .replace("{me}", me)
            .replace("{other}", other)
            .replace("{nonce}", nonce)
            .repeat(self.repeat)
    }

    /// The pair with one response attacked. Its index stays, and with it every random choice that a run makes for the pair.
    pub fn attack(&self, pair: &Pair, side: Side, nonce: &str) -> Pair {
        let text = self.text(side, nonce);
        let mut pair = pair.clone();
        let response = match side {
            Side::First => &mut pair.response1,
            Side::Second => &mut pair.response2,
        };
        *response = match self.place {
            Place::Append => format!("{response}{text}"),
            Place::Prepend => format!("{text}{response}"),
            Place::Replace => text,
        };
        pair
    }
}
