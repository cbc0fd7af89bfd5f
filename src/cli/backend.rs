//! From the words of `--model` to something that answers: a local model, or one behind an API.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use widedeep::chat::openai::{BaseUrl, Capabilities, Endpoint, Features, KeySource, OPENAI, OPENAI_KEY};
use widedeep::chat::{ChatModel, Identity, LocalModel, OpenAiModel};
use widedeep::fetch::{self, Home};
use widedeep::inside::hallucination::Detector;
use widedeep::inside::hallucination::whitebox::DetectorModel;
use widedeep::llama::{EngineConfig, EngineError, KvType, Threads};
use widedeep::network::spec::DETECTOR;
use widedeep::run::{Collector, Meter};

use super::detect::Found;
use super::{Failure, failed, input};

/// How `--model` names a model behind an API.
const API: &str = "openai:";

/// Flags about where and how models run.
#[derive(Debug, clap::Args)]
pub(crate) struct Backend {
    /// Model: a name from `widedeep models list`, the path of a GGUF file, or `openai:NAME` for a model behind OpenAI's API (`openai:NAME@URL` for
    /// another server than --base-url)
    #[arg(long, default_value = "smollm2-135m")]
    pub(crate) model: String,

    /// Tokens that a local model's cache holds for all neurons together [default: the model's own context, between 8192 and 16384]; for an
    /// API model, the tokens that its context holds [default: unknown]
    #[arg(long, value_name = "TOKENS")]
    pub(crate) context: Option<NonZeroUsize>,

    /// Threads for a local model: `auto` takes the cores that other processes leave free, a number is kept to. Replies are the same with 1 and 2, and
    /// with all numbers from 3 on; `auto` counts as the number of cores
    #[arg(long, value_name = "auto|N", default_value = "auto")]
    pub(crate) threads: Threads,

    /// Number format of a local model's cache: `f16`, or `q8_0` for half the memory and slightly different replies
    #[arg(long, value_name = "TYPE", default_value = "f16")]
    kv: KvType,

    /// Memory that a local model may need, like `900MiB` or `4GiB` [default: what is available]; more is refused before it is allocated
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    memory_limit: Option<u64>,

    /// Server with OpenAI's API: OpenAI, vLLM, SGLang, llama-server, LiteLLM, Ollama
    #[arg(long, value_name = "URL", default_value = OPENAI, help_heading = "API models")]
    base_url: String,

    /// Environment variable that holds the API key; without the variable, servers on this machine are asked without a key
    #[arg(long, value_name = "VARIABLE", default_value = OPENAI_KEY, help_heading = "API models")]
    api_key_env: String,

    /// File that holds the API key
    #[arg(long, value_name = "FILE", help_heading = "API models")]
    api_key_file: Option<PathBuf>,

    /// Requests per minute at most
    #[arg(long, value_name = "N", help_heading = "API models")]
    requests_per_minute: Option<NonZeroU32>,

    /// Tokens per minute at most, prompts and replies together
    #[arg(long, value_name = "N", help_heading = "API models")]
    tokens_per_minute: Option<NonZeroU32>,

    /// Requests under way at once at most [default: 64]; within it, their number adapts to what the endpoint bears
    #[arg(long, value_name = "N", help_heading = "API models")]
    api_concurrency: Option<NonZeroUsize>,

    /// Seconds that one attempt may take [default: 360]
    #[arg(long, value_name = "SECONDS", help_heading = "API models")]
    api_timeout: Option<NonZeroU32>,
}

/// A model as it is known before anything is asked of it.
pub(crate) enum Prepared {
    /// Loaded into this process.
    Local(Arc<LocalModel>),
    /// A model behind an API.
    Endpoint(Box<Endpoint>, Identity),
    /// A detector of made-up answers, with the model that it reads.
    Detector(Arc<DetectorModel>),
}

/// A model that answers.
pub(crate) struct Loaded {
    pub(crate) model: Arc<dyn ChatModel>,
    /// What its endpoint can do, if it has one.
    pub(crate) can: Option<Capabilities>,
}

impl Prepared {
    pub(crate) fn identity(&self) -> &Identity {
        match self {
            Prepared::Local(model) => model.identity(),
            Prepared::Endpoint(_, identity) => identity,
            Prepared::Detector(detector) => detector.identity(),
        }
    }

    /// Connects to the endpoint, if it is one. Its attempts are told to `meter`; endpoints in `known` are not probed again. With a collector its
    /// requests go into batches.
    pub(crate) async fn connect(
        &self,
        meter: &Arc<Meter>,
        known: &[(String, Capabilities)],
        collector: Option<&Arc<Collector>>,
    ) -> Result<Loaded, Failure> {
        let (endpoint, identity) = match self {
            Prepared::Local(model) => {
                return Ok(Loaded {
                    model: Arc::clone(model) as Arc<dyn ChatModel>,
                    can: None,
                });
            }
            Prepared::Detector(detector) => {
                return Ok(Loaded {
                    model: Arc::clone(detector) as Arc<dyn ChatModel>,
                    can: None,
                });
            }
            Prepared::Endpoint(endpoint, identity) => (endpoint, identity),
        };
        let mut endpoint = Endpoint::clone(endpoint);
        if let Some((_, can)) = known.iter().find(|(name, _)| *name == identity.name) {
            endpoint.features = Features::Known(can.clone());
        }
        let model = OpenAiModel::connect_watched(endpoint, meter.watch(&identity.name));
        let model = model.await.map_err(failed)?;
        Ok(Loaded {
            can: Some(model.capabilities().clone()),
            model: Arc::new(match collector {
                Some(collector) => collector.take(&model),
                None => model,
            }),
        })
    }
}

