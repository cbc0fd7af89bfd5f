//! One layer: every neuron reads the pair in its presentation orders, and from layer 2 on its colleagues' reviews (spec 5.1, 5.2).

use std::ops::Range;
use std::sync::Arc;

use futures::future::join_all;

use super::evaluate::{EvaluateError, Setting, draw};
use super::opinion::{Missing, Opinion};
use super::seed::Place;
use super::spec::{Defects, HistoryUse, Network, NeuronKind, Orders};
use crate::chat::{CallKey, ChatError, ChatModel, Reply, Request, Speaker, Turn, Usage};
use crate::pair::{Order, Pair};
use crate::prompt::{self, History, Member, Nonce, Rendered, Shown, relabel};

/// Lengths in characters to which reviews are cut, one after the other, until a prompt fits its context. Candidates are never cut.
const REVIEW_LENGTHS: [usize; 5] = [800, 400, 200, 100, 0];

/// What a layer builds on.
pub(super) struct Ground<'a> {
    pub(super) pair: &'a Pair,
    pub(super) nonce: &'a Nonce,
    pub(super) roles: &'a [Option<String>],
    /// Opinions of the layer before; empty for the first.
    pub(super) before: &'a [Opinion],
    /// Angle lists that the neurons of the layer before ended with.
    pub(super) angles: &'a [Vec<String>],
}

/// One call in the making.
struct Slot {
    neuron: usize,
    order: Order,
    sample: usize,
    model: Arc<dyn ChatModel>,
    request: Request,
    shortened: Option<usize>,
    attempts: usize,
    usage: Usage,
    outcome: Option<Result<Reply, ChatError>>,
}

/// Runs these neurons of a layer; opinions come by neuron, then order, then sample.
pub(super) async fn run_layer(
    layer: usize,
    neurons: Range<usize>,
    ground: &Ground<'_>,
    setting: &Setting<'_>,
) -> Result<Vec<Opinion>, EvaluateError> {
    let network = setting.network;
    let orders: &[Order] = match network.calls.orders {
        Orders::Both => &[Order::Forward, Order::Swapped],
        Orders::One => &[Order::Forward],
    };
    let mut slots = Vec::new();
    for neuron in neurons {
        for &order in orders {
            for sample in 0..network.calls.samples.get() {
                slots.push(slot(layer, neuron, order, sample, ground, setting)?);
            }
        }
    }
    for attempt in 0..network.reply.attempts.get() {
        ask(&mut slots, setting, layer, ground.pair, attempt).await?;
    }
    Ok(slots
        .into_iter()
        .map(|slot| opinion(layer, slot, ground, setting))
        .collect())
}

/// Whether the prompts of a layer show what the layer before wrote.
fn reads_reviews(layer: usize, network: &Network) -> bool {
    layer > 0 && network.layers[layer].history == HistoryUse::Previous
}

/// Angle lists after a layer: the union of those that each neuron was shown (spec 5.2); where it was shown none, its own list.
pub(super) fn spread_angles(layer: usize, ground: &Ground<'_>, setting: &Setting<'_>) -> Vec<Vec<String>> {
    if !reads_reviews(layer, setting.network) {
        return ground.angles.to_vec();
    }
    let n = ground.roles.len();
    (0..n)
        .map(|neuron| {
            let shown = visible_angles(layer, neuron, ground, setting);
            match setting.network.reply.defects {
                Defects::Fixed => shown.into_iter().map(str::to_owned).collect(),
                // B3: the published code joins them by comma and space and splits again.
                Defects::Reproduce => relabel::re_split_angles(&shown),
            }
        })
        .collect()
}

fn visible_angles<'a>(layer: usize, neuron: usize, ground: &Ground<'a>, setting: &Setting<'_>) -> Vec<&'a str> {
    let neighbourhood = setting.network.layers[layer].neighbourhood;
    let mut angles: Vec<&str> = Vec::new();
    for member in neighbourhood.participants(neuron, ground.roles.len()) {
        for angle in &ground.angles[member] {
            if !angles.contains(&angle.as_str()) {
                angles.push(angle);
            }
        }
    }
    angles
}

