//! Loads the model that is named first and continues the text that is named second, greedily.

use std::ffi::{CString, c_char};

use llama_sys::*;

/// Tokens to generate.
const LENGTH: usize = 24;

fn main() {
    let mut args = std::env::args().skip(1);
    let (model, prompt) = (args.next().expect("a model"), args.next().expect("a text"));
    eprintln!("llama.cpp {} ({TAG})", version());
    println!("{}", generate(&model, &prompt));
}

fn generate(model: &str, prompt: &str) -> String {
    let path = CString::new(model).expect("no zero byte in a path");
    // SAFETY: every pointer is checked before use and freed after the last one.
    unsafe {
        ggml_backend_load_all();
        let mut params = llama_model_default_params();
        params.n_gpu_layers = 0;
        let model = llama_model_load_from_file(path.as_ptr(), params);
        assert!(!model.is_null(), "cannot load the model");
        let mut params = llama_context_default_params();
        params.n_ctx = 512;
        params.n_threads = 2;
        params.n_threads_batch = 2;
        let context = llama_init_from_model(model, params);
        assert!(!context.is_null(), "cannot make a context");
        let text = continue_text(model, context, prompt);
        llama_free(context);
        llama_model_free(model);
        text
    }
}

/// # Safety
/// `model` and `context` are alive and belong together.
unsafe fn continue_text(model: *mut llama_model, context: *mut llama_context, prompt: &str) -> String {
    let mut text = Vec::new();
    unsafe {
        let vocab = llama_model_get_vocab(model);
        let mut tokens = vec![0; prompt.len() + 8];
        let room = tokens.len() as i32;
        let prompt_chars = prompt.as_ptr().cast::<c_char>();
        let count =
            llama_tokenize(vocab, prompt_chars, prompt.len() as i32, tokens.as_mut_ptr(), room, true, true);
        assert!(count > 0, "cannot tokenize");
        tokens.truncate(count as usize);
        let sampler = llama_sampler_init_greedy();
        for _ in 0..LENGTH {
            let batch = llama_batch_get_one(tokens.as_mut_ptr(), tokens.len() as i32);
            assert_eq!(llama_decode(context, batch), 0, "cannot decode");
            let token = llama_sampler_sample(sampler, context, -1);
            if llama_vocab_is_eog(vocab, token) {
                break;
            }
            let mut piece = [0_u8; 64];
            let length = llama_token_to_piece(vocab, token, piece.as_mut_ptr().cast(), 64, 0, false);
            text.extend_from_slice(&piece[..length.max(0) as usize]);
            tokens = vec![token];
        }
        llama_sampler_free(sampler);
    }
    String::from_utf8_lossy(&text).into_owned()
}
