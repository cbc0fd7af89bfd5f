//! In which order things are said.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::PromptError;
use super::error::line_of;
use super::sources::name;

/// The structure of a prompt; its templates are in `layouts/<name>.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Shared text first, what is specific to one neuron last: prefixes of the prompts of a pair can be computed once.
    #[default]
    Shared,
    /// The structure of the published WideDeep code (spec 4.2 to 4.4).
    Official,
    /// FairEval's evidence-first judge (spec 11.2): no roles, one layer.
    #[serde(rename = "faireval")]
    FairEval,
    /// FairEval's scores-first judge (spec 11.1): no roles, one layer.
    #[serde(rename = "faireval-vanilla")]
    FairEvalVanilla,
}

impl Layout {
    /// All layouts.
    pub const ALL: [Layout; 4] = [
        Layout::Shared,
        Layout::Official,
        Layout::FairEval,
        Layout::FairEvalVanilla,
    ];

    /// The name used in files.
    pub fn name(self) -> &'static str {
        match self {
            Layout::Shared => "shared",
            Layout::Official => "official",
            Layout::FairEval => "faireval",
            Layout::FairEvalVanilla => "faireval-vanilla",
        }
    }

    /// All names, for messages.
    pub(super) fn names() -> String {
        Self::ALL.map(|layout| format!("`{}`", layout.name())).join(", ")
    }
}

/// A template of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Template {
    /// The system message.
    System,
    /// Context and candidates, for use at the beginning of the others.
    Start,
    /// The user message that asks for angles of view.
    Roles,
    /// The user message of layer 1.
    Judge,
    /// The user message of layers from 2 on.
    Deeper,
}

impl Template {
    /// The values that each template is given, by name.
    pub(super) fn slots(self) -> &'static [&'static str] {
        match self {
            Template::System => &["family"],
            Template::Start => &["family", "query", "first", "second", "nonce"],
            Template::Roles => &[
                "family",
                "query",
                "first",
                "second",
                "nonce",
                "start",
                "limit",
                "delimited",
                "open",
                "close",
            ],
            Template::Judge => &["family", "query", "first", "second", "nonce", "start", "role"],
            Template::Deeper => &[
                "family",
                "query",
                "first",
                "second",
                "nonce",
                "start",
                "role",
                "own",
                "members",
                "own_reviews",
                "other_reviews",
                "angles",
                "review_nonce",
                "history",
            ],
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Template::System => "system",
            Template::Start => "start",
            Template::Roles => "roles",
            Template::Judge => "judge",
            Template::Deeper => "deeper",
        })
    }
}

/// Which system message goes with the roles prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RolesSystem {
    /// The judge's, so that both prompts begin alike.
    #[default]
    Judge,
    /// None, as published (spec 3.1).
    None,
}

/// A layout's file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LayoutFile {
    #[serde(default)]
    pub roles_system: RolesSystem,
    pub system: String,
    pub start: String,
    pub roles: Option<String>,
    pub judge: String,
    pub deeper: Option<String>,
}

impl LayoutFile {
    pub fn from_toml(path: &Path, text: &str) -> Result<(Layout, Self), PromptError> {
        let name = name(path);
        let layout = Layout::ALL
            .into_iter()
            .find(|layout| layout.name() == name)
            .ok_or_else(|| PromptError::UnknownLayout {
                path: path.to_owned(),
                name: name.clone(),
            })?;
        let file = toml::from_str(text).map_err(|error: toml::de::Error| PromptError::Syntax {
            path: path.to_owned(),
            line: line_of(text, error.span()),
            detail: error.message().to_owned(),
        })?;
        Ok((layout, file))
    }

    /// The templates that the layout has.
    pub fn templates(&self) -> impl Iterator<Item = (Template, &str)> {
        [
            (Template::System, Some(&self.system)),
            (Template::Start, Some(&self.start)),
            (Template::Roles, self.roles.as_ref()),
            (Template::Judge, Some(&self.judge)),
            (Template::Deeper, self.deeper.as_ref()),
        ]
        .into_iter()
        .filter_map(|(template, source)| source.map(|source| (template, source.as_str())))
    }
}
