//! Flags that several of the commands share, and what they mean.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use widedeep::fetch;
use widedeep::inside::language::rule::{Cutting, First, Prefix, Remainder};
use widedeep::inside::language::text::{self, Reading};
use widedeep::inside::language::{
    Aligned, Bar, Corpus, Lambda, Lape, Material, Method, Part, Rate, Rule, Search, Setting, gather,
};
use widedeep::llama::{Model, Tap, TapConfig, Threads};

use crate::cli::{Failure, failed, input};

/// The model that is read.
#[derive(Debug, clap::Args)]
pub(super) struct ModelFlags {
    /// Model: a name from `widedeep models list`, or the path of a GGUF file
    #[arg(long, default_value = "smollm2-135m")]
    pub(super) model: String,

    /// Threads: `auto` takes one per core
    #[arg(long, value_name = "auto|N", default_value = "auto")]
    threads: Threads,
}

impl ModelFlags {
    pub(super) fn load(&self) -> Result<Arc<Model>, Failure> {
        let path = fetch::resolve_model(&self.model).map_err(input)?;
        Model::load(&path, 0).map_err(input)
    }

    /// A tap for sequences of so many tokens.
    pub(super) fn tap<'m>(&self, model: &'m Model, context: usize) -> Result<Tap<'m>, Failure> {
        let config = TapConfig {
            context,
            chunk: None,
            threads: self.threads,
        };
        Tap::new(model, &config).map_err(failed)
    }
}

/// Which texts are read.
#[derive(Debug, clap::Args)]
pub(super) struct TextFlags {
    /// Texts, one language each: files named after their language (`sw.txt`), `sw=FILE`, or a folder of such files. A line of a `.txt` file is a text;
    /// a line of a `.jsonl` file is an object with `text`, or with `prefix` and `response` (or `question` and `answer`), of which the
    /// response counts; a `.json` file is an object with a list of such texts per language
    #[arg(value_name = "TEXT", required = true)]
    texts: Vec<String>,

    /// Languages, in this order [default: all that the texts are in]
    #[arg(long, value_name = "LANGUAGE,…", value_delimiter = ',')]
    pub(super) languages: Vec<String>,

    /// Read a `.txt` file as one text rather than line by line
    #[arg(long)]
    whole_files: bool,

    /// Which part of texts with a prefix counts
    #[arg(long, value_enum, default_value_t)]
    part: PartFlag,

    /// Stop a language after the text in which it reaches so many counted tokens [default: all of its text]
    #[arg(long, value_name = "N")]
    pub(super) tokens: Option<NonZeroUsize>,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum PartFlag {
    /// The response, after the prefix
    #[default]
    Response,
    /// Prefix and response alike
    Whole,
    /// The prefix alone, without the response
    Prefix,
}

impl TextFlags {
    pub(super) fn corpora(&self) -> Result<Vec<Corpus>, Failure> {
        let reading = if self.whole_files {
            Reading::Whole
        } else {
            Reading::Lines
        };
        let part = match self.part {
            PartFlag::Response => Part::Response,
            PartFlag::Whole => Part::Whole,
            PartFlag::Prefix => Part::Prefix,
        };
        let mut corpora = Vec::new();
        for (language, path) in self.files()? {
            let read = text::read(&path, language.as_deref(), reading).map_err(input)?;
            corpora.extend(read.into_iter().map(|corpus| corpus.part(part)));
        }
        Ok(corpora)
    }

    pub(super) fn material(&self) -> Result<Vec<Material>, Failure> {
        gather(self.corpora()?, &self.languages).map_err(input)
    }

