//! What a reply consists of: free text, forced text, and choices among given texts.

use super::choice::Trie;
use super::{Model, Token};
use serde::{Deserialize, Serialize};

/// One step of a scaffolded reply, in text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The model writes until it ends its turn, writes one of `stop` (which is left out), or has written `max_tokens` tokens.
    Generate {
        /// Upper bound in tokens.
        max_tokens: usize,
        /// Texts that end the step.
        stop: Vec<String>,
    },
    /// This text is put into the model's mouth.
    Force(String),
    /// The model picks one of these texts; the probability of each is kept. The most probable one is taken.
    Choose(Vec<String>),
}

/// A step in tokens.
#[derive(Debug, Clone)]
pub(super) enum Compiled {
    Generate {
        max_tokens: usize,
        stop: Vec<String>,
    },
    /// Tokens to feed and the text that they spell.
    Force {
        tokens: Vec<Token>,
        text: String,
    },
    Choose(Trie),
}

/// Steps compiled for one model's vocabulary, in the order in which they run.
#[derive(Debug, Clone)]
pub struct Script(pub(super) Vec<Compiled>);

impl Script {
    /// The most tokens that a reply of this script can occupy.
    pub fn max_tokens(&self) -> usize {
        self.0
            .iter()
            .map(|step| match step {
                Compiled::Generate { max_tokens, .. } => *max_tokens,
                Compiled::Force { tokens, .. } => tokens.len(),
                // The choice itself and one exploration beside it.
                Compiled::Choose(trie) => 2 * trie.depth(),
            })
            .sum()
    }
}

impl Model {
    /// Compiles steps. A choice is tokenised together with the forced text before it, since tokens may straddle the border.
    pub fn script(&self, steps: &[Step]) -> Script {
        let mut compiled = Vec::new();
        let mut forced = String::new();
        for step in steps {
            match step {
                Step::Force(text) => forced.push_str(text),
                Step::Generate { max_tokens, stop } => {
                    self.flush(&mut forced, &mut compiled);
                    compiled.push(Compiled::Generate {
                        max_tokens: *max_tokens,
                        stop: stop.clone(),
                    });
                }
                Step::Choose(options) => {
                    let (tokens, trie) = self.choice(&forced, options);
                    if !tokens.is_empty() || !forced.is_empty() {
                        compiled.push(Compiled::Force {
                            tokens,
                            text: std::mem::take(&mut forced),
                        });
                    }
                    compiled.push(Compiled::Choose(trie));
                }
            }
        }
        self.flush(&mut forced, &mut compiled);
        Script(compiled)
    }

    fn flush(&self, forced: &mut String, compiled: &mut Vec<Compiled>) {
        if !forced.is_empty() {
            let text = std::mem::take(forced);
            compiled.push(Compiled::Force {
                tokens: self.plain(&text),
                text,
            });
        }
    }

    /// The tokens common to all continuations `before + option`, and the options as what follows them.
    fn choice(&self, before: &str, options: &[String]) -> (Vec<Token>, Trie) {
        let full: Vec<Vec<Token>> = options
            .iter()
            .map(|option| self.plain(&format!("{before}{option}")))
            .collect();
        let first = full.first().map_or(&[][..], Vec::as_slice);
        let common = full
            .iter()
            .map(|tokens| shared_prefix(first, tokens))
            .min()
            .unwrap_or(0);
        // Every option keeps at least one token, so that there is something to choose.
        let shortest = full.iter().map(Vec::len).min().unwrap_or(0);
        let common = common.min(shortest.saturating_sub(1));
        let rest = full.iter().map(|tokens| tokens[common..].to_vec()).collect();
        let vocab = self.inner.vocab();
        let mut ends: Vec<Token> = self.plain("\n").into_iter().take(1).collect();
        ends.extend([vocab.eos(), vocab.eot()].into_iter().filter(|token| token.0 >= 0));
        ends.dedup();
        (first[..common].to_vec(), Trie::new(options.to_vec(), rest, ends))
    }
}

/// How many leading tokens two sequences have in common.
pub(super) fn shared_prefix(a: &[Token], b: &[Token]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}