fn slot(
    layer: usize,
    neuron: usize,
    order: Order,
    sample: usize,
    ground: &Ground<'_>,
    setting: &Setting<'_>,
) -> Result<Slot, EvaluateError> {
    let network = setting.network;
    let model = Arc::clone(setting.panel.model(network.model_of(layer, neuron)));
    let place = Place {
        pair: ground.pair.index,
        stage: layer + 1,
        neuron,
        order,
        sample,
        attempt: 0,
    };
    let kind = network.kind_of(layer, neuron);
    let request = |reviews: Option<usize>| -> Result<Request, EvaluateError> {
        let turns = match kind {
            NeuronKind::Language => {
                let rendered = render(layer, neuron, order, reviews, ground, setting)?;
                turns(rendered.system, rendered.user)
            }
            NeuronKind::Detector => as_it_is(ground.pair, order),
        };
        Ok(Request {
            turns,
            plan: network.plan(model.steering(), setting.family),
            sampling: draw(network.temperature(0), network.sampling.top_p, setting.seed, place),
            origin: place.origin(),
        })
    };
    let mut chosen = request(None)?;
    let mut shortened = None;
    if reads_reviews(layer, network) && kind == NeuronKind::Language {
        for length in REVIEW_LENGTHS {
            if model.fit(&chosen).is_none_or(crate::chat::Fit::fits) {
                break;
            }
            chosen = request(Some(length))?;
            shortened = Some(length);
        }
    }
    Ok(Slot {
        neuron,
        order,
        sample,
        model,
        request: chosen,
        shortened,
        attempts: 0,
        usage: Usage::default(),
        outcome: None,
    })
}

fn render(
    layer: usize,
    neuron: usize,
    order: Order,
    reviews: Option<usize>,
    ground: &Ground<'_>,
    setting: &Setting<'_>,
) -> Result<Rendered, EvaluateError> {
    let (pair, network) = (ground.pair, setting.network);
    let (first, second) = match order {
        Order::Forward => (&pair.response1, &pair.response2),
        Order::Swapped => (&pair.response2, &pair.response1),
    };
    let shown = Shown {
        query: &pair.query,
        first,
        second,
    };
    let role = ground.roles[neuron].as_deref();
    if !reads_reviews(layer, network) {
        return Ok(setting
            .prompts
            .judge(network.prompt, setting.family, &shown, ground.nonce, role)?);
    }
    let n = ground.roles.len();
    let participants = network.layers[layer].neighbourhood.participants(neuron, n);
    let texts: Vec<(usize, Vec<String>)> = participants
        .map(|member| {
            let of_member = ground
                .before
                .iter()
                .filter(|opinion| opinion.neuron == member && !opinion.review.is_empty());
            (
                member,
                of_member
                    .map(|opinion| as_shown(&opinion.review, order, reviews, setting))
                    .collect(),
            )
        })
        .collect();
    let members = texts
        .iter()
        .map(|(number, reviews)| Member {
            number: *number,
            role: ground.roles[*number].as_deref().unwrap_or_default(),
            reviews: reviews.iter().map(String::as_str).collect(),
        })
        .collect();
    let history = History {
        own: neuron,
        members,
        angles: visible_angles(layer, neuron, ground, setting),
    };
    let defects = match network.reply.defects {
        Defects::Fixed => prompt::Defects::Fixed,
        Defects::Reproduce => prompt::Defects::Reproduce,
    };
    Ok(setting.prompts.deeper(
        network.prompt,
        setting.family,
        &shown,
        ground.nonce,
        &history,
        role,
        defects,
    )?)
}

/// A canonical review as it reads when the pair is shown in `order`, cut to a number of characters.
fn as_shown(review: &str, order: Order, length: Option<usize>, setting: &Setting<'_>) -> String {
    let mut text = relabelled(review, order, setting);
    if let Some(length) = length
        && let Some((at, _)) = text.char_indices().nth(length)
    {
        text.truncate(at);
        text.push_str(" …");
    }
    text
}

/// Exchanges the two assistants' names if the order asks for it; applied twice it gives the text back (B4 aside).
fn relabelled(review: &str, order: Order, setting: &Setting<'_>) -> String {
    match (order, setting.network.reply.defects) {
        (Order::Forward, _) => review.to_owned(),
        (Order::Swapped, Defects::Fixed) => relabel::swap(review),
        (Order::Swapped, Defects::Reproduce) => relabel::swap_compat(review),
    }
}

