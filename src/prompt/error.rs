//! What can go wrong with prompt files, and when rendering them.

use std::ops::Range;
use std::path::PathBuf;

use super::{Layout, Template};

/// Why families and layouts could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// A file or folder could not be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder of overrides has neither of the two folders that it could have.
    #[error("nothing to read in `{path}`: put prompt files into `families` or `layouts` below it")]
    NoOverrides {
        /// The folder.
        path: PathBuf,
    },
    /// Not TOML, or not the keys of such a file.
    #[error("cannot read `{path}:{line}`: {detail}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// 1-based line.
        line: usize,
        /// What the TOML reader says.
        detail: String,
    },
    /// A family's value makes no sense.
    #[error("cannot use the family in `{path}`: {detail}")]
    Wording {
        /// The file.
        path: PathBuf,
        /// What is wrong, and the remedy.
        detail: String,
    },
    /// A layout's file has a name that no layout has.
    #[error(
        "no layout is called `{name}` (read from `{path}`): name the file after one of {}",
        Layout::names()
    )]
    UnknownLayout {
        /// The file.
        path: PathBuf,
        /// The name without extension.
        name: String,
    },
    /// A template does not compile, or does not render with sample text.
    #[error("cannot use template `{template}` (its line {line}) of `{path}`: {detail}")]
    Template {
        /// The layout's file.
        path: PathBuf,
        /// Which template of it.
        template: Template,
        /// 1-based line within the template.
        line: usize,
        /// What the template engine says.
        detail: String,
    },
    /// A template names a slot that it is not given.
    #[error("template `{template}` of `{path}` uses unknown slot `{slot}`: it has {known}")]
    UnknownSlot {
        /// The layout's file.
        path: PathBuf,
        /// Which template of it.
        template: Template,
        /// The slot.
        slot: String,
        /// The slots that exist, for reading.
        known: String,
    },
    /// A template does not show both candidates.
    #[error("template `{template}` of `{path}` does not show both candidates: use `start`, or `first` and `second`")]
    CandidateLost {
        /// The layout's file.
        path: PathBuf,
        /// Which template of it.
        template: Template,
    },
    /// No family has this name.
    #[error("no prompt family is called `{name}`: there are {known}")]
    UnknownFamily {
        /// The name asked for.
        name: String,
        /// The names that exist, for reading.
        known: String,
    },
}

/// Why a prompt could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The layout has no such prompt.
    #[error("layout `{}` has no `{template}` prompt: choose another layout for networks with roles or several layers", layout.name())]
    NoTemplate {
        /// The layout.
        layout: Layout,
        /// The template that it lacks.
        template: Template,
    },
    /// A role was given to a layout that has no place for one.
    #[error("layout `{}` has no place for the role `{role}`: judge without roles, or choose another layout", layout.name())]
    NoRole {
        /// The layout.
        layout: Layout,
        /// The role.
        role: String,
    },
    /// The nonce occurs in a candidate.
    #[error("nonce `{nonce}` occurs in the text to judge: derive it from that text with `Nonce::for_pair`")]
    NonceInText {
        /// The nonce.
        nonce: String,
    },
    /// The members of the history are not in ascending order, or one occurs twice.
    #[error("members {numbers:?} of the history are not in ascending order")]
    MembersOutOfOrder {
        /// Their numbers as given, 0-based.
        numbers: Vec<usize>,
    },
    /// A neuron is not among those whose reviews it sees.
    #[error("neuron {own} is not among the members {numbers:?} of its own history")]
    OwnNotVisible {
        /// The neuron, 0-based.
        own: usize,
        /// The members, 0-based.
        numbers: Vec<usize>,
    },
    /// The template failed; with templates that loaded this means a slot used only under conditions that loading did not try.
    #[error("cannot render template `{template}` (its line {line}) of layout `{}`: {detail}", layout.name())]
    Template {
        /// The layout.
        layout: Layout,
        /// The template.
        template: Template,
        /// 1-based line within the template.
        line: usize,
        /// What the template engine says.
        detail: String,
    },
}

/// The 1-based line at which a TOML error begins.
pub(super) fn line_of(text: &str, span: Option<Range<usize>>) -> usize {
    let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
    1 + before.matches('\n').count()
}
