//! The table `[roles]`.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

/// Where roles come from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "kebab-case", try_from = "Table")]
pub enum Roles {
    /// The model is asked per pair which angles of view matter.
    Generated {
        /// Ask for exactly this many; without it, for as many as matter.
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<NonZeroUsize>,
        /// Use at most this many; without it, all that come back.
        #[serde(skip_serializing_if = "Option::is_none")]
        cap: Option<NonZeroUsize>,
        /// Requests made until one can be read; 1 by default.
        attempts: NonZeroUsize,
        /// Most tokens of the list; 256 by default.
        max_tokens: usize,
        /// Temperature of the first request, 0 by default; under the robust parser further ones use at least 0.7, since at 0 they would
        /// repeat it.
        temperature: f32,
        /// How the list is read.
        parser: RoleParser,
    },
    /// The same roles for every pair.
    Fixed {
        /// One neuron per name.
        names: Vec<String>,
    },
    /// One neuron that judges overall quality.
    #[default]
    None,
}

impl Roles {
    /// Most neurons that a layer can have, where it is known beforehand.
    pub(super) fn most(&self) -> Option<usize> {
        match self {
            Roles::Generated { limit, cap, .. } => [*limit, *cap].into_iter().flatten().map(NonZeroUsize::get).min(),
            Roles::Fixed { names } => Some(names.len()),
            Roles::None => Some(1),
        }
    }
}

/// How a list of roles is read (spec 3.1, 3.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoleParser {
    /// Empties and duplicates dropped, plain lists understood.
    #[default]
    Robust,
    /// As the published code reads it.
    Compat,
}

const MAX_TOKENS: usize = 256;

/// All keys of all sources. Read first, and flat, because errors within an enum that is told apart by a key have no line of their own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    source: Source,
    limit: Option<NonZeroUsize>,
    cap: Option<NonZeroUsize>,
    attempts: Option<NonZeroUsize>,
    max_tokens: Option<usize>,
    temperature: Option<f32>,
    parser: Option<RoleParser>,
    names: Option<Vec<String>>,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Source {
    Generated,
    Fixed,
    None,
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Source::Generated => "generated",
            Source::Fixed => "fixed",
            Source::None => "none",
        }
    }
}

impl Table {
    /// A key that another source has.
    fn stray(&self) -> Option<(&'static str, Source)> {
        let keys = [
            ("limit", self.limit.is_some(), Source::Generated),
            ("cap", self.cap.is_some(), Source::Generated),
            ("attempts", self.attempts.is_some(), Source::Generated),
            ("max_tokens", self.max_tokens.is_some(), Source::Generated),
            ("temperature", self.temperature.is_some(), Source::Generated),
            ("parser", self.parser.is_some(), Source::Generated),
            ("names", self.names.is_some(), Source::Fixed),
        ];
        keys.into_iter()
            .find(|&(_, given, source)| given && source != self.source)
            .map(|(key, _, source)| (key, source))
    }
}

impl TryFrom<Table> for Roles {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        if let Some((key, source)) = table.stray() {
            return Err(format!(
                "`roles.{key}` belongs to `roles.source = \"{}\"`, and the source is \"{}\": remove the key, or change the source",
                source.name(),
                table.source.name()
            ));
        }
        match table.source {
            Source::None => Ok(Roles::None),
            Source::Fixed => {
                let names = table
                    .names
                    .ok_or("`roles.source = \"fixed\"` needs names: add `roles.names = [\"Accuracy\", …]`")?;
                Ok(Roles::Fixed { names })
            }
            Source::Generated => Ok(Roles::Generated {
                limit: table.limit,
                cap: table.cap,
                attempts: table.attempts.unwrap_or(NonZeroUsize::MIN),
                max_tokens: table.max_tokens.unwrap_or(MAX_TOKENS),
                temperature: table.temperature.unwrap_or_default(),
                parser: table.parser.unwrap_or_default(),
            }),
        }
    }
}
