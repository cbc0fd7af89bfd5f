//! Network files: what is read, what is refused, and in which words.

use std::fmt::Write as _;

use widedeep::network::spec::{Neighbourhood, Orders, Roles};
use widedeep::network::{Network, NetworkError, SHIPPED, shipped};
use widedeep::prompt::Layout;

fn set(name: &str, overrides: &[&str]) -> Result<Network, NetworkError> {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    Network::parse(shipped(name).unwrap(), name, &overrides)
}

fn overridden(name: &str, overrides: &[&str]) -> Network {
    set(name, overrides).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_shipped_network_says_what_it_is_and_survives_being_written_and_read() {
    for (name, text) in SHIPPED {
        let network = Network::parse(text, name, &[]).unwrap();
        assert_eq!(network.name, name);
        assert!(!network.summary.is_empty());
        let written = toml::to_string(&network).unwrap();
        assert_eq!(Network::parse(&written, name, &[]).unwrap(), network, "{written}");
        let json = serde_json::to_string(&network).unwrap();
        assert_eq!(serde_json::from_str::<Network>(&json).unwrap(), network);
    }
}

#[test]
fn every_file_of_the_folder_is_shipped() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/prompts/networks");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    let mut names: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    assert_eq!(files, names);
}

/// Spec section 15.
#[test]
fn the_profiles_are_those_of_the_specification() {
    let default = overridden("widedeep", &[]);
    assert_eq!(default.layers.len(), 2);
    assert_eq!(default.layers[1].neighbourhood, Neighbourhood::Auto);
    assert_eq!(default.prompt, Layout::Shared);
    let compat = overridden("widedeep-compat", &[]);
    assert_eq!(compat.layers.len(), 2);
    assert!(matches!(compat.layers[1].neighbourhood, Neighbourhood::Window(window) if window.get() == 2));
    assert_eq!(compat.sampling.temperature, 1.0);
    assert_eq!(compat.aggregate.cell.to_string(), "mean/all/argmax");
    assert_eq!(compat.reply.attempts.get(), 10);
    assert!(matches!(
        compat.roles,
        Roles::Generated {
            limit: None,
            cap: None,
            temperature: 0.0,
            ..
        }
    ));
    let faireval = overridden("faireval", &[]);
    assert_eq!(faireval.calls.samples.get(), 3);
    assert_eq!(faireval.calls.orders, Orders::Both);
    assert_eq!(faireval.layers.len(), 1);
}

/// A file with one mistake each; the message must name the file and the mistake's line.
const BAD_FILES: [(&str, &str); 17] = [
    (
        "an unknown key",
        "name = \"a\"\nsummary = \"b\"\nlayrs = 2\n[[layers]]\n",
    ),
    (
        "an unknown key in a table",
        "name = \"a\"\nsummary = \"b\"\n[[layers]]\n\n[reply]\nform = \"free\"\nevidence = 64\n",
    ),
    (
        "an unknown key of a layer",
        "name = \"a\"\nsummary = \"b\"\n[[layers]]\n[[layers]]\nneighborhood = \"all\"\n",
    ),
    (
        "an unknown key of generated roles",
        "name = \"a\"\nsummary = \"b\"\n\n[roles]\nsource = \"generated\"\ncapp = 2\n[[layers]]\n",
    ),
    (
        "a key of another source of roles",
        "name = \"a\"\nsummary = \"b\"\n\n[roles]\nsource = \"none\"\ncap = 2\n[[layers]]\n",
    ),
    (
        "a wrong type among roles",
        "name = \"a\"\nsummary = \"b\"\n\n[roles]\nsource = \"generated\"\ncap = \"two\"\n[[layers]]\n",
    ),
    (
        "fixed roles without names",
        "name = \"a\"\nsummary = \"b\"\n\n[roles]\nsource = \"fixed\"\n[[layers]]\n",
    ),
    (
        "an unknown source of roles",
        "name = \"a\"\nsummary = \"b\"\n\n[roles]\nsource = \"magic\"\n[[layers]]\n",
    ),
    (
        "a wrong type",
        "name = \"a\"\nsummary = \"b\"\n[calls]\n# how often\nsamples = \"three\"\n[[layers]]\n",
    ),
    (
        "a nought where there must be one",
        "name = \"a\"\nsummary = \"b\"\n[calls]\nsamples = 0\n[[layers]]\n",
    ),
    (
        "an unknown word",
        "name = \"a\"\nsummary = \"b\"\n[calls]\norders = \"all\"\n[[layers]]\n",
    ),
    (
        "a wrong cell",
        "name = \"a\"\nsummary = \"b\"\n[[layers]]\n[aggregate]\ncell = \"mean\"\n",
    ),
    (
        "an unknown rule for stopping",
        "name = \"a\"\nsummary = \"b\"\nstop = \"early\"\n[[layers]]\n",
    ),
    (
        "an unknown key of the sequential test",
        "name = \"a\"\nsummary = \"b\"\nstop = \"sequential\"\n[sequential]\nalpha = 0.05\n[[layers]]\n",
    ),
    (
        "a wrong type in the sequential test",
        "name = \"a\"\nsummary = \"b\"\nstop = \"sequential\"\n[sequential]\nerror = \"small\"\n[[layers]]\n",
    ),
    ("a broken line", "name = \"a\"\nsummary = \"b\nprompt = \"shared\"\n"),
    ("a missing name", "# a comment\nsummary = \"b\"\n[[layers]]\n"),
];

