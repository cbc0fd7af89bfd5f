//! Price lists: what models behind an API cost.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Price;

const EMBEDDED: &str = include_str!("../../prompts/prices.toml");

/// A model's price, with where it is from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Name of the model, or `NAME@HOST/PATH` for one server.
    pub name: String,
    /// The provider's host, at which the price holds; without it, it holds at any host but this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// US dollars per million prompt tokens.
    pub prompt: f64,
    /// US dollars per million prompt tokens read from the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_prompt: Option<f64>,
    /// US dollars per million generated tokens.
    pub completion: f64,
    /// Factor on all prices for requests that go through the provider's Batch API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<f64>,
    /// The day on which the source said so.
    pub date: String,
    /// Who says so.
    pub source: String,
}

impl Listed {
    /// The price of ordinary requests.
    pub fn price(&self) -> Price {
        Price {
            prompt: self.prompt,
            cached_prompt: self.cached_prompt,
            completion: self.completion,
        }
    }

    fn check(&self) -> Result<(), String> {
        let is_price = |price: f64| price.is_finite() && price >= 0.0;
        if ![Some(self.prompt), self.cached_prompt, Some(self.completion)]
            .into_iter()
            .flatten()
            .all(is_price)
        {
            return Err(format!("`{}` has a price that is negative or no number", self.name));
        }
        if self.batch.is_some_and(|factor| !(0.0..=1.0).contains(&factor)) {
            return Err(format!("`{}` has a `batch` factor outside 0 to 1", self.name));
        }
        if self.name.is_empty() {
            return Err("an entry has an empty name".to_owned());
        }
        Ok(())
    }
}

/// A price list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    #[serde(rename = "model", default)]
    models: Vec<Listed>,
}

/// Why a price list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PricesError {
    /// The file cannot be read.
    #[error("failed to read the prices `{path}`: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error(
        "`{path}`{}: {what}; an entry is `[[model]]` with `name`, `prompt`, `completion` (US dollars per million tokens), `date` and `source`",
        line.map_or(String::new(), |line| format!(":{line}"))
    )]
    Content {
        /// The file.
        path: PathBuf,
        /// The line, where it is known.
        line: Option<usize>,
        /// What is wrong.
        what: String,
    },
}

impl Prices {
    /// The list that comes with the program.
    ///
    /// # Panics
    ///
    /// Never: a test reads it.
    pub fn embedded() -> Self {
        Self::parse(EMBEDDED, Path::new("prices.toml")).expect("the embedded prices are well-formed")
    }

    /// The embedded list with the entries of a file, which replace those of the same name.
    pub fn with_overrides(path: &Path) -> Result<Self, PricesError> {
        let text = std::fs::read_to_string(path).map_err(|source| PricesError::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut prices = Self::embedded();
        for listed in Self::parse(&text, path)?.models {
            match prices.models.iter_mut().find(|known| known.name == listed.name) {
                Some(known) => *known = listed,
                None => prices.models.push(listed),
            }
        }
        Ok(prices)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, PricesError> {
        let fault = |line, what| PricesError::Content {
            path: path.to_owned(),
            line,
            what,
        };
        let prices: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start].matches('\n').count() + 1);
            fault(line, error.message().to_owned())
        })?;
        for (i, listed) in prices.models.iter().enumerate() {
            listed.check().map_err(|what| fault(None, what))?;
            if prices.models[..i].iter().any(|other| other.name == listed.name) {
                return Err(fault(None, format!("`{}` has two prices", listed.name)));
            }
        }
        Ok(prices)
    }

    /// All entries, in their order.
    pub fn entries(&self) -> &[Listed] {
        &self.models
    }

    /// The price of the model of a run: `openai:NAME@HOST/PATH`. An entry for that very server goes first, then one for the name at that host,
    /// then one for the name of which this is a dated variant. Servers on this machine have no price but one of their own; local models have
    /// none at all.
    pub fn of(&self, model: &str) -> Option<&Listed> {
        let place = model.strip_prefix("openai:")?;
        let named = |name: &str| self.models.iter().find(|listed| listed.name == name);
        if let Some(own) = named(place) {
            return Some(own);
        }
        let (name, host) = place.rsplit_once('@')?;
        if is_here(host) {
            return None;
        }
        let host = host.split('/').next().unwrap_or(host);
        let here = |name: &str| named(name).filter(|listed| listed.host.as_deref().is_none_or(|own| own == host));
        here(name).or_else(|| here(undated(name)?))
    }
}

