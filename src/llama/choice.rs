//! Choosing among texts with the model's own probabilities.
//!
//! Options are token sequences in a trie. A node with several children needs the model's logits at that node: at the root they are
//! at hand, deeper ones are read on a scratch sequence. For scores 1 to 10 with one digit per token that is a single extra token: after `1`, does
//! the number end or does a `0` follow?

use super::Token;

/// The options of a choice, as token sequences.
#[derive(Debug, Clone)]
pub(super) struct Trie {
    texts: Vec<String>,
    options: Vec<Vec<Token>>,
    /// Tokens that mean "the option ends here", where another option goes on.
    ends: Vec<Token>,
}

/// What was chosen, and how sure the model was.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Chosen {
    /// Index into the step's options.
    pub option: usize,
    /// Probability of each option, given that one of them is taken; sums to 1.
    pub probabilities: Vec<f64>,
    /// Share of the model's probability that fell on a beginning of any option, in 0..=1: how natural the choice was.
    pub mass: f64,
}

impl Trie {
    pub(super) fn new(texts: Vec<String>, options: Vec<Vec<Token>>, ends: Vec<Token>) -> Self {
        Self { texts, options, ends }
    }

    pub(super) fn depth(&self) -> usize {
        self.options.iter().map(Vec::len).max().unwrap_or(0)
    }

    pub(super) fn option(&self, i: usize) -> (&[Token], &str) {
        (&self.options[i], &self.texts[i])
    }

    /// Paths (shorter first) at which the model must be asked: those where the options fork. The root comes first.
    pub(super) fn forks(&self) -> Vec<Vec<Token>> {
        let mut forks: Vec<Vec<Token>> = vec![Vec::new()];
        for option in &self.options {
            for len in 1..=option.len() {
                let path = &option[..len];
                if self.children(path).len() > 1 && !forks.iter().any(|fork| fork == path) {
                    forks.push(path.to_vec());
                }
            }
        }
        forks.sort_by_key(Vec::len);
        forks
    }

    /// What can follow a path: `Some(token)`, or `None` for "the option ends here".
    fn children(&self, path: &[Token]) -> Vec<Option<Token>> {
        let mut children = Vec::new();
        for option in self.options.iter().filter(|option| option.starts_with(path)) {
            let child = option.get(path.len()).copied();
            if !children.contains(&child) {
                children.push(child);
            }
        }
        children
    }

    /// Reads one fork: log-probability of each child among the children, and the children's share of the whole vocabulary.
    pub(super) fn read(&self, path: &[Token], logits: &[f32]) -> Reading {
        let logit = |token: Token| {
            usize::try_from(token.0)
                .ok()
                .and_then(|i| logits.get(i))
                .map_or(f64::NEG_INFINITY, |&x| f64::from(x))
        };
        let children = self.children(path);
        let scores: Vec<f64> = children
            .iter()
            .map(|child| match child {
                Some(token) => logit(*token),
                None => log_sum(self.ends.iter().map(|&end| logit(end))),
            })
            .collect();
        let of_children = log_sum(scores.iter().copied());
        let of_all = log_sum(logits.iter().map(|&x| f64::from(x)));
        Reading {
            path: path.to_vec(),
            children: children
                .into_iter()
                .zip(scores.iter().map(|score| score - of_children))
                .collect(),
            mass: (of_children - of_all).exp(),
        }
    }

    /// Puts the readings of all forks together. The first reading is the root's.
    pub(super) fn settle(&self, readings: &[Reading]) -> Chosen {
        let log_probability = |option: &[Token]| -> f64 {
            (0..=option.len())
                .filter_map(|len| {
                    let reading = readings.iter().find(|reading| reading.path == option[..len])?;
                    let next = option.get(len).copied();
                    reading
                        .children
                        .iter()
                        .find(|(child, _)| *child == next)
                        .map(|(_, p)| *p)
                })
                .sum()
        };
        let logs: Vec<f64> = self.options.iter().map(|option| log_probability(option)).collect();
        let total = log_sum(logs.iter().copied());
        let probabilities: Vec<f64> = logs.iter().map(|log| (log - total).exp()).collect();
        // The first of equals, so that a tie does not depend on the order of evaluation.
        let option = (0..probabilities.len()).fold(0, |best, i| {
            if probabilities[i] > probabilities[best] {
                i
            } else {
                best
            }
        });
        Chosen {
            option,
            probabilities,
            mass: readings.first().map_or(0.0, |root| root.mass),
        }
    }
}

/// The model's answer at one fork.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    path: Vec<Token>,
    children: Vec<(Option<Token>, f64)>,
    mass: f64,
}

/// ln Σ eˣ without overflow.
fn log_sum(xs: impl Iterator<Item = f64> + Clone) -> f64 {
    let max = xs.clone().max_by(f64::total_cmp).unwrap_or(f64::NEG_INFINITY);
    if max == f64::NEG_INFINITY {
        max
    } else {
        max + xs.map(|x| (x - max).exp()).sum::<f64>().ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(i: i32) -> Token {
        llama_cpp_2::token::LlamaToken(i)
    }

    /// Options 1, 2 and 10 with one token per digit (token ids 1, 2, 0) and `5` as the end.
    fn scores() -> Trie {
        let options = vec![vec![token(1)], vec![token(2)], vec![token(1), token(0)]];
        Trie::new(vec!["1".into(), "2".into(), "10".into()], options, vec![token(5)])
    }

    #[test]
    fn only_forks_need_the_model() {
        assert_eq!(scores().forks(), [vec![], vec![token(1)]]);
    }

    #[test]
    fn probabilities_multiply_along_the_path_and_sum_to_one() {
        let trie = scores();
        // Root: 1 and 2 equally likely, the rest of the vocabulary impossible. After 1: `0` three times as likely as the end.
        let root = trie.read(&[], &[-99.0, 0.0, 0.0, -99.0, -99.0, -99.0]);
        let after_one = trie.read(&[token(1)], &[3f32.ln(), -99.0, -99.0, -99.0, -99.0, 0.0]);
        let chosen = trie.settle(&[root, after_one]);
        assert_eq!(chosen.option, 1, "2 has probability 1/2, 10 has 3/8, 1 has 1/8");
        for (p, expected) in chosen.probabilities.iter().zip([0.125, 0.5, 0.375]) {
            assert!((p - expected).abs() < 1e-6, "{p} against {expected}");
        }
        assert!((chosen.mass - 1.0).abs() < 1e-9);
    }

    #[test]
    fn mass_tells_how_much_probability_lay_outside_the_options() {
        let root = scores().read(&[], &[0.0; 6]);
        assert!((root.mass - 2.0 / 6.0).abs() < 1e-9);
    }
}
