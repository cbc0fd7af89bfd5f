//! What a dataset stands for: prompt family, task type and abilities (spec sections 2.1, 4 and 9).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The table of `prompts/taxonomy.toml`, or of a file of the same form.
///
/// ```
/// use widedeep::pair::{Known, Taxonomy};
///
/// let taxonomy = Taxonomy::embedded();
/// assert_eq!(taxonomy.family("pku-saferlhf").family, "safety");
/// assert_eq!(taxonomy.family("my own").known, Known::Fallback);
/// assert_eq!(taxonomy.task_type("webgpt"), Some("Retrieval QA"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taxonomy {
    default_family: String,
    #[serde(default)]
    datasets: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    family: String,
    task_type: Option<String>,
    #[serde(default)]
    abilities: Vec<String>,
}

/// The prompt family of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FamilyChoice<'a> {
    /// The family's id: `qa`, `summary`, `story`, `data-to-text`, `nli`, `dialogue`, `multi-dialogue`, `safety` or `code`, or a
    /// user's own.
    pub family: &'a str,
    /// Whether the table names the dataset.
    pub known: Known,
}

/// Whether a taxonomy names a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It has an entry.
    Listed,
    /// It has none, and gets the default family. The official code stops here instead.
    Fallback,
}

/// Why a taxonomy file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TaxonomyError {
    /// The file cannot be read.
    #[error("cannot read the taxonomy `{}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The file is not a taxonomy.
    #[error("{}:{line}: {what}; the file is no taxonomy, whose form is that of `prompts/taxonomy.toml`", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// 1-based line.
        line: usize,
        /// The parser's message.
        what: String,
    },
}

impl Taxonomy {
    /// The built-in table.
    ///
    /// # Panics
    /// Never: the table is part of the program, and a test parses it.
    #[must_use]
    pub fn embedded() -> Self {
        include_str!("../../prompts/taxonomy.toml")
            .parse()
            .expect("the built-in taxonomy parses")
    }

    /// A user's table, which replaces the built-in one.
    ///
    /// # Errors
    /// [`TaxonomyError`] with the path.
    pub fn load(path: &Path) -> Result<Self, TaxonomyError> {
        let text = std::fs::read_to_string(path).map_err(|source| TaxonomyError::Open {
            path: path.to_owned(),
            source,
        })?;
        text.parse().map_err(|error: toml::de::Error| TaxonomyError::Parse {
            path: path.to_owned(),
            line: error
                .span()
                .map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1),
            what: error.message().to_owned(),
        })
    }

    /// The prompt family of a dataset; names are compared exactly.
    #[must_use]
    pub fn family(&self, dataset: &str) -> FamilyChoice<'_> {
        match self.datasets.get(dataset) {
            Some(entry) => FamilyChoice {
                family: &entry.family,
                known: Known::Listed,
            },
            None => FamilyChoice {
                family: &self.default_family,
                known: Known::Fallback,
            },
        }
    }

    /// The task type under which tables group the dataset, if it has one.
    #[must_use]
    pub fn task_type(&self, dataset: &str) -> Option<&str> {
        self.datasets.get(dataset)?.task_type.as_deref()
    }

    /// The abilities that the dataset tests; a dataset may have several, or none.
    #[must_use]
    pub fn abilities(&self, dataset: &str) -> &[String] {
        self.datasets.get(dataset).map_or(&[], |entry| &entry.abilities)
    }

    /// Every listed dataset with its family, sorted by name; for checking that the families exist.
    pub fn listed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.datasets
            .iter()
            .map(|(dataset, entry)| (dataset.as_str(), entry.family.as_str()))
    }

    /// The family of datasets that are not listed.
    #[must_use]
    pub fn default_family(&self) -> &str {
        &self.default_family
    }

    /// BLAKE3 of the table's content as JSON, in hexadecimal: what a run records of its taxonomy.
    ///
    /// Equal tables have equal digests: comments, spacing and the order of the datasets in the file do not count.
    ///
    /// # Panics
    /// Never: the table is strings and lists of strings.
    #[must_use]
    pub fn digest(&self) -> String {
        let json = serde_json::to_vec(self).expect("strings and lists of strings are JSON");
        blake3::hash(&json).to_hex().to_string()
    }
}

