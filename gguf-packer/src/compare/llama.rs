//! llama.cpp's C API, as much of it as measuring needs: the one place here that calls it.
#![expect(unsafe_code, reason = "the calls into llama.cpp")]

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;

use llama_sys as sys;

/// Why it cannot be measured, and what to do.
pub(super) type Refusal = (String, Option<String>);

/// A model and what it has read.
pub(super) struct Model {
    model: *mut sys::llama_model,
    context: *mut sys::llama_context,
    vocab: *const sys::llama_vocab,
    size: usize,
}

/// Before all else: llama.cpp says what is wrong and nothing more.
pub(super) fn begin() {
    // SAFETY: the callback takes what llama.cpp gives it, for as long as the process lives.
    unsafe {
        sys::llama_log_set(Some(log), ptr::null_mut());
        sys::llama_backend_init();
        // Backends that are libraries.
        if sys::ggml_backend_reg_count() == 0 {
            sys::ggml_backend_load_all();
        }
    }
}

unsafe extern "C" fn log(level: sys::ggml_log_level, text: *const c_char, _: *mut c_void) {
    if level == sys::GGML_LOG_LEVEL_WARN || level == sys::GGML_LOG_LEVEL_ERROR {
        // SAFETY: llama.cpp gives a text that ends in zero and lives as long as this call.
        let text = unsafe { CStr::from_ptr(text) };
        eprint!("{}", text.to_string_lossy());
    }
}

impl Model {
    /// Loads the model of the file `path`, to read `context` tokens, `at_once` at a time.
    pub(super) fn load(
        path: &str,
        context: usize,
        at_once: usize,
        threads: usize,
    ) -> Result<Self, Refusal> {
        let file =
            CString::new(path).map_err(|_| (format!("{path:?} is not a valid path"), None))?;
        // SAFETY: plain values, and a text that ends in zero and outlives the call.
        let model = unsafe {
            sys::llama_model_load_from_file(file.as_ptr(), sys::llama_model_default_params())
        };
        if model.is_null() {
            return Err((format!("llama.cpp cannot load {path}"), None));
        }
        // SAFETY: the model was loaded; its vocabulary lives as long.
        let vocab = unsafe { sys::llama_model_get_vocab(model) };
        // From here on dropping it frees what is there.
        let mut this = Self { model, context: ptr::null_mut(), vocab, size: 0 };
        this.check_model(path)?;
        // SAFETY: the vocabulary is that of a loaded model.
        this.size = usize::try_from(unsafe { sys::llama_vocab_n_tokens(vocab) }).unwrap_or(0);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        // SAFETY: plain values; the model outlives its context.
        this.context = unsafe {
            let mut params = sys::llama_context_default_params();
            params.n_ctx = number(context);
            params.n_batch = number(at_once);
            params.n_ubatch = number(at_once);
            params.n_threads = i32::try_from(threads).unwrap_or(i32::MAX);
            params.n_threads_batch = params.n_threads;
            sys::llama_init_from_model(model, params)
        };
        if this.context.is_null() {
            return Err((format!("llama.cpp cannot run {path}"), None));
        }
        this.check_context(path)?;
        Ok(this)
    }

    /// Whether it is a model whose predictions of the next token can be measured.
    fn check_model(&self, path: &str) -> Result<(), Refusal> {
        // SAFETY: the model was loaded.
        let (vocabulary, encoder, diffusion) = unsafe {
            (
                sys::llama_vocab_type(self.vocab),
                sys::llama_model_has_encoder(self.model),
                sys::llama_model_is_diffusion(self.model),
            )
        };
        if vocabulary == sys::LLAMA_VOCAB_TYPE_NONE {
            return Err((format!("{path} has no vocabulary, so it cannot read text"), None));
        }
        if encoder || diffusion {
            return Err(no_next_token(path));
        }
        Ok(())
    }

    fn check_context(&self, path: &str) -> Result<(), Refusal> {
        // SAFETY: the context was made.
        let (pooling, causal) = unsafe {
            (sys::llama_pooling_type(self.context), sys::llama_get_causal_attn(self.context))
        };
        if pooling != sys::LLAMA_POOLING_TYPE_NONE || !causal {
            return Err(no_next_token(path));
        }
        Ok(())
    }