/// Whether a server is on this machine.
fn is_here(host: &str) -> bool {
    let host = host.split('/').next().unwrap_or(host);
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    };
    name == "localhost"
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// `gpt-4o` of `gpt-4o-2024-11-20`, `gpt-4` of `gpt-4-0613`.
fn undated(name: &str) -> Option<&str> {
    let cut = |digits: &[usize]| {
        let mut rest = name;
        for &count in digits {
            let (before, last) = rest.rsplit_once('-')?;
            (last.len() == count && last.bytes().all(|byte| byte.is_ascii_digit())).then_some(())?;
            rest = before;
        }
        Some(rest)
    };
    cut(&[2, 2, 4]).or_else(|| cut(&[4])).or_else(|| cut(&[8]))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn name_of(model: &str) -> Option<String> {
        Prices::embedded().of(model).map(|listed| listed.name.clone())
    }

    #[test]
    fn the_embedded_list_is_well_formed_and_says_where_it_is_from() {
        let prices = Prices::embedded();
        assert!(prices.entries().len() > 5);
        for listed in prices.entries() {
            assert!(listed.date.parse::<jiff::civil::Date>().is_ok(), "{listed:?}");
            assert!(!listed.source.is_empty());
        }
        // The prices that the published code knows (spec 10.1).
        let paper = prices.of("openai:gpt-3.5-turbo-0301@api.openai.com/v1").unwrap();
        assert_eq!(
            (paper.prompt.to_bits(), paper.completion.to_bits()),
            (2.0_f64.to_bits(), 2.0_f64.to_bits())
        );
    }

    #[test]
    fn a_model_is_found_by_its_name_or_by_that_of_which_it_is_a_dated_variant() {
        let found = |model: &str| name_of(&format!("openai:{model}@api.openai.com/v1"));
        assert_eq!(found("gpt-4o").as_deref(), Some("gpt-4o"));
        assert_eq!(found("gpt-4o-2024-11-20").as_deref(), Some("gpt-4o"));
        assert_eq!(
            found("gpt-4o-mini").as_deref(),
            Some("gpt-4o-mini"),
            "and not that of gpt-4o"
        );
        assert_eq!(found("gpt-4o-mini-2024-07-18").as_deref(), Some("gpt-4o-mini"));
        assert_eq!(found("gpt-4-0613").as_deref(), Some("gpt-4"));
        assert_eq!(
            found("gpt-4o-2024-05-13").as_deref(),
            Some("gpt-4o-2024-05-13"),
            "which has a price of its own"
        );
        assert_eq!(found("gpt-4-5"), None, "another version is no date");
        assert_eq!(found("gpt-4o-audio-preview"), None, "another product");
        assert_eq!(found("gpt-99"), None);
    }

    #[test]
    fn servers_on_this_machine_and_local_models_have_no_price() {
        for here in ["127.0.0.1:8080/v1", "localhost/v1", "[::1]:80/v1"] {
            assert_eq!(name_of(&format!("openai:gpt-4o@{here}")), None, "{here}");
        }
        assert_eq!(name_of("gpt-4o"), None);
        assert_eq!(
            name_of("openai:gpt-4o@10.0.0.5/v1"),
            None,
            "a provider's price is not a proxy's"
        );
        assert_eq!(name_of("smollm2-135m"), None);
    }

    #[test]
    fn a_file_adds_and_replaces_entries_also_for_one_server() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "[[model]]\nname = \"gpt-4o\"\nprompt = 1\ncompletion = 2\ndate = \"2026-11-24\"\nsource = \"contract\"\n\
                    [[model]]\nname = \"gpt-4o@127.0.0.1:8080/v1\"\nprompt = 3\ncompletion = 4\ndate = \"2026-11-24\"\nsource = \"electricity\"\n";
        std::fs::write(&file, text).unwrap();
        let prices = Prices::with_overrides(file.path()).unwrap();
        assert_eq!(prices.of("openai:gpt-4o@api.openai.com/v1").unwrap().source, "contract");
        assert_eq!(
            prices.of("openai:gpt-4o@127.0.0.1:8080/v1").unwrap().source,
            "electricity"
        );
        assert!(
            prices.of("openai:gpt-4o@10.0.0.5/v1").is_some(),
            "an entry without a host is for any"
        );
        assert!(prices.of("openai:gpt-4o@127.0.0.1:9/v1").is_none(), "but this machine");
        assert_eq!(prices.entries().len(), Prices::embedded().entries().len() + 1);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let wrong = |text: &str| {
            std::fs::write(&file, text).unwrap();
            let error = Prices::with_overrides(file.path()).unwrap_err().to_string();
            error.replace(&file.path().display().to_string(), "mine.toml")
        };
        let whole = "name = \"m\"\nprompt = 1\ncompletion = 2\ndate = \"d\"\nsource = \"s\"\n";
        assert!(wrong("[[model]]\nname = \"m\"\n").starts_with("`mine.toml`:1: missing field `prompt`"));
        assert!(wrong(&format!("[[model]]\n{whole}cents = 3\n")).starts_with("`mine.toml`:7: unknown field `cents`"));
        assert!(wrong(&format!("[[model]]\n{whole}[[model]]\n{whole}")).contains("`m` has two prices"));
        assert!(wrong(&format!("[[model]]\n{}", whole.replace('1', "-1"))).contains("negative"));
    }
}
