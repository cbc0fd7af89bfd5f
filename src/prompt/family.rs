//! The wording for one kind of task (spec table 4.1).

use std::path::Path;

use serde::Deserialize;

use super::PromptError;
use super::error::line_of;
use super::sources::name;

/// Wording of one family of tasks, read from `families/<name>.toml`. Which datasets are judged in it is said by a
/// [`Taxonomy`](crate::pair::Taxonomy).
///
/// All phrases are fragments that a layout's templates put into sentences: no capital at the start, no full stop.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// The file's name without its extension.
    #[serde(skip)]
    pub name: String,
    /// What the candidates answer; absent where the candidates speak for themselves and the query is not shown.
    pub context: Option<Context>,
    /// What the two texts are.
    pub candidate: Candidate,
    /// What the panel checks: completes "experts who check …".
    pub persona: String,
    /// What a member decides: completes "decide …".
    pub decision: String,
    /// What the angles of view are for: completes "angles that matter for …".
    pub roles_question: String,
    /// What to give feedback on: completes "say …".
    pub task: String,
    /// What a high score means: completes "a higher score means …".
    pub high_score: String,
    /// The character that closes an angle of view in the model's list; `$` opens it.
    pub close: char,
    /// What stands between the two delimiters.
    pub delimited: DelimitedBy,
}

/// The context block.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// Heading of the block: `Question`, `Document`, ….
    pub label: String,
    /// The same in running text, with its article: completes "you are shown … and".
    pub phrase: String,
}

/// The candidate blocks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// Noun in the heading: `Answer`, `Summary`, ….
    pub label: String,
    /// Plural in running text: completes "two …".
    pub plural: String,
}

/// What the model puts between the delimiters, by how many angles it is asked for (spec 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DelimitedBy {
    /// When it may list as many angles as it wants.
    pub unlimited: Delimited,
    /// When the number is given.
    pub limited: Delimited,
}

/// What stands between the delimiters around an angle of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Delimited {
    /// Its name only.
    Name,
    /// Name and explanation.
    Angle,
}

impl Delimited {
    /// The value as templates compare it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Delimited::Name => "name",
            Delimited::Angle => "angle",
        }
    }
}

impl Family {
    /// Reads a family's file; `path` names it in errors and gives the family its name.
    pub(super) fn from_toml(path: &Path, text: &str) -> Result<Self, PromptError> {
        let mut family: Self = toml::from_str(text).map_err(|error| PromptError::Syntax {
            path: path.to_owned(),
            line: line_of(text, error.span()),
            detail: error.message().to_owned(),
        })?;
        family.name = name(path);
        let wording = [
            ("persona", &family.persona),
            ("decision", &family.decision),
            ("roles_question", &family.roles_question),
            ("task", &family.task),
            ("high_score", &family.high_score),
            ("candidate.label", &family.candidate.label),
            ("candidate.plural", &family.candidate.plural),
        ];
        let context = family
            .context
            .iter()
            .flat_map(|context| [("context.label", &context.label), ("context.phrase", &context.phrase)]);
        let empty = wording
            .into_iter()
            .chain(context)
            .find(|(_, text)| text.trim().is_empty());
        let detail = if let Some((key, _)) = empty {
            format!("`{key}` is empty: give it words")
        } else if family.close == super::roles::OPEN || family.close.is_alphanumeric() || family.close.is_whitespace() {
            format!(
                "`close` is `{}`: choose a sign other than `$`, a letter, a digit or a space",
                family.close
            )
        } else {
            return Ok(family);
        };
        Err(PromptError::Wording {
            path: path.to_owned(),
            detail,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../prompts/families/code.toml");

    fn read(text: &str) -> Result<Family, String> {
        Family::from_toml(Path::new("my/families/code.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_family_takes_its_name_from_its_file_and_its_closing_sign_from_its_text() {
        let family = read(GOOD).expect("the embedded family is good");
        assert_eq!((family.name.as_str(), family.close), ("code", '@'));
    }

    #[test]
    fn an_unknown_key_is_refused_with_file_and_line() {
        let error = read(&GOOD.replace("[delimited]", "colour = \"red\"\n[delimited]")).expect_err("unknown key");
        assert!(error.starts_with("cannot read `my/families/code.toml:"), "{error}");
        assert!(error.contains("colour"), "{error}");
    }

    #[test]
    fn a_dollar_sign_cannot_close_an_angle_and_wording_cannot_be_empty() {
        assert!(
            read(&GOOD.replace("\"@\"", "\"$\""))
                .expect_err("dollar")
                .contains("`close` is `$`")
        );
        assert!(
            read(&GOOD.replace("\"better correctness\"", "\" \""))
                .expect_err("empty")
                .contains("`high_score` is empty")
        );
    }
}
