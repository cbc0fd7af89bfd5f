//! Results in a folder: tables, one document with everything, figures.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{
    beside::Beside,
    figures::{
        beside_figure, blocks_figure, emergence_figure, metrics_figure, rms_figure, spectra_figure,
        trace_spectra_figure,
    },
    origin::Origin,
    report::Report,
    tables::{companions_csv, parts_csv, report_json, spectra_csv, surrogates_csv, trace_csv, trace_json},
    trace::Trace,
};

/// A result that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("could not write `{path}`; check that its folder is writable and has room")]
pub struct WriteError {
    /// The file, or the folder.
    pub path: PathBuf,
    /// What went wrong.
    #[source]
    pub cause: io::Error,
}

/// The files of one run.
struct Folder<'a> {
    path: &'a Path,
    written: Vec<PathBuf>,
}

impl<'a> Folder<'a> {
    fn make(path: &'a Path) -> Result<Self, WriteError> {
        std::fs::create_dir_all(path).map_err(|cause| WriteError {
            path: path.to_owned(),
            cause,
        })?;
        Ok(Self {
            path,
            written: Vec::new(),
        })
    }

    /// A file appears under its name only when it is whole.
    fn put(&mut self, name: &str, content: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Result<(), WriteError> {
        let path = self.path.join(name);
        let write = || -> io::Result<()> {
            let mut bytes = Vec::new();
            content(&mut bytes)?;
            let mut file = builder().tempfile_in(self.path)?;
            file.write_all(&bytes)?;
            file.persist(&path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|cause| WriteError {
            path: path.clone(),
            cause,
        })?;
        self.written.push(path);
        Ok(())
    }

    /// A figure, where there is anything to draw.
    fn draw(&mut self, name: &str, figure: Option<String>) -> Result<(), WriteError> {
        match figure {
            Some(svg) => self.put(name, |to| to.write_all(svg.as_bytes())),
            None => Ok(()),
        }
    }
}

fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".writing-");
    // Temporary files are private by default; a result is as readable as the user's umask says.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}

/// Writes `spectrum.csv`, `parts.csv`, `surrogates.csv`, `companions.csv`, `spectrum.json`, `spectrum.svg` and `blocks.svg`. Returns their paths.
pub fn write_report(report: &Report, origin: &Origin, folder: &Path) -> Result<Vec<PathBuf>, WriteError> {
    let mut folder = Folder::make(folder)?;
    let label = origin.label.as_str();
    folder.put("spectrum.csv", |to| spectra_csv([(label, &report.measurement)], to))?;
    folder.put("parts.csv", |to| parts_csv(report, to))?;
    // The full network has neither controls nor statistics of sampled matrices.
    if !report.surrogates.is_empty() {
        folder.put("surrogates.csv", |to| surrogates_csv(report, to))?;
        folder.put("companions.csv", |to| {
            companions_csv([(label, report.companions.as_slice())], to)
        })?;
    }
    folder.put("spectrum.json", |to| report_json(report, origin, to))?;
    folder.draw(
        "spectrum.svg",
        spectra_figure([(label.to_owned(), &report.measurement)]),
    )?;
    folder.draw("blocks.svg", blocks_figure(report))?;
    Ok(folder.written)
}

/// Writes `trace.csv`, `spectra.csv`, `companions.csv`, `trace.json`, `spectra.svg`, `metrics.svg`, `emergence.svg`, `rms.svg` and a
/// `beside-NAME.svg` for every measure. Returns their paths.
pub fn write_trace(
    trace: &Trace,
    measures: &[Beside],
    origins: &[Origin],
    folder: &Path,
) -> Result<Vec<PathBuf>, WriteError> {
    let mut folder = Folder::make(folder)?;
    folder.put("trace.csv", |to| trace_csv(trace, measures, to))?;
    let spectra = trace
        .rows
        .iter()
        .filter_map(|row| Some((row.label.as_str(), row.measurement.as_ref()?)));
    folder.put("spectra.csv", |to| spectra_csv(spectra, to))?;
    let companions = trace
        .rows
        .iter()
        .map(|row| (row.label.as_str(), row.companions.as_slice()));
    folder.put("companions.csv", |to| companions_csv(companions, to))?;
    folder.put("trace.json", |to| trace_json(trace, measures, origins, to))?;
    folder.draw("spectra.svg", trace_spectra_figure(trace))?;
    folder.draw("metrics.svg", metrics_figure(trace))?;
    folder.draw("emergence.svg", emergence_figure(trace))?;
    folder.draw("rms.svg", rms_figure(trace))?;
    for measure in measures {
        let name = format!("beside-{}.svg", plain(&measure.name));
        folder.draw(&name, beside_figure(trace, measure))?;
    }
    Ok(folder.written)
}

/// A column's name as part of a file's name.
fn plain(name: &str) -> String {
    let keep = |c: char| if c.is_alphanumeric() { c } else { '-' };
    name.chars().map(keep).collect()
}
