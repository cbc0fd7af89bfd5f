//! A call's key never changes: recorded runs would be asked anew.

use widedeep::chat::{CallKey, Identity, Origin, ReplyPlan, Request, Sampling, Speaker, Step, Turn};

fn request(plan: ReplyPlan) -> Request {
    let turn = |speaker, content: &str| Turn {
        speaker,
        content: content.to_owned(),
    };
    Request {
        turns: vec![
            turn(Speaker::System, "You judge."),
            turn(Speaker::User, "\"Quoted\",\n  naïve.\t"),
        ],
        plan,
        sampling: Sampling {
            temperature: 0.7,
            top_p: 0.95,
            top_k: None,
            seed: u64::MAX,
        },
        origin: Origin {
            pair: 5,
            ..Origin::default()
        },
    }
}

#[test]
fn the_key_of_a_call_is_what_it_always_was() {
    let local = Identity {
        name: "smollm2-135m".to_owned(),
        digest: "ab".repeat(32),
    };
    let remote = Identity {
        name: "gpt-4".to_owned(),
        digest: String::new(),
    };
    let scaffold = ReplyPlan::Scaffold(vec![
        Step::Force("Score: ".to_owned()),
        Step::Generate {
            max_tokens: 64,
            stop: vec!["\n".to_owned()],
        },
        Step::Choose(vec!["1".to_owned(), "2".to_owned()]),
    ]);
    assert_eq!(
        CallKey::of(&local, &request(scaffold)).as_str(),
        "269000860597ec84ab94d541264c4e4f85e61fab121b2ddacf6851c44b0261ec"
    );
    assert_eq!(
        CallKey::of(&remote, &request(ReplyPlan::Free { max_tokens: 512 })).as_str(),
        "afd556697d938951a7f625e247aecb4b445184b928faf9baafea6868caa4de37"
    );
}

#[test]
fn the_bytes_behind_a_key_are_these() {
    let request = request(ReplyPlan::Free { max_tokens: 512 });
    let json = "{\"format\":1,\"model\":\"gpt-4\",\"request\":{\"turns\":[{\"speaker\":\"system\",\"content\":\"You judge.\"},\
                {\"speaker\":\"user\",\"content\":\"\\\"Quoted\\\",\\n  naïve.\\t\"}],\"plan\":{\"free\":{\"max_tokens\":512}},\
                \"sampling\":{\"temperature\":0.7,\"top_p\":0.95,\"seed\":18446744073709551615}}}";
    let remote = Identity {
        name: "gpt-4".to_owned(),
        digest: String::new(),
    };
    assert_eq!(
        CallKey::of(&remote, &request).as_str(),
        blake3::hash(json.as_bytes()).to_hex().as_str()
    );
}
