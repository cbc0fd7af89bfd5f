//! `opinions.jsonl`: every opinion with the prompt that asked for it and the reply as it came, one JSON object per line.
//!
//! For each pair, in source order: its generated roles (`"kind": "roles"`), if it has some, then its opinions (`"kind": "opinion"`) by layer, neuron, order and
//! sample. `prompt` and `reply` are null for a call that failed, since only calls with a reply are in the store.

use std::io::Write;

use serde::Serialize;

use super::Fault;
use crate::{
    chat::{CallKey, Turn, Usage},
    network::{Opinion, RoleOutcome},
    run::{Call, Judged, Store},
};

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Line<'a> {
    Roles {
        pair: usize,
        dataset: &'a str,
        roles: &'a [Option<String>],
        fallback: bool,
        attempts: usize,
        call: Option<&'a CallKey>,
        usage: Usage,
        prompt: Option<&'a [Turn]>,
        reply: Option<&'a str>,
    },
    Opinion {
        pair: usize,
        dataset: &'a str,
        #[serde(flatten)]
        opinion: &'a Opinion,
        prompt: Option<&'a [Turn]>,
        reply: Option<&'a str>,
    },
}

/// Writes the lines of one pair.
pub(super) fn write(store: &Store, pair: &Judged, file: &mut impl Write) -> Result<(), Fault> {
    let mut line = |line: &Line<'_>| -> Result<(), Fault> {
        serde_json::to_writer(&mut *file, line).map_err(std::io::Error::from)?;
        Ok(file.write_all(b"\n")?)
    };
    let Some(evaluation) = &pair.evaluation else {
        return Ok(());
    };
    let (index, dataset) = (pair.pair.index, pair.pair.dataset.as_str());
    let outcome = &evaluation.roles;
    if outcome.attempts > 0 {
        let call = outcome.call.as_ref().map(|key| store.call(key)).transpose()?.flatten();
        line(&roles(index, dataset, outcome, call.as_ref()))?;
    }
    for opinion in &evaluation.opinions {
        let call = store.call(&opinion.call)?;
        line(&Line::Opinion {
            pair: index,
            dataset,
            opinion,
            prompt: call.as_ref().map(|call| call.request.turns.as_slice()),
            reply: call.as_ref().map(|call| call.reply.text.as_str()),
        })?;
    }
    Ok(())
}

fn roles<'a>(pair: usize, dataset: &'a str, outcome: &'a RoleOutcome, call: Option<&'a Call>) -> Line<'a> {
    Line::Roles {
        pair,
        dataset,
        roles: &outcome.roles,
        fallback: outcome.fallback,
        attempts: outcome.attempts,
        call: outcome.call.as_ref(),
        usage: outcome.usage,
        prompt: call.map(|call| call.request.turns.as_slice()),
        // The reply that the roles were read from: where the last of several requests failed, the one before.
        reply: outcome.raw.as_deref().or(call.map(|call| call.reply.text.as_str())),
    }
}