    /// What `self` and `other` understand differently.
    pub(super) fn same_vocabulary(&self, other: &Self) -> Result<(), String> {
        if self.size != other.size {
            return Err(format!("{} and {} tokens", self.size, other.size));
        }
        for token in 0..self.size {
            let (ours, theirs) = (self.text(token), other.text(token));
            if ours != theirs {
                return Err(format!(
                    "token {token} is `{}` in one, `{}` in the other",
                    ours.to_string_lossy().escape_debug(),
                    theirs.to_string_lossy().escape_debug()
                ));
            }
        }
        Ok(())
    }

    fn text(&self, token: usize) -> &CStr {
        let token = sys::llama_token::try_from(token).unwrap_or(0);
        // SAFETY: `token` is one of the vocabulary, and its text lives as long as the model.
        unsafe {
            let text = sys::llama_vocab_get_text(self.vocab, token);
            if text.is_null() { c"" } else { CStr::from_ptr(text) }
        }
    }

    /// The tokens of `text`, with those that the model wants around it.
    pub(super) fn tokens(&self, text: &str) -> Result<Vec<i32>, Refusal> {
        let too_long = || ("the text is too long".to_owned(), Some("--chunks 8".to_owned()));
        let len = i32::try_from(text.len()).map_err(|_| too_long())?;
        let mut tokens = vec![0; text.len() / 4 + 8];
        loop {
            let room = i32::try_from(tokens.len()).map_err(|_| too_long())?;
            // SAFETY: `len` bytes to read, `room` tokens to write.
            let count = unsafe {
                let (text, tokens) = (text.as_ptr().cast::<c_char>(), tokens.as_mut_ptr());
                sys::llama_tokenize(self.vocab, text, len, tokens, room, true, false)
            };
            // Less than nothing is what it would need.
            let needed = usize::try_from(count.unsigned_abs()).unwrap_or(0);
            if count >= 0 {
                tokens.truncate(needed);
                return Ok(tokens);
            }
            if needed <= tokens.len() {
                return Err(too_long());
            }
            tokens.resize(needed, 0);
        }
    }

    /// The token before each text, if the model wants one.
    pub(super) fn begin_of_text(&self) -> Option<i32> {
        // SAFETY: the vocabulary is that of a loaded model.
        unsafe {
            sys::llama_vocab_get_add_bos(self.vocab).then(|| sys::llama_vocab_bos(self.vocab))
        }
    }

    /// Forgets all that it read.
    pub(super) fn forget(&mut self) {
        // SAFETY: the context was made.
        unsafe { sys::llama_memory_clear(sys::llama_get_memory(self.context), true) }
    }

    /// Reads on, and predicts what comes after each token for which that is `wanted`.
    pub(super) fn read(&mut self, tokens: &[i32], wanted: &[bool]) -> Result<(), Refusal> {
        let mut tokens = tokens.to_vec();
        let mut outputs: Vec<i8> = wanted.iter().map(|&wanted| i8::from(wanted)).collect();
        outputs.resize(tokens.len(), 0);
        let batch = sys::llama_batch {
            n_tokens: i32::try_from(tokens.len()).unwrap_or(0),
            token: tokens.as_mut_ptr(),
            embd: ptr::null_mut(),
            // Without positions and sequences it goes on in the first sequence.
            pos: ptr::null_mut(),
            n_seq_id: ptr::null_mut(),
            seq_id: ptr::null_mut(),
            logits: outputs.as_mut_ptr(),
        };
        // SAFETY: `n_tokens` tokens and as many marks, which outlive the call.
        match unsafe { sys::llama_decode(self.context, batch) } {
            0 => Ok(()),
            code => {
                Err((format!("llama.cpp cannot read the text: llama_decode returned {code}"), None))
            }
        }
    }

    /// What it thinks of every token after the one at `at` of those that were read last.
    pub(super) fn logits(&self, at: usize) -> Option<&[f32]> {
        let at = i32::try_from(at).ok()?;
        // SAFETY: the context was made; llama.cpp gives a number for each token of the vocabulary, or nothing
        // where none were wanted. They stay until more is read, for which `self` would be borrowed mutably.
        unsafe {
            let logits = sys::llama_get_logits_ith(self.context, at);
            (!logits.is_null()).then(|| std::slice::from_raw_parts(logits, self.size))
        }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: both were made here, and null is freed by nothing.
        unsafe {
            sys::llama_free(self.context);
            sys::llama_model_free(self.model);
        }
    }
}

fn no_next_token(path: &str) -> Refusal {
    let what = format!("{path} does not predict a next token: it may be an embedding model");
    (what, Some("measure perplexity only of models that generate text".to_owned()))
}