impl Backend {
    /// The model of these words.
    pub(crate) fn prepare(&self, words: &str) -> Result<Prepared, Failure> {
        if let Some(file) = words.strip_prefix(DETECTOR) {
            return self.detector(words, file);
        }
        match words.strip_prefix(API) {
            Some(name) => self.endpoint(name),
            None => self.local(words),
        }
    }

    fn local(&self, name: &str) -> Result<Prepared, Failure> {
        let path = fetch::resolve_model(name).map_err(input)?;
        let config = EngineConfig {
            context: self.context.map(NonZeroUsize::get),
            threads: self.threads,
            kv: self.kv,
            memory_limit: self.memory_limit,
            // Without a home there is nowhere to remember it; that is no reason to fail.
            calibrations: Home::from_env().ok().map(|home| home.root().join("cache")),
            ..EngineConfig::default()
        };
        let model = LocalModel::load(&path, name, &config).map_err(|error| match error {
            // It names the file.
            EngineError::Model(_) => input(error),
            other => input(anyhow::Error::from(other).context(format!("failed to start the model `{name}`"))),
        })?;
        Ok(Prepared::Local(Arc::new(model)))
    }

    /// The detector of `FILE` or `FILE@MODEL`.
    fn detector(&self, words: &str, file: &str) -> Result<Prepared, Failure> {
        let (file, model) = match file.rsplit_once('@') {
            Some((file, model)) => (file, Some(model)),
            None => (file, None),
        };
        let detector = Detector::read(Path::new(file)).map_err(input)?;
        let found = Found::of_detector(&detector, model)?;
        let style = found.admitted_by(&detector)?;
        let norms = found.norms()?;
        let model = DetectorModel::start(words, found.load()?, norms, detector, style, self.threads);
        Ok(Prepared::Detector(Arc::new(model.map_err(failed)?)))
    }

    fn endpoint(&self, name: &str) -> Result<Prepared, Failure> {
        // Names may hold an `@` of their own; a URL begins with its scheme.
        let (name, url) = match name.find("@http") {
            Some(at) => (&name[..at], &name[at + 1..]),
            None => (name, self.base_url.as_str()),
        };
        if name.is_empty() {
            return Err(input(anyhow::anyhow!(
                "`{API}` names no model: write it as in `{API}gpt-4o-mini`"
            )));
        }
        let base_url: BaseUrl = url.parse().map_err(input)?;
        let mut endpoint = Endpoint::new(base_url, name, KeySource::None);
        endpoint.key = self.key(&endpoint);
        endpoint.context = self.context;
        endpoint.limits.requests_per_minute = self.requests_per_minute;
        endpoint.limits.tokens_per_minute = self.tokens_per_minute;
        if let Some(concurrency) = self.api_concurrency {
            endpoint.limits.concurrency = concurrency;
            endpoint.limits.first_concurrency = endpoint.limits.first_concurrency.min(concurrency);
        }
        if let Some(seconds) = self.api_timeout {
            endpoint.timeouts.whole = Duration::from_secs(seconds.get().into());
            endpoint.timeouts.first_byte = endpoint.timeouts.first_byte.min(endpoint.timeouts.whole);
        }
        let identity = Identity {
            name: endpoint.name(),
            digest: String::new(),
        };
        Ok(Prepared::Endpoint(Box::new(endpoint), identity))
    }

    fn key(&self, endpoint: &Endpoint) -> KeySource {
        match &self.api_key_file {
            Some(path) => KeySource::File(path.clone()),
            None if endpoint.base_url.is_loopback() && std::env::var_os(&self.api_key_env).is_none() => KeySource::None,
            None => KeySource::Variable(self.api_key_env.clone()),
        }
    }
}

/// `900MiB`, `4GiB`, `4G` or bytes.
fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => Some(0),
        "k" | "kib" => Some(10),
        "m" | "mib" => Some(20),
        "g" | "gib" => Some(30),
        "t" | "tib" => Some(40),
        _ => None,
    };
    let bytes = number.parse::<u64>().ok().zip(shift);
    bytes
        .and_then(|(number, shift)| number.checked_mul(1 << shift))
        .ok_or_else(|| "expected a size such as `900MiB` or `4GiB`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_whole_numbers_with_a_binary_unit() {
        assert_eq!(bytes("4096"), Ok(4096));
        assert_eq!(bytes("900MiB"), Ok(900 << 20));
        assert_eq!(bytes("4g"), Ok(4 << 30));
        for wrong in ["", "GiB", "1.5GiB", "-1", "4 parsecs", "99999999TiB"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
