//! Help texts, which are the first thing that anybody reads.

use crate::folder::{Folder, text};

/// The help text of a command, without the white space that clap leaves at line ends.
fn help(arguments: &str) -> String {
    let output = Folder::new().output(arguments);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "help that was asked for is a result");
    text(&output.stdout)
        .lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_program_explains_itself() {
    insta::assert_snapshot!("widedeep", help("--help"));
}

#[test]
fn every_command_explains_itself() {
    for command in [
        "eval",
        "score",
        "compare",
        "networks",
        "networks list",
        "networks show",
        "models",
        "models list",
        "models pull",
        "models path",
        "data",
        "data list",
        "data pull",
        "data path",
    ] {
        insta::assert_snapshot!(command.replace(' ', "-"), help(&format!("{command} --help")));
    }
}

#[test]
fn without_a_command_the_help_is_shown_and_the_exit_code_says_bad_input() {
    let folder = Folder::new();
    for command in ["", "networks", "models", "data"] {
        let output = folder.output(command);
        assert_eq!(output.status.code(), Some(2), "{command}");
        assert!(output.stdout.is_empty());
        let shown = text(&output.stderr);
        let usage = format!("Usage: widedeep {command}").trim_end().to_owned();
        assert!(shown.contains(&usage) && shown.contains("Commands:"), "{shown}");
    }
}

#[test]
fn the_version_is_the_packages() {
    let expected = concat!("widedeep ", env!("CARGO_PKG_VERSION"), "\n");
    Folder::new().widedeep("--version").success().stdout_eq(expected);
}

#[test]
fn missing_and_unknown_arguments_point_to_the_help() {
    let folder = Folder::new();
    folder.widedeep("eval demo").code(2).stderr_eq(snapbox::str![[r#"
error: the following required arguments were not provided:
  --out <DIR>

Usage: widedeep eval --out <DIR> <DATA>

For more information, try '--help'.

"#]]);
    folder.widedeep("evla").code(2).stderr_eq(snapbox::str![[r#"
error: unrecognized subcommand 'evla'

  tip: a similar subcommand exists: 'eval'

Usage: widedeep <COMMAND>

For more information, try '--help'.

"#]]);
}
