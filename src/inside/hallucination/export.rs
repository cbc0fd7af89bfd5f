//! Scored responses as files: `scores.csv`, `scores.jsonl` with the tokens, `scores.html`.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::detector::Detector;
use super::page::page;
use super::score::{Outcome, Regime, Scored};

/// Failures to write scores.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file cannot be written.
    #[error("failed to write `{path}`: {source}; check that the folder is writable and has room")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The page cannot be made.
    #[error("failed to make the page of scores: {0}")]
    Page(#[from] minijinja::Error),
}

/// Writes the three files into a folder and returns their paths.
pub fn export(
    folder: &Path,
    detector: &Detector,
    regime: Regime,
    scored: &[Scored],
) -> Result<Vec<PathBuf>, ExportError> {
    let page = page(detector, regime, scored)?;
    std::fs::create_dir_all(folder).map_err(|source| ExportError::Io {
        path: folder.to_owned(),
        source,
    })?;
    let contents: [(&str, std::io::Result<Vec<u8>>); 3] = [
        ("scores.csv", table(scored)),
        ("scores.jsonl", lines(scored)),
        ("scores.html", Ok(page.into_bytes())),
    ];
    let mut written = Vec::new();
    for (name, content) in contents {
        let path = folder.join(name);
        content
            .and_then(|content| std::fs::write(&path, content))
            .map_err(|source| ExportError::Io {
                path: path.clone(),
                source,
            })?;
        written.push(path);
    }
    Ok(written)
}

fn table(scored: &[Scored]) -> std::io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "id",
        "probability",
        "logit",
        "verdict",
        "over",
        "answer_tokens",
        "answer",
        "refused",
    ])?;
    for item in scored {
        match &item.outcome {
            Outcome::Score {
                logit,
                probability,
                verdict,
                over,
                answer_tokens,
                answer,
            } => {
                let (verdict, over) = (serde_json::to_value(verdict)?, serde_json::to_value(over)?);
                writer.write_record([
                    item.id.as_str(),
                    &probability.to_string(),
                    &logit.to_string(),
                    verdict.as_str().unwrap_or(""),
                    over.as_str().unwrap_or(""),
                    &answer_tokens.to_string(),
                    item.response.get(answer.0..answer.1).unwrap_or(""),
                    "",
                ])?;
            }
            Outcome::Refused(reason) => writer.write_record([item.id.as_str(), "", "", "", "", "", "", reason])?,
        }
    }
    writer
        .into_inner()
        .map_err(|error| std::io::Error::other(error.to_string()))
}

fn lines(scored: &[Scored]) -> std::io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for item in scored {
        serde_json::to_writer(&mut lines, item)?;
        lines.write_all(b"\n")?;
    }
    Ok(lines)
}