/// Files that are well-formed and cannot run.
const IMPOSSIBLE: [(&str, &str); 28] = [
    ("no layers", "layers = []"),
    ("no names", "roles = { source = \"fixed\", names = [] }\n[[layers]]"),
    (
        "an empty name",
        "roles = { source = \"fixed\", names = [\"A\", \" \"] }\n[[layers]]",
    ),
    (
        "roles without place",
        "prompt = \"faireval\"\nroles = { source = \"generated\" }\n[[layers]]",
    ),
    (
        "deeper layers without prompt",
        "prompt = \"faireval-vanilla\"\n[[layers]]\n[[layers]]",
    ),
    ("samples of one reply", "calls = { samples = 3 }\n[[layers]]"),
    ("a cold temperature", "sampling = { temperature = -1 }\n[[layers]]"),
    ("no temperature", "sampling = { temperature = nan }\n[[layers]]"),
    ("no nucleus", "sampling = { top_p = 0 }\n[[layers]]"),
    ("too large a nucleus", "sampling = { top_p = 1.5 }\n[[layers]]"),
    (
        "a hot temperature of roles",
        "roles = { source = \"generated\", temperature = 11 }\n[[layers]]",
    ),
    (
        "no tokens for roles",
        "roles = { source = \"generated\", max_tokens = 0 }\n[[layers]]",
    ),
    ("no tokens for replies", "reply = { max_tokens = 0 }\n[[layers]]"),
    (
        "means of unknown distributions",
        "reply = { form = \"free\" }\naggregate = { cell = \"mean/all/expected\" }\n[[layers]]",
    ),
    ("a first layer that hears", "[[layers]]\nneighbourhood = { window = 2 }"),
    ("a first layer that reads", "[[layers]]\nhistory = \"none\""),
    ("no margin", "aggregate = { tie_margin = -0.5 }\n[[layers]]"),
    ("no layers at all", ""),
    ("nothing to skip", "stop = \"unanimous\"\n[[layers]]"),
    (
        "a test without its rule",
        "[sequential]\nerror = 0.05\n[[layers]]\n[[layers]]",
    ),
    (
        "a test of another rule",
        "stop = \"unanimous\"\n[sequential]\n[[layers]]\n[[layers]]",
    ),
    ("a sequence of one", "stop = \"sequential\"\n[[layers]]\n[[layers]]"),
    (
        "a sequence of one name",
        "stop = \"sequential\"\nroles = { source = \"fixed\", names = [\"A\"] }\n[[layers]]",
    ),
    (
        "a sequence of one at most",
        "stop = \"sequential\"\nroles = { source = \"generated\", limit = 4, cap = 1 }\n[[layers]]",
    ),
    (
        "an even chance of error",
        "stop = \"sequential\"\nsequential = { error = 0.5 }\nroles = { source = \"generated\" }\n[[layers]]",
    ),
    (
        "an impossible chance of error",
        "stop = \"sequential\"\nsequential = { error = -0.1 }\nroles = { source = \"generated\" }\n[[layers]]",
    ),
    (
        "an even share",
        "stop = \"sequential\"\nsequential = { p1 = 0.5 }\nroles = { source = \"generated\" }\n[[layers]]",
    ),
    (
        "a whole share",
        "stop = \"sequential\"\nsequential = { p1 = 1 }\nroles = { source = \"generated\" }\n[[layers]]",
    ),
];