    /// Files with the languages that were named for them.
    fn files(&self) -> Result<Vec<(Option<String>, PathBuf)>, Failure> {
        let mut files = Vec::new();
        for text in &self.texts {
            let path = Path::new(text);
            if path.is_dir() {
                files.extend(folder(path)?.into_iter().map(|file| (None, file)));
                continue;
            }
            // A path may hold a `=` of its own.
            match text.split_once('=') {
                Some((language, file)) if !path.exists() => files.push((Some(language.to_owned()), file.into())),
                _ => files.push((None, path.to_owned())),
            }
        }
        Ok(files)
    }
}

/// The text files of a folder, by name.
fn folder(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let fail = |error: std::io::Error| {
        input(anyhow::Error::from(error).context(format!("failed to list `{}`", path.display())))
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(fail)? {
        let file = entry.map_err(fail)?.path();
        let is_text = file
            .extension()
            .is_some_and(|extension| extension == "txt" || extension == "jsonl");
        if is_text {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(input(anyhow::anyhow!(
            "`{}` holds no `.txt` or `.jsonl` file: give a folder with one file per language, or name the files",
            path.display()
        )));
    }
    Ok(files)
}

/// Which positions count.
#[derive(Debug, clap::Args)]
pub(super) struct RuleFlags {
    /// How a prefix is kept out of the counts: by `position` in one pass, or by `subtraction` of a second pass over the prefix alone, as arXiv 2505.21505
    /// does
    #[arg(long, value_enum, default_value_t, help_heading = "Counting rule")]
    prefix: PrefixFlag,

    /// Count the first position of a sequence too, as both papers do; it carries the same massive activations in every language
    #[arg(long, help_heading = "Counting rule")]
    count_first: bool,

    /// Read a language's texts as one stream in blocks of so many tokens, as LAPE does
    #[arg(
        long,
        value_name = "TOKENS",
        conflicts_with = "windows",
        help_heading = "Counting rule"
    )]
    blocks: Option<NonZeroUsize>,

    /// Leave out the last block where it is not full, as LAPE does
    #[arg(long, requires = "blocks", help_heading = "Counting rule")]
    full_blocks: bool,

    /// Read a language's texts as one stream in windows of so many tokens that overlap; what overlaps counts once
    #[arg(long, value_name = "TOKENS", help_heading = "Counting rule")]
    windows: Option<NonZeroUsize>,

    /// Tokens of a window that are repeated from the one before [default: a quarter]
    #[arg(long, value_name = "TOKENS", requires = "windows", help_heading = "Counting rule")]
    overlap: Option<usize>,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum PrefixFlag {
    #[default]
    Position,
    Subtraction,
}

impl RuleFlags {
    pub(super) fn rule(&self) -> Rule {
        let cutting = match (self.blocks, self.windows) {
            (Some(length), _) => Cutting::Blocks {
                length: length.get(),
                remainder: if self.full_blocks {
                    Remainder::Drop
                } else {
                    Remainder::Keep
                },
            },
            (None, Some(length)) => Cutting::Windows {
                length: length.get(),
                overlap: self.overlap.unwrap_or(length.get() / 4),
            },
            (None, None) => Cutting::Samples,
        };
        Rule {
            first: if self.count_first { First::Count } else { First::Leave },
            prefix: match self.prefix {
                PrefixFlag::Position => Prefix::Position,
                PrefixFlag::Subtraction => Prefix::Subtraction,
            },
            cutting,
        }
    }
}

/// How units are identified.
#[derive(Debug, clap::Args)]
pub(super) struct MethodFlags {
    /// `aligned`: entropy less weighted maximum (arXiv 2505.21505); `lape`: entropy after a filter (arXiv 2402.16438)
    #[arg(long, value_enum, default_value_t, help_heading = "Method")]
    method: MethodFlag,

    /// Share of the model's units that is selected
    #[arg(long, value_name = "RATE", default_value = "0.01", help_heading = "Method")]
    top: Rate,

    /// A selected unit belongs to a language where its probability is above this quantile of all probabilities
    #[arg(long, value_name = "QUANTILE", default_value = "0.95", help_heading = "Method")]
    bar: Rate,

    /// Give that bar as a probability instead
    #[arg(long, value_name = "PROBABILITY", conflicts_with = "bar", help_heading = "Method")]
    bar_value: Option<f64>,

    /// LAPE: a unit that is above this quantile in no language is out
    #[arg(long, value_name = "QUANTILE", default_value = "0.95", help_heading = "Method")]
    filter: Rate,

    /// Aligned: weight of a unit's largest probability against its entropy, on the published code's scale: `search` takes the largest with which no selected
    /// unit belongs to all languages
    #[arg(long, value_name = "search|LAMBDA", default_value = "search", value_parser = lambda, help_heading = "Method")]
    lambda: LambdaFlag,

    /// Smallest lambda that the search tries
    #[arg(long, value_name = "LAMBDA", default_value_t = Search::default().low, help_heading = "Method")]
    lambda_low: f64,

    /// Largest lambda that the search tries
    #[arg(long, value_name = "LAMBDA", default_value_t = Search::default().high, help_heading = "Method")]
    lambda_high: f64,

    /// Width of the interval at which the search ends
    #[arg(long, value_name = "WIDTH", default_value_t = Search::default().width, help_heading = "Method")]
    lambda_width: f64,

    /// Halvings after which the search ends
    #[arg(long, value_name = "N", default_value_t = Search::default().rounds, help_heading = "Method")]
    lambda_rounds: usize,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum MethodFlag {
    #[default]
    Aligned,
    Lape,
}

#[derive(Debug, Clone, Copy)]
enum LambdaFlag {
    Search,
    Fixed(f64),
}

fn lambda(text: &str) -> Result<LambdaFlag, String> {
    if text == "search" {
        return Ok(LambdaFlag::Search);
    }
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number
        .map(LambdaFlag::Fixed)
        .ok_or_else(|| "give a number such as `0.1`, or `search`".to_owned())
}

impl MethodFlags {
    pub(super) fn method(&self) -> Method {
        let bar = self.bar_value.map_or(Bar::Quantile(self.bar), Bar::Value);
        match self.method {
            MethodFlag::Aligned => Method::Aligned(Aligned {
                top: self.top,
                bar,
                lambda: match self.lambda {
                    LambdaFlag::Fixed(lambda) => Lambda::Fixed(lambda),
                    LambdaFlag::Search => Lambda::Search(Search {
                        low: self.lambda_low,
                        high: self.lambda_high,
                        width: self.lambda_width,
                        rounds: self.lambda_rounds,
                    }),
                },
            }),
            MethodFlag::Lape => Method::Lape(Lape {
                top: self.top,
                filter: Bar::Quantile(self.filter),
                bar,
            }),
        }
    }
}

/// Which of a language's units are silenced or scaled, and the random ones beside them.
#[derive(Debug, clap::Args)]
pub(super) struct SetFlags {
    /// Which of a language's units
    #[arg(long, value_enum, default_value_t)]
    setting: SettingFlag,

    /// Random sets, of as many units in every layer, in the place of each language's
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(super) draws: u64,

    /// Seed of the first random set; the next ones' follow it
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum SettingFlag {
    /// Those that belong to it alone
    Specific,
    /// Those, and those that it shares with other languages but not with all
    #[default]
    Related,
    /// Both, and those that belong to all languages
    Agnostic,
}

impl SetFlags {
    pub(super) fn setting(&self) -> Setting {
        match self.setting {
            SettingFlag::Specific => Setting::Specific,
            SettingFlag::Related => Setting::SpecificAndRelated,
            SettingFlag::Agnostic => Setting::WithAgnostic,
        }
    }
}

/// Makes the folder for results.
pub(super) fn out(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| {
        input(anyhow::Error::from(error).context(format!(
            "failed to make the folder `{}` for the results: give another one with `--out`",
            folder.display()
        )))
    })
}
