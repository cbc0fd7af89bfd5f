//! What the default model's tokenizer makes of payloads.

use widedeep::llama::{Model, Speaker, Turn};
use widedeep::prompt::Layout;
use widedeep::prompt::Shown;

use crate::{PROMPTS, attacks, clean, nonce, support};

fn conversation(pair: &widedeep::pair::Pair) -> Vec<Turn> {
    let shown = Shown {
        query: &pair.query,
        first: &pair.response1,
        second: &pair.response2,
    };
    let family = PROMPTS.family("qa").unwrap();
    let rendered = PROMPTS.judge(Layout::Shared, family, &shown, &nonce(pair), None).unwrap();
    vec![
        Turn {
            speaker: Speaker::System,
            content: rendered.system.unwrap(),
        },
        Turn {
            speaker: Speaker::User,
            content: rendered.user,
        },
    ]
}

#[test]
fn no_payload_becomes_a_control_token_or_loses_a_byte() {
    let model = Model::load(&support::default_model(), 0).unwrap();
    let control = |turns: &[Turn]| {
        let tokens = model.prompt(turns).unwrap();
        let control: Vec<_> = tokens.iter().copied().filter(|token| model.is_control(*token)).collect();
        (control, tokens)
    };
    let (expected, _) = control(&conversation(&clean()));
    assert!(expected.len() >= 4, "the turns themselves are marked");
    for (payload, side, pair) in attacks() {
        let turns = conversation(&pair);
        let (found, tokens) = control(&turns);
        assert_eq!(found, expected, "{} in {side}", payload.name);
        let spelled: Vec<u8> = tokens.iter().flat_map(|token| model.bytes(*token)).collect();
        let spelled = String::from_utf8(spelled).unwrap();
        assert!(spelled.contains(&turns[1].content), "{} in {side}", payload.name);
    }
}