#[test]
fn mistakes_in_a_file_are_named_with_file_line_and_remedy() {
    let mut messages = String::new();
    for (what, text) in BAD_FILES {
        let error = Network::parse(text, "my/network.toml", &[]).unwrap_err();
        writeln!(messages, "{what}\n    {}", error.to_string().replace('\n', "\n    ")).unwrap();
    }
    for (what, text) in IMPOSSIBLE {
        let text = format!("name = \"a\"\nsummary = \"b\"\n{text}\n");
        let error = Network::parse(&text, "my/network.toml", &[]).unwrap_err();
        writeln!(messages, "{what}\n    {}", error.to_string().replace('\n', "\n    ")).unwrap();
    }
    insta::assert_snapshot!("mistakes_in_files", messages);
}

#[test]
fn the_line_of_a_mistake_is_the_files_own_with_and_without_overrides() {
    let text = "name = \"a\"\nsummary = \"b\"\n\n[[layers]]\n\n[calls]\n\nsamples = \"three\"\n";
    for overrides in [vec![], vec!["calls.orders=one".to_owned(), "layers=3".to_owned()]] {
        let error = Network::parse(text, "x.toml", &overrides).unwrap_err();
        assert!(matches!(error, NetworkError::Syntax { line: 8, .. }), "{error}");
    }
}

#[test]
fn overrides_set_nested_keys_numbers_lists_and_bare_words() {
    let network = overridden(
        "widedeep",
        &[
            "calls.orders=one",
            "reply.evidence_tokens = 64",
            "roles.cap=2",
            "aggregate.cell=vote-call/last/argmax",
            "sampling.temperature=0.5",
            "prompt=\"official\"",
        ],
    );
    assert_eq!(network.calls.orders, Orders::One);
    assert_eq!(network.reply.evidence_tokens, 64);
    assert!(matches!(network.roles, Roles::Generated { cap: Some(cap), .. } if cap.get() == 2));
    assert_eq!(network.aggregate.cell.to_string(), "vote-call/last/argmax");
    assert_eq!(network.sampling.temperature, 0.5);
    assert_eq!(network.prompt, Layout::Official);
    // A value with an equals sign in it, and the last of two overrides wins.
    let network = overridden("single", &["summary=x", "summary=a = b"]);
    assert_eq!(network.summary, "a = b");
}

#[test]
fn a_table_that_the_file_lacks_can_be_set() {
    let network = overridden("single", &["sampling.temperature=0.3", "calls.orders=one"]);
    assert_eq!(network.sampling.temperature, 0.3);
}

#[test]
fn the_depth_can_be_set() {
    let base = overridden("widedeep", &[]);
    let deep = overridden("widedeep", &["layers=4"]);
    assert_eq!(deep.layers.len(), 4);
    assert_eq!(deep.layers[0], base.layers[0]);
    assert!(deep.layers[1..].iter().all(|layer| *layer == base.layers[1]));
    assert_eq!(overridden("widedeep", &["layers=1"]).layers, base.layers[..1]);
}

