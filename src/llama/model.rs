//! A GGUF file: loading, what it is, its tokens and its chat template.

use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;

use super::template::{ChatTemplate, Ending, Piece, TemplateError, Turn};
use super::{Token, attention, log, room};

/// Failures to load a model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file cannot be read.
    #[error(
        "failed to read the model file `{path}`: {source}; give the path of a GGUF file, or a name from `widedeep models list`"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file does not begin as a GGUF file does.
    #[error(
        "`{path}` is not a GGUF file (it begins with {found:?}); convert the model to GGUF, or pull one with `widedeep models pull`"
    )]
    NotGguf {
        /// The file.
        path: PathBuf,
        /// Its first bytes.
        found: String,
    },
    /// llama.cpp cannot load the file: truncated, unsupported architecture, not enough memory.
    #[error("llama.cpp failed to load `{path}`: {reason}\nhint: {hint}")]
    Load {
        /// The file.
        path: PathBuf,
        /// llama.cpp's complaints.
        reason: String,
        /// What to do about them.
        hint: &'static str,
    },
    /// llama.cpp cannot start at all.
    #[error("llama.cpp failed to start: {reason}")]
    Backend {
        /// What it said.
        reason: String,
    },
}

/// A loaded model, shared by everything that uses it.
#[derive(Debug)]
pub struct Model {
    pub(super) inner: LlamaModel,
    path: PathBuf,
    digest: String,
    template: ChatTemplate,
    /// Memory that loading took from the system; weights that are mapped from the file take none until they are read.
    allocated: u64,
}

/// A conversation in tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// All of them, mark-up included.
    pub tokens: Vec<Token>,
    /// Where the text of each turn is; a system turn that the template refuses has been put in front of the first user turn's text, as a place of its own.
    pub places: Vec<Range<usize>>,
}

/// llama.cpp's process-wide state; it may be initialised only once.
pub(super) fn backend() -> Result<&'static LlamaBackend, ModelError> {
    static BACKEND: OnceLock<Result<LlamaBackend, String>> = OnceLock::new();
    let backend = BACKEND.get_or_init(|| {
        log::install();
        let backend = LlamaBackend::init().map_err(|error| error.to_string())?;
        attention::register();
        Ok(backend)
    });
    backend
        .as_ref()
        .map_err(|reason| ModelError::Backend { reason: reason.clone() })
}

impl Model {
    /// Loads a GGUF file, with `gpu_layers` layers on the GPU where llama.cpp was built with one.
    pub fn load(path: &Path, gpu_layers: u32) -> Result<Arc<Self>, ModelError> {
        let backend = backend()?;
        let digest = inspect(path)?;
        log::forget();
        let before = room::anonymous();
        let params = LlamaModelParams::default().with_n_gpu_layers(gpu_layers);
        let inner = LlamaModel::load_from_file(backend, path, &params).map_err(|error| {
            let complaints = log::complaints();
            let reason = if complaints.is_empty() {
                error.to_string()
            } else {
                complaints
            };
            ModelError::Load {
                path: path.to_owned(),
                hint: hint(&reason),
                reason,
            }
        })?;
        let vocab = inner.vocab();
        let piece = |token: Token| {
            // A vocabulary without this token reports -1.
            if token.0 < 0 {
                String::new()
            } else {
                String::from_utf8_lossy(&vocab.token_to_piece(token, true, None)).into_owned()
            }
        };
        let source = inner
            .chat_template(None)
            .ok()
            .and_then(|template| template.to_string().ok());
        let template = ChatTemplate::new(source, piece(vocab.bos()), piece(vocab.eos()));
        Ok(Arc::new(Self {
            path: path.to_owned(),
            digest,
            template,
            allocated: room::anonymous().saturating_sub(before).min(inner.size()),
            inner,
        }))
    }

    /// Where the model was loaded from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// BLAKE3 of the file, in hex.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Bytes of its weights that are in memory of their own, and not mapped from the file.
    pub(super) fn allocated(&self) -> u64 {
        self.allocated
    }

    /// How many tokens the model was trained to see at once.
    pub fn trained_context(&self) -> usize {
        self.inner.n_ctx_train() as usize
    }

    /// Whether a sequence's state can be cut and copied at any position; recurrent state (Mamba-like models) cannot.
    pub fn can_share_prefixes(&self) -> bool {
        !self.inner.is_recurrent() && !self.inner.is_hybrid()
    }

