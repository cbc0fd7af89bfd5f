//! Which numbers of threads are fastest on this machine for this model, measured once and remembered.
//!
//! More threads than real cores, or than the memory can feed, make evaluation slower. Prompts (many tokens at once) are bound by arithmetic and
//! replies (one token per sequence) by memory, so each has a number of its own. These are ceilings; the load of the moment may ask for fewer.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use llama_cpp_2::token::LlamaToken;
use serde::{Deserialize, Serialize};

use super::context::{Batch, Context, Reads};
use super::load::Meter;
use super::{Model, context};

/// Batches of at least so many tokens are prompts.
const PROMPT: usize = 32;
/// Rows of the reply batch that is timed.
const REPLIES: usize = 4;
/// All measuring ends after this and the batch at hand.
const BUDGET: Duration = Duration::from_millis(700);
/// More waiting than this share of one thread's time, and the times say nothing about the machine.
const DISTURBED: f64 = 0.1;

/// Most threads for each kind of batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ceilings {
    prompt: usize,
    reply: usize,
}

impl Ceilings {
    pub(super) fn uniform(threads: usize) -> Self {
        Self {
            prompt: threads,
            reply: threads,
        }
    }

    /// Most threads for a batch of so many tokens.
    pub(super) fn of(self, rows: usize) -> usize {
        if rows >= PROMPT { self.prompt } else { self.reply }
    }

    pub(super) fn most(self) -> usize {
        self.prompt.max(self.reply)
    }
}

/// What a measurement is valid for.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    version: u32,
    processor: String,
    threads: usize,
    model: String,
    build: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    key: Key,
    ceilings: Ceilings,
}

impl Key {
    fn new(model: &Model, threads: usize) -> Self {
        Self {
            version: 1,
            processor: processor(),
            threads,
            model: model.digest().to_owned(),
            build: format!("{} {}", env!("CARGO_PKG_VERSION"), context::build().0.trim()),
        }
    }

    fn file(&self, folder: &Path) -> PathBuf {
        let text = serde_json::to_string(self).unwrap_or_default();
        let hash = blake3::hash(text.as_bytes()).to_hex();
        folder.join(format!("threads-{}.json", &hash[..16]))
    }
}

/// The ceilings for a model: remembered in `folder`, or measured on an empty context and then remembered there. A measurement on a busy machine is
/// thrown away, and one that cannot be stored is made again next time.
pub(super) fn ceilings(
    model: &Model,
    context: &mut Context<'_>,
    meter: &Meter,
    threads: usize,
    folder: &Path,
) -> Ceilings {
    let key = Key::new(model, threads);
    let file = key.file(folder);
    let known = fs::read(&file)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if let Some(Record { ceilings, .. }) = known.filter(|record: &Record| record.key == key) {
        return ceilings;
    }
    let started = Instant::now();
    let measured = measure(model, context, meter, threads);
    context.clear();
    let Some(ceilings) = measured else {
        tracing::debug!("the machine is too busy to find the best numbers of threads");
        return Ceilings::uniform(threads);
    };
    tracing::info!(
        prompt = ceilings.prompt,
        reply = ceilings.reply,
        seconds = started.elapsed().as_secs_f64(),
        "found the fastest numbers of threads"
    );
    if let Err(error) = store(&file, &Record { key, ceilings }) {
        tracing::debug!(file = %file.display(), %error, "failed to remember the numbers of threads");
    }
    ceilings
}

fn store(file: &Path, record: &Record) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer_pretty(&mut temporary, record)?;
    temporary.persist(file)?;
    Ok(())
}

fn measure(model: &Model, context: &mut Context<'_>, meter: &Meter, threads: usize) -> Option<Ceilings> {
    let mut bench = Bench {
        vocabulary: model.inner.n_vocab(),
        batch: Batch::new(PROMPT),
        context,
    };
    // The first batch reads the weights from disk.
    bench.time(Kind::Reply, threads)?;
    let (started, before) = (Instant::now(), meter.sample());
    let candidates = candidates(threads);
    let reply = fastest(&candidates, started + BUDGET / 3, |n| bench.time(Kind::Reply, n))?;
    let prompt = fastest(&candidates, started + BUDGET, |n| bench.time(Kind::Prompt, n))?;
    if let (Some(before), Some(after)) = (before.waited, meter.sample().waited) {
        let waited = after.saturating_sub(before).as_secs_f64();
        if waited > DISTURBED * started.elapsed().as_secs_f64() {
            return None;
        }
    }
    Some(Ceilings { prompt, reply })
}

