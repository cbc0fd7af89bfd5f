//! The pairs of a run, and what was made of them.

use std::borrow::Cow;

use pollster::block_on;
use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::error::sqlite;
use super::schema::index;
use super::{Store, StoreError};
use crate::network::Evaluation;
use crate::network::aggregate::Decision;
use crate::pair::{Label, Pair};
use crate::run::Judged;

/// Human label and verdict of a finished pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Index of the pair.
    pub pair: usize,
    /// What people said.
    pub label: Option<Label>,
    /// What the judge says; `None` when every opinion is missing.
    pub verdict: Option<Label>,
}

/// What a finished pair's row holds beside its columns.
#[derive(Serialize, Deserialize)]
struct Made<'a> {
    decision: Option<Decision>,
    evaluation: Option<Cow<'a, Evaluation>>,
}

/// A finished pair as it lies in the tables.
struct Row {
    index: i64,
    pair: String,
    verdict: Option<String>,
    made: String,
}

impl Store {
    /// All pairs of the run, in source order.
    pub fn pairs(&self) -> Result<Vec<Pair>, StoreError> {
        let texts: Vec<(i64, String)> = self.texts("SELECT idx, pair FROM pairs ORDER BY idx")?;
        texts
            .iter()
            .map(|(index, text)| self.value(text, || format!("pair {index}")))
            .collect()
    }

    /// How many pairs the run is of.
    pub fn size(&self) -> Result<usize, StoreError> {
        let size: i64 = self
            .reader()
            .query_row("SELECT count(*) FROM pairs", [], |row| row.get(0))
            .map_err(sqlite("read", &self.path))?;
        Ok(usize::try_from(size).unwrap_or(0))
    }

    /// Indices of the pairs without a verdict, in source order.
    pub fn open_pairs(&self) -> Result<Vec<usize>, StoreError> {
        let rows: Vec<(i64, i64)> =
            self.texts("SELECT idx, idx FROM pairs WHERE idx NOT IN (SELECT pair FROM judged) ORDER BY idx")?;
        Ok(rows
            .into_iter()
            .filter_map(|(index, _)| usize::try_from(index).ok())
            .collect())
    }

    /// One pair.
    pub fn pair(&self, of: usize) -> Result<Pair, StoreError> {
        let text: String = self
            .reader()
            .prepare_cached("SELECT pair FROM pairs WHERE idx = ?1")
            .and_then(|mut statement| statement.query_row(params![index(of)], |row| row.get(0)))
            .map_err(sqlite("read", &self.path))?;
        self.value(&text, || format!("pair {of}"))
    }

    /// Human label and verdict of every finished pair, in source order.
    pub fn outcomes(&self) -> Result<Vec<Outcome>, StoreError> {
        let at = || sqlite("read", &self.path);
        let connection = self.reader();
        let mut statement = connection
            .prepare("SELECT pair, label, verdict FROM judged ORDER BY pair")
            .map_err(at())?;
        let mut rows = statement.query([]).map_err(at())?;
        let mut outcomes = Vec::new();
        while let Some(row) = rows.next().map_err(at())? {
            let pair: i64 = row.get(0).map_err(at())?;
            let (gold, verdict): (Option<String>, Option<String>) =
                row.get(1).and_then(|gold| Ok((gold, row.get(2)?))).map_err(at())?;
            outcomes.push(Outcome {
                pair: usize::try_from(pair).unwrap_or(usize::MAX),
                label: self.label(gold.as_deref(), pair)?,
                verdict: self.label(verdict.as_deref(), pair)?,
            });
        }
        Ok(outcomes)
    }

    /// All finished pairs, in source order.
    pub fn judged(&self) -> Result<Vec<Judged>, StoreError> {
        let mut all = Vec::new();
        self.each_judged(|judged| {
            all.push(judged);
            Ok::<(), StoreError>(())
        })?;
        Ok(all)
    }