impl FromStr for Taxonomy {
    type Err = toml::de::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        toml::from_str(text)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn an_unknown_dataset_falls_back_to_qa_without_task_type_or_abilities() {
        let taxonomy = Taxonomy::embedded();
        assert_eq!(
            taxonomy.family("gpqa"),
            FamilyChoice {
                family: "qa",
                known: Known::Fallback
            }
        );
        assert_eq!(
            taxonomy.family("faireval"),
            FamilyChoice {
                family: "qa",
                known: Known::Listed
            }
        );
        assert_eq!(
            taxonomy.family("llmbar"),
            FamilyChoice {
                family: "qa",
                known: Known::Listed
            }
        );
        assert_eq!(taxonomy.task_type("gpqa"), None);
        assert!(taxonomy.abilities("gpqa").is_empty());
    }

    #[test]
    fn the_abilities_are_the_proposed_mapping_of_spec_section_9() {
        let taxonomy = Taxonomy::embedded();
        let of = |ability: &str| -> Vec<&str> {
            let has = |dataset: &&str| taxonomy.abilities(dataset).iter().any(|there| there == ability);
            taxonomy.listed().map(|(dataset, _)| dataset).filter(has).collect()
        };
        assert_eq!(of("Induction and Summarization"), ["summarizefeedback", "summeval"]);
        assert_eq!(of("Knowledge QA"), ["eli5", "shp", "webgpt"]);
        assert_eq!(
            of("Multilingual"),
            ["reward-aira-portuguese", "rlhf-reward-chinese", "rlhf-reward-russian"]
        );
        assert_eq!(of("Harmlessness"), ["hh-rlhf", "pku-saferlhf"]);
        assert_eq!(of("Dialogue"), ["hh-rlhf", "mt-bench", "rlhf-reward-russian"]);
        assert_eq!(of("Text Composition"), ["bagel", "openmeva"]);
        assert_eq!(of("Logical Reasoning"), ["code-contests", "hellaswag"]);
        assert_eq!(of("Semantic Understanding"), ["bagel", "hellaswag", "openmeva"]);
        assert_eq!(
            taxonomy
                .listed()
                .flat_map(|(dataset, _)| taxonomy.abilities(dataset))
                .count(),
            20
        );
    }

    #[test]
    fn the_digest_is_that_of_the_table_and_not_of_its_spelling() {
        let digest = |text: &str| text.parse::<Taxonomy>().unwrap().digest();
        let one = "default_family = \"qa\"\n[datasets.a]\nfamily = \"nli\"\n[datasets.b]\nfamily = \"code\"\n";
        let same = "# mine\ndefault_family = 'qa'\n[datasets]\nb = { family = 'code' }\na = { family = 'nli' }\n";
        assert_eq!(digest(one), digest(same));
        let changes = [
            ("\"qa\"", "\"nli\""),
            ("datasets.a", "datasets.c"),
            ("\"code\"", "\"qa\""),
            ("\"code\"", "\"code\"\ntask_type = \"T\""),
            ("\"code\"", "\"code\"\nabilities = [\"T\"]"),
        ];
        let digests: BTreeSet<String> = changes
            .iter()
            .map(|(from, to)| digest(&one.replace(from, to)))
            .collect();
        assert_eq!(digests.len(), changes.len());
        assert!(!digests.contains(&digest(one)));

        let embedded = Taxonomy::embedded();
        assert_eq!(embedded.digest(), Taxonomy::embedded().digest());
        assert_ne!(embedded.digest(), digest(one));
    }

    #[test]
    fn a_users_file_is_read_and_its_mistakes_are_reported_with_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.toml");
        std::fs::write(&path, "default_family = \"code\"\n[datasets.law]\nfamily = \"legal\"\n").unwrap();
        let mine = Taxonomy::load(&path).unwrap();
        assert_eq!(mine.family("law").family, "legal");
        assert_eq!(
            mine.family("webgpt"),
            FamilyChoice {
                family: "code",
                known: Known::Fallback
            }
        );

        std::fs::write(&path, "default_family = \"qa\"\n[datasets.law]\nfamliy = \"qa\"\n").unwrap();
        let error = Taxonomy::load(&path).unwrap_err();
        assert!(
            error.to_string().contains("mine.toml:3: unknown field `famliy`"),
            "{error}"
        );

        let error = Taxonomy::load(&dir.path().join("absent.toml")).unwrap_err();
        assert!(error.to_string().contains("cannot read the taxonomy"), "{error}");
    }
}
