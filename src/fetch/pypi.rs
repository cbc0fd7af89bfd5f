//! Files published in slices inside Python packages, fetched by the user's own pip.
//!
//! Going through `pip download` keeps whatever the user has set up for pip: index, mirror, proxy, certificates, credentials.
//! Only wheels are taken (an sdist would run its build script), never dependencies, always exact versions.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;

use super::shown;

/// How pip is called.
#[derive(Debug, Clone)]
pub struct Pip {
    pythons: Vec<OsString>,
}

/// Why a package could not be had.
#[derive(Debug, thiserror::Error)]
pub enum PypiError {
    /// There is no Python with pip.
    #[error("no Python with pip was found (tried {tried}); install one, or point `WIDEDEEP_PYTHON` to it")]
    NoPip {
        /// The programs that were tried and what became of them.
        tried: String,
    },
    /// pip failed.
    #[error("pip could not download `{requirement}`: {said}")]
    Pip {
        /// `name==version`.
        requirement: String,
        /// The last lines of its complaint.
        said: String,
    },
    /// pip succeeded and left no wheel.
    #[error("pip reported success for `{requirement}` and left no wheel")]
    NoWheel {
        /// `name==version`.
        requirement: String,
    },
    /// The download folder cannot be used.
    #[error("cannot use the download folder `{path}`: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Pip {
    /// `$WIDEDEEP_PYTHON` or, if that is not set, the first of `python3` and `python` that has pip.
    pub fn from_env() -> Self {
        match std::env::var_os("WIDEDEEP_PYTHON") {
            Some(python) if !python.is_empty() => Self::of(python),
            _ => Self {
                pythons: vec!["python3".into(), "python".into()],
            },
        }
    }

    /// The pip of one Python.
    pub fn of(python: impl Into<OsString>) -> Self {
        Self {
            pythons: vec![python.into()],
        }
    }

    /// Downloads the wheel of `requirement` into `folder`, an existing and empty folder, and returns its path. `sized` is told
    /// now and then how many bytes of it have come.
    pub async fn wheel(
        &self,
        requirement: &str,
        folder: &Path,
        sized: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<PathBuf, PypiError> {
        let mut tried = Vec::new();
        for python in &self.pythons {
            let name = format!("`{}`", python.to_string_lossy());
            let output = match self.run(python, requirement, folder, sized).await {
                Ok(output) => output,
                Err(error) => {
                    tried.push(format!("{name}: {error}"));
                    continue;
                }
            };
            let said = String::from_utf8_lossy(&output.stderr);
            if output.status.success() {
                return wheel_in(folder)
                    .map_err(|source| PypiError::Folder {
                        path: folder.to_owned(),
                        source,
                    })?
                    .ok_or_else(|| PypiError::NoWheel {
                        requirement: requirement.to_owned(),
                    });
            }
            if said.contains("No module named pip") {
                tried.push(format!("{name}: it has no pip"));
                continue;
            }
            return Err(PypiError::Pip {
                requirement: requirement.to_owned(),
                said: shown::complaint(&said),
            });
        }
        Err(PypiError::NoPip {
            tried: tried.join(", "),
        })
    }

    async fn run(
        &self,
        python: &OsString,
        requirement: &str,
        folder: &Path,
        sized: &(dyn Fn(u64) + Send + Sync),
    ) -> std::io::Result<Output> {
        let child = Command::new(python)
            .args([
                "-m",
                "pip",
                "download",
                "--no-deps",
                "--only-binary",
                ":all:",
                "--no-input",
            ])
            .args(["--disable-pip-version-check", "--progress-bar", "off", "--dest"])
            .arg(folder)
            .arg(requirement)
            // pip's own temporary files then lie where their size can be watched, and on a disk that must hold them anyway.
            .envs(["TMPDIR", "TEMP", "TMP"].map(|name| (name, folder)))
            // A `pip.py` in the current folder is not pip (Python 3.11 and later).
            .env("PYTHONSAFEPATH", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let finished = child.wait_with_output();
        tokio::pin!(finished);
        let mut tick = tokio::time::interval(Duration::from_millis(250));
        loop {
            tokio::select! {
                output = &mut finished => return output,
                _ = tick.tick() => sized(largest_file(folder)),
            }
        }
    }
}

fn wheel_in(folder: &Path) -> std::io::Result<Option<PathBuf>> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("whl"))
        {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The length of the largest file below `folder`: the wheel being written, wherever pip has it at the moment. A folder that
/// vanishes while it is read counts as empty.
fn largest_file(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => largest_file(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .max()
        .unwrap_or(0)
}
