//! One job on its way through the engine: what is in the cache, what must be fed next, and what the reply is so far.

use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};

use super::choice::{Chosen, Reading, Trie};
use super::draw::{Candidates, Draw};
use super::script::{Compiled, Script};
use super::{Model, Token};

/// How free text is drawn from the model's distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// 0 takes the most probable token each time.
    pub temperature: f32,
    /// Nucleus: the smallest set of tokens that holds this much probability. 1 keeps all.
    pub top_p: f32,
    /// Only so many of the most probable tokens are drawn from, before the nucleus is taken; all if nothing is given. The local engine alone knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<NonZeroU16>,
    /// Seed of this call's draws.
    pub seed: u64,
}

impl Sampling {
    /// The most probable token, always.
    pub fn greedy() -> Self {
        Self {
            temperature: 0.0,
            top_p: 1.0,
            top_k: None,
            seed: 0,
        }
    }
}

/// A request: prompt, script, sampling.
#[derive(Debug)]
pub struct Job {
    pub(super) prompt: Vec<Token>,
    pub(super) script: Script,
    pub(super) sampling: Sampling,
    /// Jobs of one scope (a pair) are expected to share prefixes; the cache of a scope is dropped when another one arrives.
    pub(super) scope: u64,
}

/// Why a `Generate` step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// The model ended its turn.
    EndOfTurn,
    /// It wrote a stop text.
    StopText,
    /// It reached the step's limit.
    Limit,
}

/// Token counts of one reply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt: u64,
    /// Of these, tokens taken from the cache instead of being evaluated.
    pub cached_prompt: u64,
    /// Tokens of the reply, forced and chosen ones included.
    pub completion: u64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.prompt += other.prompt;
        self.cached_prompt += other.cached_prompt;
        self.completion += other.completion;
    }
}

/// A finished reply.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// All steps' text, in order.
    pub text: String,
    /// One entry per `Choose` step.
    pub chosen: Vec<Chosen>,
    /// One entry per `Generate` step.
    pub stopped: Vec<Stopped>,
    /// Token counts.
    pub usage: Usage,
}

/// Text written in the current `Generate` step.
#[derive(Debug, Default)]
struct Written {
    /// Byte length of each token's text.
    lengths: Vec<usize>,
    bytes: Vec<u8>,
}

/// A choice whose forks below the root are being read.
#[derive(Debug)]
struct Exploration {
    readings: Vec<Reading>,
    /// Paths still to be read, the next one last.
    open: Vec<Vec<Token>>,
}

/// A job that holds cells of the cache.
#[derive(Debug)]
pub(super) struct Sequence {
    pub(super) id: i32,
    pub(super) scope: u64,
    /// What is, or is about to be, in the cache.
    pub(super) tokens: Vec<Token>,
    /// The cells of the evaluated tokens: `tokens[..cells.len()]`.
    pub(super) cells: Vec<u32>,
    pub(super) prompt_len: usize,
    /// The sequence on which a choice's fork is read, while one is.
    pub(super) scratch: Option<i32>,
    /// The most cells that this job may still take.
    limit: usize,
    shared: usize,
    script: std::vec::IntoIter<Compiled>,
    current: Option<Compiled>,
    draw: Draw,
    written: Written,
    exploration: Option<Exploration>,
    text: Vec<u8>,
    chosen: Vec<Chosen>,
    stopped: Vec<Stopped>,
}

/// What a sequence needs next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Its pending tokens evaluated.
    Feed,
    /// A fork of its choice read on a scratch sequence.
    Explore,
    /// Nothing: the reply is complete.
    Nothing,
}

impl Sequence {
    pub(super) fn new(id: i32, job: Job, shared: Vec<u32>) -> Self {
        let limit = job.prompt.len() + job.script.max_tokens();
        let mut script = job.script.0.into_iter();
        let current = script.next();
        let draw = Draw::new(job.sampling);
        let mut sequence = Self {
            id,
            scope: job.scope,
            prompt_len: job.prompt.len(),
            tokens: job.prompt,
            shared: shared.len(),
            cells: shared,
            scratch: None,
            limit,
            script,
            current,
            draw,
            written: Written::default(),
            exploration: None,
            text: Vec::new(),
            chosen: Vec::new(),
            stopped: Vec::new(),
        };
        sequence.follow_forced();
        sequence
    }

    /// Tokens that wait to be evaluated.
    pub(super) fn pending(&self) -> &[Token] {
        &self.tokens[self.cells.len()..]
    }

    /// Cells that this sequence may still ask for.
    pub(super) fn reserve(&self) -> usize {
        self.limit.saturating_sub(self.cells.len())
    }

    /// The path to feed on the scratch sequence.
    pub(super) fn open_fork(&self) -> Option<&[Token]> {
        self.exploration
            .as_ref()
            .and_then(|exploration| exploration.open.last())
            .map(Vec::as_slice)
    }

