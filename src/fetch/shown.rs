//! Texts that reach an error or a terminal, without the secrets that they may carry.

use reqwest::Url;

/// A URL without user, password, query and fragment: any of them may be a credential (signed links, private mirrors).
pub(super) fn url(url: &Url) -> String {
    let mut shown = url.clone();
    // Both fail only for URLs that cannot have a user at all, which then carry none.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.set_fragment(None);
    shown.to_string()
}

/// An error and its causes in one line. `reqwest` puts the full URL of the failed request into its errors, hence the caller
/// passes an error from which it has been removed.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

/// The last lines of another program's complaint, with `user:password@` cut out of the URLs in it.
pub(super) fn complaint(text: &str) -> String {
    let mut lines: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .rev()
        .take(5)
        .map(without_userinfo)
        .collect();
    lines.reverse();
    if lines.is_empty() {
        "it said nothing".to_owned()
    } else {
        lines.join("; ")
    }
}

fn without_userinfo(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let authority = after
            .find(|c: char| c == '/' || c.is_whitespace())
            .unwrap_or(after.len());
        rest = match after[..authority].rfind('@') {
            Some(user) => {
                shown.push_str("***");
                &after[user..]
            }
            None => after,
        };
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_url_is_shown_without_its_credentials() {
        let secret = Url::parse("https://me:pass@mirror.test/a/b.gguf?Signature=s3cret#x").unwrap();
        assert_eq!(url(&secret), "https://mirror.test/a/b.gguf");
    }

    #[test]
    fn a_complaint_keeps_its_last_lines_and_loses_its_passwords() {
        let said = "1\n2\n3\n\n4\nlooking at https://me:p@ss@host/simple and http://open/x\n  6 a://b@c \n";
        assert_eq!(
            complaint(said),
            "2; 3; 4; looking at https://***@host/simple and http://open/x; 6 a://***@c"
        );
        assert_eq!(complaint(" \n"), "it said nothing");
    }
}