    /// `general.architecture` of the file.
    pub fn architecture(&self) -> String {
        self.inner
            .meta_val_str("general.architecture")
            .unwrap_or_else(|_| "unknown".to_owned())
    }

    /// A field of the file that belongs to the architecture, such as `attention.key_length`.
    pub(super) fn hyperparameter(&self, name: &str) -> Option<String> {
        let key = format!("{}.{name}", self.architecture());
        self.inner.meta_val_str(&key).ok()
    }

    /// Tokens of a conversation, up to the place where the reply begins.
    pub fn prompt(&self, turns: &[Turn]) -> Result<Vec<Token>, TemplateError> {
        let vocab = self.inner.vocab();
        let mut tokens = Vec::new();
        for piece in self.template.render(turns, Ending::Open)? {
            match piece {
                Piece::Markup(text) => vocab.tokenize_into(text.as_bytes(), &mut tokens, false, true),
                Piece::Content(text) => tokens.extend(self.plain(text)),
            }
        }
        if vocab.should_add_bos() && tokens.first() != Some(&vocab.bos()) {
            tokens.insert(0, vocab.bos());
        }
        Ok(tokens)
    }

    /// A conversation to its end, the mark that closes the last turn included.
    pub fn conversation(&self, turns: &[Turn]) -> Result<Conversation, TemplateError> {
        let vocab = self.inner.vocab();
        let mut tokens = Vec::new();
        let mut places = Vec::new();
        for piece in self.template.render(turns, Ending::Closed)? {
            match piece {
                Piece::Markup(text) => vocab.tokenize_into(text.as_bytes(), &mut tokens, false, true),
                Piece::Content(text) => {
                    let first = tokens.len();
                    tokens.extend(self.plain(text));
                    places.push(first..tokens.len());
                }
            }
        }
        if vocab.should_add_bos() && tokens.first() != Some(&vocab.bos()) {
            tokens.insert(0, vocab.bos());
            for place in &mut places {
                *place = place.start + 1..place.end + 1;
            }
        }
        Ok(Conversation { tokens, places })
    }

    /// A token that means nothing in particular.
    pub(super) fn filler(&self) -> Token {
        let bos = self.inner.vocab().bos();
        if bos.0 < 0 {
            llama_cpp_2::token::LlamaToken(0)
        } else {
            bos
        }
    }

    /// Tokens of plain text, without any at its beginning: nothing in it is special.
    pub fn plain(&self, text: &str) -> Vec<Token> {
        self.inner.vocab().tokenize(text.as_bytes(), false, false)
    }

    /// Whether a token is markup, such as the mark that ends a turn: no text makes one.
    pub fn is_control(&self, token: Token) -> bool {
        let vocab = self.inner.vocab();
        vocab.is_control(token) || vocab.is_eog(token)
    }

    /// The bytes of a token as they appear in text; control tokens have none.
    pub fn bytes(&self, token: Token) -> Vec<u8> {
        self.inner.vocab().token_to_piece(token, false, None)
    }
}

/// Checks the magic and hashes the file.
fn inspect(path: &Path) -> Result<String, ModelError> {
    let read = |source| ModelError::Read {
        path: path.to_owned(),
        source,
    };
    let mut file = std::fs::File::open(path).map_err(read)?;
    let mut magic = Vec::new();
    file.by_ref().take(4).read_to_end(&mut magic).map_err(read)?;
    if magic != b"GGUF" {
        return Err(ModelError::NotGguf {
            path: path.to_owned(),
            found: String::from_utf8_lossy(&magic).into_owned(),
        });
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&magic);
    hasher.update_reader(file).map_err(read)?;
    Ok(hasher.finalize().to_hex().to_string())
}

fn hint(reason: &str) -> &'static str {
    let reason = reason.to_ascii_lowercase();
    if reason.contains("unknown model architecture") {
        "this build of llama.cpp does not know the architecture; update widedeep or take another model"
    } else if reason.contains("not within the file bounds")
        || reason.contains("failed to read")
        || reason.contains("eof")
    {
        "the file is truncated or damaged; delete it and download it again (`widedeep models pull`)"
    } else if reason.contains("alloc") || reason.contains("memory") {
        "not enough memory; take a smaller model or quantisation"
    } else {
        "run with `RUST_LOG=llama.cpp=trace` to see all that llama.cpp says"
    }
}
