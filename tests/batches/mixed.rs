//! A network of models of which some are here.

use std::sync::Arc;

use widedeep::chat::ChatModel;
use widedeep::network::Network;

use super::support::scripted::{Scripted, judged};
use super::{Run, honest, settings};

const MIXED: &str = r#"
name = "mixed"
summary = "two models"

[roles]
source = "fixed"
names = ["Accuracy", "Depth"]

[[layers]]
[[layers.neurons]]
model = "here"
[[layers.neurons]]

[[layers]]
[[layers.neurons]]
[[layers.neurons]]
model = "here"
"#;

#[tokio::test]
async fn models_that_are_here_are_asked_at_once_and_only_the_others_in_batches() {
    let server = honest();
    let here = Scripted::steerable(|asked| Ok(judged(asked.request, "Both are fine.", 7, 4)))
        .named("here")
        .shared();
    let mut run = Run::new(&server, 5);
    run.network = Network::parse(MIXED, "mixed", &[]).unwrap();
    run.beside
        .insert("here".to_owned(), Arc::clone(&here) as Arc<dyn ChatModel>);
    let results = run.process(Some(settings())).await.unwrap();
    for result in &results {
        let opinions = &result.evaluation.as_ref().unwrap().opinions;
        let of = |name: &str| opinions.iter().filter(|opinion| opinion.model.contains(name)).count();
        assert_eq!((of("here"), of("openai:m")), (4, 4));
    }
    assert_eq!(here.groups().len(), 10, "a group for each layer of each pair");
    assert_eq!(server.requests("POST /chat"), 0);
    assert_eq!(
        server.batches()[0].custom_ids.len(),
        10,
        "two orders of each pair, in one wave"
    );
}
