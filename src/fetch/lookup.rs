//! From what a user typed to an entry or a file.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::catalog::{CatalogError, Listed, Model, Models};
use super::home::{Home, HomeError, Shelf};
use super::slot::{Presence, Slot};

/// What kind of name was looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// A model.
    Model,
    /// A benchmark.
    Dataset,
}

impl Named {
    fn word(self) -> &'static str {
        match self {
            Named::Model => "model",
            Named::Dataset => "dataset",
        }
    }

    fn shelf(self) -> Shelf {
        match self {
            Named::Model => Shelf::Models,
            Named::Dataset => Shelf::Data,
        }
    }
}

/// A name that no entry has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no {} is called `{name}`{} (`widedeep {} list` shows all)", kind.word(), did_you_mean(near), kind.shelf().name())]
pub struct UnknownName {
    /// What was looked up.
    pub kind: Named,
    /// What was typed.
    pub name: String,
    /// Names like it, the most like first.
    pub near: Vec<String>,
}

fn did_you_mean(near: &[String]) -> String {
    if near.is_empty() {
        return String::new();
    }
    let names: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
    format!("; did you mean {}?", names.join(" or "))
}

impl UnknownName {
    pub(super) fn find<'a, T: Listed>(entries: &'a [T], name: &str, kind: Named) -> Result<&'a T, Self> {
        if let Some(entry) = entries.iter().find(|entry| entry.artifact().name == name) {
            return Ok(entry);
        }
        let typed = name.to_lowercase();
        let mut near: Vec<(f64, &str)> = entries
            .iter()
            .map(|entry| entry.artifact().name.as_str())
            .map(|known| {
                let part = !typed.is_empty() && known.contains(&typed);
                (
                    if part {
                        1.0
                    } else {
                        strsim::normalized_damerau_levenshtein(&typed, known)
                    },
                    known,
                )
            })
            .filter(|(likeness, _)| *likeness >= 0.6)
            .collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0));
        let near = near.into_iter().take(3).map(|(_, known)| known.to_owned()).collect();
        Err(Self {
            kind,
            name: name.to_owned(),
            near,
        })
    }
}

/// A model that was named and cannot be used as it is.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// A path to nothing.
    #[error("there is no model file `{path}`; give the path of a GGUF file, or a name from `widedeep models list`")]
    NoFile {
        /// The path, as given.
        path: PathBuf,
    },
    /// A path to something else.
    #[error(
        "`{path}` is no GGUF file (it does not begin with `GGUF`); convert the model with llama.cpp, or name one from `widedeep models list`"
    )]
    NotGguf {
        /// The path, as given.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the model file `{path}`")]
    Read {
        /// The path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No entry has this name.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// The model is known and not here.
    #[error("model `{}` has not been pulled; run `widedeep models pull {}`", model.artifact.name, model.artifact.name)]
    NotPulled {
        /// The entry, to pull it.
        model: Box<Model>,
    },
    /// No folder to look in.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The registry cannot be used.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

/// The GGUF file that `wanted` means: a path to one, or the name of a model that has been pulled into the user's [`Home`].
pub fn resolve_model(wanted: &str) -> Result<PathBuf, ResolveError> {
    let home = Home::from_env()?;
    let models = Models::load(&home)?;
    resolve_model_in(&home, &models, wanted)
}

/// [`resolve_model`] with a given home and registry.
///
/// What contains a path separator or ends in `.gguf` is a path; anything else is a name.
pub fn resolve_model_in(home: &Home, models: &Models, wanted: &str) -> Result<PathBuf, ResolveError> {
    if wanted.contains(['/', std::path::MAIN_SEPARATOR]) || wanted.to_lowercase().ends_with(".gguf") {
        return gguf_file(Path::new(wanted));
    }
    let model = models.get(wanted)?;
    let slot = Slot::new(home, Shelf::Models, &model.artifact);
    match slot.presence() {
        Presence::Present => Ok(slot.path().to_owned()),
        Presence::Absent | Presence::WrongSize { .. } => Err(ResolveError::NotPulled {
            model: Box::new(model.clone()),
        }),
    }
}

fn gguf_file(path: &Path) -> Result<PathBuf, ResolveError> {
    if !path.is_file() {
        return Err(ResolveError::NoFile { path: path.to_owned() });
    }
    let mut magic = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(4).read_to_end(&mut magic))
        .map_err(|source| ResolveError::Read {
            path: path.to_owned(),
            source,
        })?;
    if magic != b"GGUF" {
        return Err(ResolveError::NotGguf { path: path.to_owned() });
    }
    Ok(path.to_owned())
}
