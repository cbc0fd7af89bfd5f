//! What is judged: pairs, as the flags select them, and the texts that they are judged with.

use std::path::{Path, PathBuf};

use super::session::Wanted;
use super::{Failure, failed, input, note};
use widedeep::pair::{BadLines, Format, Known, Pair, Sample, Selection, Source, Survey, Taxonomy};
use widedeep::prompt::Prompts;
use widedeep::run::{DataSource, Store};

/// Flags about the pairs.
#[derive(Debug, clap::Args)]
pub(crate) struct DataFlags {
    /// File or folder of pairs, or `demo` for a dozen pairs that come with the program
    pub(crate) data: PathBuf,

    /// Format of the data: llmeval2, faireval, judgebench, llmbar, jsonl or csv [default: told from the content]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,

    /// Go on over malformed entries; they are counted and shown
    #[arg(long)]
    skip_bad: bool,

    /// Take only this dataset; may be repeated
    #[arg(long = "dataset", value_name = "NAME")]
    datasets: Vec<String>,

    /// Take a random sample of N pairs, stratified by dataset and label
    #[arg(long, value_name = "N")]
    sample: Option<usize>,

    /// Take the first N pairs (of what the options above left)
    #[arg(long, value_name = "N")]
    limit: Option<usize>,

    /// Folder with prompt texts of your own (`families/*.toml`, `layouts/*.toml`), which replace the built-in ones of the same name
    #[arg(long, value_name = "DIR")]
    prompts: Option<PathBuf>,

    /// File that maps datasets to prompt families, task types and abilities, instead of the built-in one
    #[arg(long, value_name = "FILE")]
    taxonomy: Option<PathBuf>,
}

/// Where the pairs are, and the texts that they are judged with.
pub(crate) struct Material<'a> {
    flags: &'a DataFlags,
    selection: Selection,
    data: Data,
    pub(crate) taxonomy: Taxonomy,
    pub(crate) prompts: Prompts,
}

/// What is to be judged.
enum Data {
    /// A source that was looked through.
    Surveyed(Survey),
    /// The run in the folder is of this source, which has not changed: nobody has to look again.
    Known(DataSource),
}

impl DataFlags {
    /// Looks through the source; `seed` draws the sample. A source that the run in `before` is of, and that has not changed since, is not looked
    /// through again.
    pub(crate) fn read(&self, seed: u64, before: Option<&Store>) -> Result<Material<'_>, Failure> {
        let selection = Selection {
            datasets: self.datasets.clone(),
            sample: self.sample.map(|n| Sample { n, seed }),
            limit: self.limit,
        };
        let taxonomy = match &self.taxonomy {
            Some(path) => Taxonomy::load(path).map_err(input)?,
            None => Taxonomy::embedded(),
        };
        let prompts = match &self.prompts {
            Some(folder) => Prompts::with_overrides(folder).map_err(input)?,
            None => Prompts::embedded(),
        };
        let known = before.and_then(|store| self.unchanged(&store.config().data, &selection));
        let data = match known {
            Some(known) => Data::Known(known),
            None => Data::Surveyed(self.survey(&selection)?),
        };
        Ok(Material {
            flags: self,
            selection,
            data,
            taxonomy,
            prompts,
        })
    }

    fn is_demo(&self) -> bool {
        self.data == Path::new("demo") && !self.data.exists()
    }

    fn source(&self, format: Option<Format>) -> Source {
        Source {
            path: self.data.clone(),
            format,
        }
    }

    /// The source of a run that is to go on, if the command names the same one and its bytes are the same.
    fn unchanged(&self, known: &DataSource, selection: &Selection) -> Option<DataSource> {
        let format = known.format.parse().ok()?;
        let asked = self.format.is_none_or(|asked| asked == format) && known.selection == *selection;
        // Entries that were skipped are shown again.
        if !asked || known.skipped > 0 || self.is_demo() {
            return None;
        }
        let hash = Survey::hash_of(&self.source(Some(format))).ok()?;
        (hash == known.blake3).then(|| DataSource {
            path: self.data.clone(),
            ..known.clone()
        })
    }

    fn survey(&self, selection: &Selection) -> Result<Survey, Failure> {
        let bad = if self.skip_bad { BadLines::Skip } else { BadLines::Stop };
        let mut survey = if self.is_demo() {
            if self.format.is_some() {
                return Err(input(anyhow::anyhow!(
                    "`demo` comes with the program and has no format to choose: leave out `--format`"
                )));
            }
            Survey::demo()
        } else {
            Survey::of(&self.source(self.format), bad).map_err(input)?
        };
        if !survey.skipped().is_empty() {
            note(&format!("skipped {} malformed entries:", survey.skipped().len()));
            survey.skipped().iter().for_each(|bad| note(&format!("  {bad}")));
        }
        survey.select(selection).map_err(input)?;
        if survey.is_empty() {
            return Err(input(anyhow::anyhow!(
                "no pair is left to judge in `{}`",
                self.data.display()
            )));
        }
        Ok(survey)
    }
}

impl Material<'_> {
    /// What a run's configuration says of its data.
    pub(crate) fn source(&self) -> DataSource {
        match &self.data {
            Data::Known(source) => source.clone(),
            Data::Surveyed(survey) => DataSource {
                path: self.flags.data.clone(),
                format: survey.format().name().to_owned(),
                blake3: survey.blake3().to_owned(),
                selection: self.selection.clone(),
                skipped: survey.skipped().len(),
            },
        }
    }

    /// Looks through the source if that has not been done.
    pub(crate) fn survey(&mut self) -> Result<(), Failure> {
        if let Data::Known(_) = self.data {
            self.data = Data::Surveyed(self.flags.survey(&self.selection)?);
        }
        Ok(())
    }

    /// The pairs of a source that was looked through.
    pub(crate) fn pairs(&self) -> Result<impl Iterator<Item = Result<Pair, Failure>> + '_, Failure> {
        let Data::Surveyed(survey) = &self.data else {
            return Err(failed(anyhow::anyhow!("the source was not looked through")));
        };
        Ok(survey.pairs().map_err(input)?.map(|pair| pair.map_err(input)))
    }

    /// Datasets that the taxonomy does not name are treated as others, and the user should know.
    pub(crate) fn tell_fallbacks(&self, wanted: &Wanted) {
        let Data::Surveyed(survey) = &self.data else {
            return;
        };
        let mut unknown = survey.datasets();
        unknown.retain(|dataset| self.taxonomy.family(dataset).known == Known::Fallback);
        let (noun, are) = match unknown.as_slice() {
            [] => return,
            [_] => ("dataset", "is"),
            _ => ("datasets", "are"),
        };
        let names = unknown.iter().map(|name| format!("`{name}`"));
        let names = names.collect::<Vec<_>>().join(", ");
        let so = match wanted {
            Wanted::Network(_) => {
                let family = self.taxonomy.default_family();
                format!("judged with the prompts of the family `{family}`")
            }
            Wanted::Baseline(_) => "no task type or ability".to_owned(),
        };
        note(&format!(
            "{noun} {names} {are} not in the taxonomy: {so} (see --taxonomy)"
        ));
    }
}
