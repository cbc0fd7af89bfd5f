//! Wrong input: what the message says.

use crate::folder::{Folder, model};

#[test]
fn unreadable_texts_are_named_by_file_and_line() {
    let folder = Folder::new();
    folder.write("texts/en.txt", b"fine\nbad \xff\n");
    let message = folder.wrong("count texts --out counts");
    assert!(message.contains("`texts/en.txt:2`: it is not UTF-8"), "{message}");
    folder.write("answers.jsonl", "{\"text\": \"x\"}\n{\"prefix\": \"x\"}\n");
    let message = folder.wrong("count answers.jsonl --out counts");
    assert!(
        message.contains("`answers.jsonl:2`") && message.contains("`prefix` and `response`"),
        "{message}"
    );
    folder.write("answers.json", "{\"en\": [\n\"x\",\n{\"question\": 7}]}");
    let message = folder.wrong("count answers.json --out counts");
    assert!(
        message.contains("`answers.json`: language `en`, text 2 is neither"),
        "{message}"
    );
    folder.write("answers.json", "[\n1]");
    let message = folder.wrong("count answers.json --out counts");
    assert!(
        message.contains("`answers.json:1`") && message.contains("`.jsonl`"),
        "{message}"
    );
}

#[test]
fn missing_files_folders_languages_and_models_say_what_to_give() {
    let folder = Folder::new();
    let message = folder.wrong("count nowhere.txt --out counts");
    assert!(message.contains("failed to read `nowhere.txt`"), "{message}");
    std::fs::create_dir(folder.path("empty")).unwrap();
    let message = folder.wrong("count empty --out counts");
    assert!(
        message.contains("`empty` holds no `.txt` or `.jsonl` file"),
        "{message}"
    );
    let message = folder.wrong("count texts --model smolm2-135m --out counts");
    assert!(message.contains("smollm2-135m"), "{message}");
    let message = folder.wrong(&model("count texts --languages en,de --out counts"));
    assert!(
        message.contains("no text of language `de` was given, only of en, fr, sw") && message.contains("`de=FILE`"),
        "{message}"
    );
    let message = folder.wrong(&model("count a/b=texts/en.txt --out counts"));
    assert!(message.contains("`a/b` is no name for a language"), "{message}");
}

#[test]
fn what_cannot_be_cut_or_halved_is_refused() {
    let folder = Folder::new();
    folder.write("en.jsonl", "{\"prefix\": \"Why?\", \"response\": \" Because.\"}\n");
    let message = folder.wrong(&model("count en.jsonl --blocks 16 --out counts"));
    assert!(
        message.contains("text 1 of language `en` has a prefix") && message.contains("--part whole"),
        "{message}"
    );
    let message = folder.wrong(&model("count en.jsonl --halves --out counts"));
    assert!(message.contains("language `en` has a single text"), "{message}");
    let message = folder.wrong(&model("count texts --windows 8 --overlap 8 --out counts"));
    assert!(message.contains("let it repeat fewer"), "{message}");
    folder.write("texts/en.txt", "word ".repeat(9000));
    let message = folder.wrong(&model("count texts --out counts"));
    assert!(
        message.contains("text 1 of language `en` has") && message.contains("--blocks"),
        "{message}"
    );
}

#[test]
fn too_few_languages_and_wrong_rates_are_refused() {
    let folder = Folder::new();
    folder.with_model("count texts --languages en --tokens 20 --out counts");
    let message = folder.wrong("identify counts/counts.npy --out units");
    assert!(
        message.contains("at least two languages") && message.contains("count another language"),
        "{message}"
    );
    let message = folder.wrong("identify counts/counts.npy --top 2 --out units");
    assert!(message.contains("`2` is not a rate"), "{message}");
    folder.write("units.json", "{\n\"format\": 1,\n\"model\": 3}");
    let message = folder.wrong("parts units.json");
    assert!(
        message.contains("`units.json:3`") && message.contains("identify them again"),
        "{message}"
    );
}