    /// Hands over the finished pairs one by one, in source order, until one is refused: memory does not grow with their number.
    pub fn each_judged<E: From<StoreError>>(&self, mut take: impl FnMut(Judged) -> Result<(), E>) -> Result<(), E> {
        let mut after = -1;
        loop {
            // Page by page, so that whoever takes a pair may read its calls.
            let page = self.judged_after(after).map_err(sqlite("read", &self.path))?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.index;
            for row in page {
                take(self.judged_row(&row)?)?;
            }
        }
    }

    fn judged_after(&self, index: i64) -> Result<Vec<Row>, rusqlite::Error> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(
            "SELECT idx, pairs.pair, verdict, judged FROM judged JOIN pairs ON idx = judged.pair WHERE idx > ?1 ORDER BY idx LIMIT 64",
        )?;
        let rows = statement.query_map(params![index], |row| {
            Ok(Row {
                index: row.get(0)?,
                pair: row.get(1)?,
                verdict: row.get(2)?,
                made: row.get(3)?,
            })
        })?;
        rows.collect()
    }

    fn judged_row(&self, row: &Row) -> Result<Judged, StoreError> {
        let index = row.index;
        let made: Made<'static> = self.value(&row.made, || format!("verdict of pair {index}"))?;
        Ok(Judged {
            pair: self.value(&row.pair, || format!("pair {index}"))?,
            verdict: self.label(row.verdict.as_deref(), index)?,
            decision: made.decision,
            evaluation: made.evaluation.map(Cow::into_owned),
        })
    }

    fn label(&self, text: Option<&str>, pair: i64) -> Result<Option<Label>, StoreError> {
        let named = |text: &str| {
            Label::ALL
                .into_iter()
                .find(|label| label.name() == text)
                .ok_or_else(|| StoreError::Damaged {
                    path: self.path.clone(),
                    reason: format!("pair {pair} has the label or verdict `{text}`, which does not exist"),
                })
        };
        text.map(named).transpose()
    }

    /// Stores a finished pair.
    pub fn finish(&self, judged: &Judged) -> Result<(), StoreError> {
        self.finish_all(std::slice::from_ref(judged))
    }

    /// Stores finished pairs, in one commit.
    pub fn finish_all(&self, judged: &[Judged]) -> Result<(), StoreError> {
        block_on(self.finishing(judged)?)
    }

    /// The same without holding up a thread: the future ends when the pairs are committed.
    pub fn finishing(
        &self,
        judged: &[Judged],
    ) -> Result<impl Future<Output = Result<(), StoreError>> + Send + use<>, StoreError> {
        let rows: Vec<(i64, Option<&'static str>, Option<&'static str>, String)> = judged
            .iter()
            .map(|judged| {
                let made = Made {
                    decision: judged.decision,
                    evaluation: judged.evaluation.as_ref().map(Cow::Borrowed),
                };
                Ok((
                    index(judged.pair.index),
                    judged.pair.label.map(Label::name),
                    judged.verdict.map(Label::name),
                    self.json(&made)?,
                ))
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(self.write("write", move |transaction| {
            let mut statement = transaction.prepare_cached(
                "INSERT OR REPLACE INTO judged (pair, label, verdict, judged) VALUES (?1, ?2, ?3, ?4)",
            )?;
            for (pair, label, verdict, judged) in &rows {
                statement.execute(params![pair, label, verdict, judged])?;
            }
            Ok(())
        }))
    }

    /// Takes the verdicts of these pairs back, so that they are judged again: replies that are there already are not asked for again. Says how
    /// many.
    pub fn reopen(&self, which: &dyn Fn(&Judged) -> bool) -> Result<usize, StoreError> {
        let mut pairs: Vec<i64> = Vec::new();
        self.each_judged(|judged| {
            if which(&judged) {
                pairs.push(index(judged.pair.index));
            }
            Ok::<(), StoreError>(())
        })?;
        block_on(self.write("write", move |transaction| {
            let mut statement = transaction.prepare_cached("DELETE FROM judged WHERE pair = ?1")?;
            for pair in &pairs {
                statement.execute(params![pair])?;
            }
            Ok(pairs.len())
        }))
    }
}
