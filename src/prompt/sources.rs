//! The files that prompts are built from: the program's own, and those of a folder that take their places.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::PromptError;

/// A file of the program, with the path that it has in the sources.
macro_rules! embedded {
    ($path:literal) => {
        ($path, include_str!(concat!("../../", $path)))
    };
}

const FAMILIES: [(&str, &str); 9] = [
    embedded!("prompts/families/code.toml"),
    embedded!("prompts/families/data-to-text.toml"),
    embedded!("prompts/families/dialogue.toml"),
    embedded!("prompts/families/multi-dialogue.toml"),
    embedded!("prompts/families/nli.toml"),
    embedded!("prompts/families/qa.toml"),
    embedded!("prompts/families/safety.toml"),
    embedded!("prompts/families/story.toml"),
    embedded!("prompts/families/summary.toml"),
];

const LAYOUTS: [(&str, &str); 4] = [
    embedded!("prompts/layouts/faireval-vanilla.toml"),
    embedded!("prompts/layouts/faireval.toml"),
    embedded!("prompts/layouts/official.toml"),
    embedded!("prompts/layouts/shared.toml"),
];

/// One file.
pub(super) struct Source {
    pub path: PathBuf,
    pub text: String,
}

/// The files in use, by their names without extension.
pub(super) struct Sources {
    pub families: BTreeMap<String, Source>,
    pub layouts: BTreeMap<String, Source>,
}

impl Sources {
    /// The program's own.
    pub fn embedded() -> Self {
        let all = |files: &[(&str, &str)]| {
            files
                .iter()
                .map(|(path, text)| {
                    let path = PathBuf::from(path);
                    let text = (*text).to_owned();
                    (name(&path), Source { path, text })
                })
                .collect()
        };
        Self {
            families: all(&FAMILIES),
            layouts: all(&LAYOUTS),
        }
    }

    /// Puts the TOML files of `dir/families` and `dir/layouts` in the places of those of the same name, or adds them.
    pub fn replace_from(&mut self, dir: &Path) -> Result<(), PromptError> {
        let (families, layouts) = (dir.join("families"), dir.join("layouts"));
        if !families.is_dir() && !layouts.is_dir() {
            return Err(PromptError::NoOverrides { path: dir.to_owned() });
        }
        read_into(&mut self.families, &families)?;
        read_into(&mut self.layouts, &layouts)
    }

    /// A hash of kinds, names and texts, each preceded by its length as 8 bytes; paths do not count.
    pub fn digest(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for (kind, files) in [("families", &self.families), ("layouts", &self.layouts)] {
            for (name, source) in files {
                for part in [kind, name, &source.text] {
                    hasher.update(&(part.len() as u64).to_le_bytes());
                    hasher.update(part.as_bytes());
                }
            }
        }
        hasher.finalize()
    }
}

/// What a family or layout is called: its file's name without the extension.
pub(super) fn name(path: &Path) -> String {
    path.file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default()
        .to_owned()
}

/// Reads every TOML file of a folder; a folder that is absent has none.
fn read_into(files: &mut BTreeMap<String, Source>, dir: &Path) -> Result<(), PromptError> {
    if !dir.is_dir() {
        return Ok(());
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| PromptError::Read { path, source }
    };
    for entry in fs::read_dir(dir).map_err(failed(dir))? {
        let path = entry.map_err(failed(dir))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = fs::read_to_string(&path).map_err(failed(&path))?;
            files.insert(name(&path), Source { path, text });
        }
    }
    Ok(())
}