/// The pair as a detector reads it: the query, then each response as an assistant's turn, nothing else.
fn as_it_is(pair: &Pair, order: Order) -> Vec<Turn> {
    let (first, second) = match order {
        Order::Forward => (&pair.response1, &pair.response2),
        Order::Swapped => (&pair.response2, &pair.response1),
    };
    let turn = |speaker, content: &String| Turn {
        speaker,
        content: content.clone(),
    };
    vec![
        turn(Speaker::User, &pair.query),
        turn(Speaker::Assistant, first),
        turn(Speaker::Assistant, second),
    ]
}

/// The conversation of one call.
pub(super) fn turns(system: Option<String>, user: String) -> Vec<Turn> {
    let system = system.map(|content| Turn {
        speaker: Speaker::System,
        content,
    });
    system
        .into_iter()
        .chain([Turn {
            speaker: Speaker::User,
            content: user,
        }])
        .collect()
}

/// Sends every slot that has no readable reply yet, one group per model.
async fn ask(
    slots: &mut [Slot],
    setting: &Setting<'_>,
    layer: usize,
    pair: &Pair,
    attempt: usize,
) -> Result<(), EvaluateError> {
    let open: Vec<usize> = (0..slots.len())
        .filter(|&i| match &slots[i].outcome {
            None => true,
            Some(Ok(reply)) => setting.network.read(reply).is_err(),
            // Too long or inexpressible: another attempt would end the same way.
            Some(Err(_)) => false,
        })
        .collect();
    let mut groups: Vec<(Arc<dyn ChatModel>, Vec<usize>)> = Vec::new();
    for i in open {
        let slot = &mut slots[i];
        let place = Place {
            pair: pair.index,
            stage: layer + 1,
            neuron: slot.neuron,
            order: slot.order,
            sample: slot.sample,
            attempt,
        };
        slot.request.origin = place.origin();
        slot.request.sampling = draw(
            setting.network.temperature(attempt),
            setting.network.sampling.top_p,
            setting.seed,
            place,
        );
        match groups.iter_mut().find(|(model, _)| Arc::ptr_eq(model, &slots[i].model)) {
            Some((_, group)) => group.push(i),
            None => groups.push((Arc::clone(&slots[i].model), vec![i])),
        }
    }
    let calls = groups
        .iter()
        .map(|(model, group)| model.reply_all(group.iter().map(|&i| slots[i].request.clone()).collect()));
    let replies = join_all(calls).await;
    for ((model, group), replies) in groups.into_iter().zip(replies) {
        if replies.len() != group.len() {
            return Err(ChatError::miscounted(model.identity(), group.len(), replies.len()).into());
        }
        for (i, reply) in group.into_iter().zip(replies) {
            if let Err(error) = &reply
                && error.is_fatal()
            {
                return Err(error.clone().into());
            }
            let slot = &mut slots[i];
            slot.attempts += 1;
            if let Ok(reply) = &reply {
                slot.usage += reply.usage;
            }
            slot.outcome = Some(reply);
        }
    }
    Ok(())
}

fn opinion(layer: usize, slot: Slot, ground: &Ground<'_>, setting: &Setting<'_>) -> Opinion {
    let mut opinion = Opinion {
        layer,
        neuron: slot.neuron,
        role: ground.roles[slot.neuron].clone(),
        order: slot.order,
        sample: slot.sample,
        model: slot.model.identity().name.clone(),
        call: CallKey::of(slot.model.identity(), &slot.request),
        scores: None,
        expected: None,
        distribution: None,
        review: String::new(),
        missing: None,
        attempts: slot.attempts,
        reviews_shortened_to: slot.shortened,
        usage: slot.usage,
    };
    let canonical = |pair: super::score::ScorePair| match slot.order {
        Order::Forward => pair,
        Order::Swapped => pair.swapped(),
    };
    match slot.outcome {
        None => {}
        Some(Err(error)) => {
            opinion.scores = setting.network.failure_scores();
            opinion.missing = Some(Missing::Call { error });
        }
        Some(Ok(reply)) => {
            match setting.network.read(&reply) {
                Ok(reading) => {
                    opinion.scores = Some(canonical(reading.scores));
                    opinion.expected = reading.expected.map(canonical);
                    opinion.distribution = reading.distribution.map(|[first, second]| match slot.order {
                        Order::Forward => [first, second],
                        Order::Swapped => [second, first],
                    });
                }
                Err(missing) => {
                    opinion.scores = setting.network.failure_scores();
                    opinion.missing = Some(missing);
                }
            }
            opinion.review = relabelled(reply.text.trim(), slot.order, setting);
        }
    }
    opinion
}