/// All threads, then half as many, and so on.
fn candidates(threads: usize) -> Vec<usize> {
    std::iter::successors(Some(threads), |n| (*n > 1).then_some(n / 2)).collect()
}

/// The candidate with the least time. Candidates come in falling order; once they get much slower, the rest is left out.
fn fastest(candidates: &[usize], deadline: Instant, mut time: impl FnMut(usize) -> Option<Duration>) -> Option<usize> {
    let mut best: Option<(usize, Duration)> = None;
    for &threads in candidates {
        let mut took = time(threads)?;
        if Instant::now() < deadline {
            took = took.min(time(threads)?);
        }
        match best {
            // Fewer threads must be clearly better, so that noise does not decide.
            Some((_, least)) if took.as_secs_f64() > 1.3 * least.as_secs_f64() => break,
            Some((_, least)) if took.as_secs_f64() > 0.97 * least.as_secs_f64() => {}
            _ => best = Some((threads, took)),
        }
        if Instant::now() >= deadline {
            break;
        }
    }
    best.map(|(threads, _)| threads)
}

struct Bench<'b, 'm> {
    context: &'b mut Context<'m>,
    batch: Batch,
    vocabulary: i32,
}

#[derive(Clone, Copy)]
enum Kind {
    Prompt,
    Reply,
}

impl Bench<'_, '_> {
    /// One batch on an empty cache.
    fn time(&mut self, kind: Kind, threads: usize) -> Option<Duration> {
        self.context.clear();
        self.batch.clear();
        let rows = match kind {
            Kind::Prompt => PROMPT.min(self.context.batch_size()),
            Kind::Reply => REPLIES.min(self.context.batch_size()),
        };
        for row in 0..rows {
            let number = i32::try_from(row).unwrap_or(0);
            let token = LlamaToken((7919 * (number + 1)) % self.vocabulary.max(1));
            match kind {
                Kind::Prompt if row + 1 < rows => self.batch.push(token, row, 0, Reads::Nothing),
                Kind::Prompt => self.batch.push(token, row, 0, Reads::Logits),
                Kind::Reply => self.batch.push(token, 0, number, Reads::Logits),
            }
        }
        let started = Instant::now();
        self.context.decode(&self.batch, threads).ok()?;
        Some(started.elapsed())
    }
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    // Virtual machines may hide the name, but not the model's number.
    let known: Vec<String> = ["model name", "cpu family", "model\t", "CPU part"]
        .into_iter()
        .filter_map(field)
        .collect();
    format!("{} {}", std::env::consts::ARCH, known.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(times: &[(usize, u64)]) -> (Option<usize>, Vec<usize>) {
        let mut asked = Vec::new();
        let candidates: Vec<usize> = times.iter().map(|(threads, _)| *threads).collect();
        let best = fastest(&candidates, Instant::now() + BUDGET, |threads| {
            asked.push(threads);
            let (_, ms) = times.iter().find(|(n, _)| *n == threads)?;
            Some(Duration::from_millis(*ms))
        });
        asked.dedup();
        (best, asked)
    }

    #[test]
    fn fewer_threads_are_taken_only_where_they_are_clearly_faster() {
        assert_eq!(candidates(12), [12, 6, 3, 1]);
        assert_eq!(pick(&[(2, 100), (1, 180)]).0, Some(2));
        assert_eq!(pick(&[(2, 100), (1, 99)]).0, Some(2));
        assert_eq!(pick(&[(2, 100), (1, 90)]).0, Some(1));
    }

    #[test]
    fn what_is_sure_to_be_slower_is_not_measured() {
        assert_eq!(pick(&[(8, 100), (4, 90), (2, 150), (1, 300)]), (Some(4), vec![8, 4, 2]));
    }

    #[test]
    fn prompts_and_replies_have_their_own_ceilings() {
        let ceilings = Ceilings { prompt: 8, reply: 4 };
        assert_eq!((ceilings.of(512), ceilings.of(8), ceilings.most()), (8, 4, 8));
    }
}
