//! Models in several files, named `name-00001-of-00003.gguf`.

use std::path::{Path, PathBuf};

use super::WeightsError;

/// The files after the first of `count`, given the first (number `this` from 0).
pub(super) fn others(path: &Path, count: u64, this: u64) -> Result<Vec<PathBuf>, WeightsError> {
    if count < 2 {
        return Ok(Vec::new());
    }
    let fail = |problem: String| WeightsError::Shards {
        path: path.to_owned(),
        problem,
    };
    let suffix = |number: u64| format!("-{number:05}-of-{count:05}.gguf");
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if this != 0 {
        return Err(fail(format!("give the first, whose name ends in `{}`", suffix(1))));
    }
    let stem = name.strip_suffix(&suffix(1)).ok_or_else(|| {
        fail(format!(
            "its name must end in `{}`, so that the others are found",
            suffix(1)
        ))
    })?;
    (2..=count)
        .map(|number| {
            let other = path.with_file_name(format!("{stem}{}", suffix(number)));
            if other.is_file() {
                Ok(other)
            } else {
                Err(fail(format!("`{}` is missing; download it too", other.display())))
            }
        })
        .collect()
}
