//! Help texts, which are the first thing that anybody reads.

use crate::folder::Folder;

#[test]
fn every_command_explains_itself() {
    let folder = Folder::new();
    for command in ["", "count", "identify", "parts", "silence", "compare", "steer"] {
        let ended = folder.good(&format!("{command} --help"));
        assert_eq!(ended.stderr, "", "help that was asked for is a result");
        let text: Vec<&str> = ended.stdout.lines().map(str::trim_end).collect();
        let name = if command.is_empty() { "language" } else { command };
        insta::assert_snapshot!(name, text.join("\n"));
    }
}