#[test]
fn another_source_of_roles_starts_their_table_afresh_wherever_it_stands() {
    assert_eq!(overridden("widedeep", &["roles.source=none"]).roles, Roles::None);
    for overrides in [
        ["roles.source=fixed", "roles.names=[\"Tone\", \"Depth\"]"],
        ["roles.names=[\"Tone\", \"Depth\"]", "roles.source=fixed"],
    ] {
        let Roles::Fixed { names } = overridden("widedeep", &overrides).roles else {
            panic!("not fixed");
        };
        assert_eq!(names, ["Tone", "Depth"]);
    }
    let generated = overridden("jury", &["roles.source=generated", "roles.limit=3"]).roles;
    assert!(matches!(generated, Roles::Generated { limit: Some(limit), cap: None, .. } if limit.get() == 3));
}

#[test]
fn another_rule_for_stopping_drops_the_sequential_test_and_that_rule_brings_it() {
    use widedeep::network::spec::{Sequential, Stop};
    let base = overridden("widedeep", &[]);
    assert_eq!((base.stop, base.sequential), (Stop::Never, None));
    let sequential = overridden("widedeep", &["stop=sequential"]);
    assert_eq!(
        (sequential.stop, sequential.sequential),
        (Stop::Sequential, Some(Sequential { error: 0.1, p1: 0.8 }))
    );
    for overrides in [
        ["stop=sequential", "sequential.error=0.05"],
        ["sequential.error=0.05", "stop=sequential"],
    ] {
        let test = overridden("widedeep", &overrides).sequential;
        assert_eq!(test, Some(Sequential { error: 0.05, p1: 0.8 }));
    }
    let kept = overridden("widedeep-sequential", &["sequential.error=0", "stop=sequential"]);
    assert_eq!(kept.sequential, Some(Sequential { error: 0.0, p1: 0.8 }));
    for rule in ["never", "unanimous"] {
        assert_eq!(
            overridden("widedeep-sequential", &[&format!("stop={rule}")]).sequential,
            None
        );
    }
}

#[test]
fn overrides_that_cannot_be_applied_are_named_with_remedy() {
    let mut messages = String::new();
    for (name, overrides) in [
        ("widedeep", &["calls.samples"][..]),
        ("widedeep", &["=3"]),
        ("widedeep", &["calls..samples=3"]),
        ("widedeep", &["calls.sample=3"]),
        ("widedeep", &["calls.samples=three"]),
        ("widedeep", &["calls.orders=one", "reply.attempts=0"]),
        ("widedeep", &["name.first=x"]),
        ("widedeep", &["layers.1.history=none"]),
        ("widedeep", &["layers=0"]),
        ("widedeep", &["layers=17"]),
        ("widedeep", &["layers=two"]),
        ("widedeep", &["roles.source=fixed"]),
        ("widedeep", &["roles.source=magic"]),
        ("widedeep", &["roles.names=[\"A\"]"]),
        ("widedeep", &["roles.source=none", "roles.cap=2"]),
        ("faireval", &["layers=2"]),
        ("widedeep", &["stop=early"]),
        ("widedeep", &["sequential.error=0.05"]),
        ("widedeep", &["stop=sequential", "sequential.alpha=0.05"]),
        ("widedeep", &["stop=sequential", "sequential.error=small"]),
        ("widedeep", &["stop=sequential", "sequential.error=1"]),
        ("widedeep-sequential", &["stop=never", "sequential.error=0.05"]),
        ("single", &["stop=sequential"]),
        ("jury", &["stop=unanimous"]),
        ("faireval", &["sampling.temperature=0"]),
        ("faireval", &["roles.source=generated"]),
    ] {
        let error = set(name, overrides).unwrap_err();
        writeln!(
            messages,
            "{name} --set {}\n    {}",
            overrides.join(" --set "),
            error.to_string().replace('\n', "\n    ")
        )
        .unwrap();
    }
    insta::assert_snapshot!("mistakes_in_overrides", messages);
}