    /// Goes on with the logits that follow the last evaluated token. `cut` is set to the length to which the cache must be
    /// shortened first, if text was taken back.
    pub(super) fn advance(
        &mut self,
        model: &Model,
        logits: &[f32],
        candidates: &mut Candidates,
        cut: &mut Option<usize>,
    ) -> Need {
        loop {
            match self.current.take() {
                None => return Need::Nothing,
                Some(Compiled::Force { tokens, text }) => {
                    self.text.extend_from_slice(text.as_bytes());
                    self.tokens.extend(tokens);
                    self.current = self.script.next();
                }
                Some(Compiled::Generate { max_tokens, stop }) => {
                    if self.written.lengths.len() >= max_tokens {
                        self.end_generation(Stopped::Limit);
                        continue;
                    }
                    let token = self.draw.next(logits, candidates);
                    if model.inner.vocab().is_eog(token) {
                        self.end_generation(Stopped::EndOfTurn);
                        continue;
                    }
                    self.write(model, token);
                    if let Some(at) = self.find_stop(&stop) {
                        self.take_back(model, at, cut);
                        self.end_generation(Stopped::StopText);
                    } else if self.written.lengths.len() >= max_tokens {
                        self.end_generation(Stopped::Limit);
                    } else {
                        self.current = Some(Compiled::Generate { max_tokens, stop });
                    }
                }
                Some(Compiled::Choose(trie)) => {
                    let root = trie.read(&[], logits);
                    let mut open = trie.forks();
                    open.remove(0);
                    open.reverse();
                    if open.is_empty() {
                        self.choose(&trie, &[root]);
                    } else {
                        self.exploration = Some(Exploration {
                            readings: vec![root],
                            open,
                        });
                        self.current = Some(Compiled::Choose(trie));
                        return Need::Explore;
                    }
                }
            }
            if self.current.is_none() {
                return Need::Nothing;
            }
            if cut.is_some() || !self.pending().is_empty() {
                self.follow_forced();
                return if self.current.is_none() {
                    Need::Nothing
                } else {
                    Need::Feed
                };
            }
        }
    }

    /// Goes on with the logits at the end of the open fork.
    pub(super) fn explored(&mut self, logits: &[f32]) -> Need {
        let (Some(exploration), Some(Compiled::Choose(trie))) = (&mut self.exploration, &self.current) else {
            return Need::Feed;
        };
        if let Some(path) = exploration.open.pop() {
            exploration.readings.push(trie.read(&path, logits));
        }
        if !exploration.open.is_empty() {
            return Need::Explore;
        }
        let readings = self
            .exploration
            .take()
            .map_or_else(Vec::new, |exploration| exploration.readings);
        if let Some(Compiled::Choose(trie)) = self.current.take() {
            self.choose(&trie, &readings);
        }
        self.follow_forced();
        if self.current.is_none() {
            Need::Nothing
        } else {
            Need::Feed
        }
    }

    /// Appends forced text that comes next, so that it is evaluated in the same batch as what stands before it.
    fn follow_forced(&mut self) {
        while let Some(Compiled::Force { tokens, text }) =
            self.current.take_if(|step| matches!(step, Compiled::Force { .. }))
        {
            self.text.extend_from_slice(text.as_bytes());
            self.tokens.extend(tokens);
            self.current = self.script.next();
        }
    }

    fn choose(&mut self, trie: &Trie, readings: &[Reading]) {
        let chosen = trie.settle(readings);
        let (tokens, text) = trie.option(chosen.option);
        self.tokens.extend_from_slice(tokens);
        self.text.extend_from_slice(text.as_bytes());
        self.chosen.push(chosen);
        self.current = self.script.next();
    }

    fn write(&mut self, model: &Model, token: Token) {
        let bytes = model.bytes(token);
        self.tokens.push(token);
        self.written.lengths.push(bytes.len());
        self.written.bytes.extend(bytes);
    }

    /// Byte offset of the first stop text in what was written.
    fn find_stop(&self, stop: &[String]) -> Option<usize> {
        let bytes = &self.written.bytes;
        // A new stop text must end in the last token's bytes.
        let last = self.written.lengths.last().copied().unwrap_or(0);
        stop.iter()
            .filter(|text| !text.is_empty())
            .filter_map(|text| {
                let from = bytes.len().saturating_sub(last + text.len());
                bytes[from..]
                    .windows(text.len())
                    .position(|window| window == text.as_bytes())
                    .map(|at| from + at)
            })
            .min()
    }

    /// Shortens what was written to `at` bytes, in the text and in the tokens. A token that straddles the place is replaced by tokens of
    /// its part before it.
    fn take_back(&mut self, model: &Model, at: usize, cut: &mut Option<usize>) {
        let start = self.tokens.len() - self.written.lengths.len();
        let mut kept = 0;
        let mut end = 0;
        for &length in &self.written.lengths {
            if end + length > at {
                break;
            }
            end += length;
            kept += 1;
        }
        let part = self.written.bytes[end..at].to_vec();
        self.written.bytes.truncate(at);
        self.tokens.truncate(start + kept);
        let mut cached = self.tokens.len();
        if part.is_empty() && !matches!(self.script.as_slice().first(), Some(Compiled::Force { .. })) {
            // What comes next reads logits, and those at hand belong to a token that is gone: evaluate the last one anew.
            cached -= 1;
        }
        self.tokens.extend(model.inner.vocab().tokenize(&part, false, false));
        if self.cells.len() > cached {
            *cut = Some(cached);
        }
    }

    fn end_generation(&mut self, stopped: Stopped) {
        let written = std::mem::take(&mut self.written);
        self.text.extend(written.bytes);
        self.stopped.push(stopped);
        self.current = self.script.next();
    }

    pub(super) fn complete(&mut self) -> Completion {
        Completion {
            text: String::from_utf8_lossy(&self.text).into_owned(),
            chosen: std::mem::take(&mut self.chosen),
            stopped: std::mem::take(&mut self.stopped),
            usage: Usage {
                prompt: self.prompt_len as u64,
                cached_prompt: self.shared as u64,
                completion: (self.tokens.len() - self.prompt_len) as u64,
            },
        }
    }
}
