//! Models that cannot be used: exit code 2, and how to get one.

use std::io::Read;

use snapbox::cmd::OutputAssert;
use snapbox::str;

use crate::folder::Folder;
use crate::support::default_model;

fn refused(folder: &Folder, model: &str) -> OutputAssert {
    let refused = folder
        .widedeep(&format!("eval demo --out run --model {model}"))
        .code(2)
        .stdout_eq("");
    assert!(
        !folder.path("run").exists(),
        "nothing is left of a run that did not start"
    );
    refused
}

#[test]
fn a_model_that_was_not_pulled_is_answered_with_the_command_that_does_it() {
    let folder = Folder::new();
    folder.widedeep("eval demo --out run").code(2).stderr_eq(str![[r#"
error: model `smollm2-135m` has not been pulled; run `widedeep models pull smollm2-135m`

"#]]);
    refused(&folder, "qwen2.5-1.5b").stderr_eq(str![[r#"
error: model `qwen2.5-1.5b` has not been pulled; run `widedeep models pull qwen2.5-1.5b`

"#]]);
}

#[test]
fn an_unknown_model_is_answered_with_names_like_it() {
    let folder = Folder::new();
    refused(&folder, "smollm2-135").stderr_eq(str![[r#"
error: no model is called `smollm2-135`; did you mean `smollm2-135m`[..]? (`widedeep models list` shows all)

"#]]);
    refused(&folder, "gtp5").stderr_eq(str![[r#"
error: no model is called `gtp5` (`widedeep models list` shows all)

"#]]);
}

#[test]
fn a_model_file_must_exist_and_be_a_whole_gguf() {
    let folder = Folder::new();
    let mut start = Vec::new();
    let model = std::fs::File::open(default_model()).unwrap();
    model.take(1_000_000).read_to_end(&mut start).unwrap();
    folder.write("cut.gguf", start).write("prose.gguf", "Once upon a time");
    refused(&folder, "absent.gguf").stderr_eq(str![[r#"
error: there is no model file `absent.gguf`; give the path of a GGUF file, or a name from `widedeep models list`

"#]]);
    refused(&folder, "./prose.gguf").stderr_eq(str![[r#"
error: `./prose.gguf` is no GGUF file (it does not begin with `GGUF`); convert the model with llama.cpp, or name one from `widedeep models list`

"#]]);
    refused(&folder, "cut.gguf").stderr_eq(str![[r#"
error: llama.cpp failed to load `cut.gguf`: [..]
hint: the file is truncated or damaged; delete it and download it again (`widedeep models pull`)

"#]]);
}

#[test]
fn a_model_that_a_network_names_is_looked_for_as_well() {
    let folder = Folder::new();
    let network = format!("{}model = \"absent.gguf\"\n", crate::folder::SHORT_NETWORK);
    folder.write("mixed.toml", network);
    folder
        .widedeep("eval demo --out run --network mixed.toml")
        .code(2)
        .stderr_eq(str![[r#"
error: there is no model file `absent.gguf`; give the path of a GGUF file, or a name from `widedeep models list`

"#]]);
}
