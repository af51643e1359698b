//! Measures the crate `llama-cpp-2` with its defaults: MODEL PROMPT GENERATED prints its rates, in tokens each second,
//! as JSON.

use std::error::Error;
use std::num::NonZeroU32;
use std::time::Instant;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [model, prompt, generated] = &words[..] else {
        return Err("usage: MODEL PROMPT GENERATED".into());
    };
    let (prompt, generated): (usize, usize) = (prompt.parse()?, generated.parse()?);
    let backend = LlamaBackend::init()?;
    let model = LlamaModel::load_from_file(&backend, model, &LlamaModelParams::default())?;
    let room = NonZeroU32::new(u32::try_from(prompt + generated + 64)?);
    let params = LlamaContextParams::default().with_n_ctx(room);
    let mut context = model.new_context(&backend, params)?;
    rates(&mut context, prompt, 8)?;
    let [read, written] = rates(&mut context, prompt, generated)?;
    println!("\n{{\"prompt\": {read}, \"generation\": {written}}}");
    Ok(())
}

fn rates(
    context: &mut LlamaContext<'_>,
    prompt: usize,
    generated: usize,
) -> Result<[f64; 2], Box<dyn Error>> {
    context.clear_kv_cache();
    let mut batch = LlamaBatch::new(prompt, 1);
    for at in 0..prompt {
        batch.add(token(at), i32::try_from(at)?, &[0], at + 1 == prompt)?;
    }
    let started = Instant::now();
    context.decode(&mut batch)?;
    context.synchronize();
    let read = started.elapsed().as_secs_f64();
    for at in prompt..prompt + generated {
        batch.clear();
        let next = context.token_data_array_ith(if at == prompt { at as i32 - 1 } else { 0 });
        let best = next.data.iter().max_by(|a, b| a.logit().total_cmp(&b.logit()));
        batch.add(best.map_or(token(at), |best| best.id()), i32::try_from(at)?, &[0], true)?;
        context.decode(&mut batch)?;
        context.synchronize();
    }
    let written = started.elapsed().as_secs_f64() - read;
    Ok([prompt as f64 / read, generated as f64 / written])
}

/// One of those without a meaning.
fn token(at: usize) -> LlamaToken {
    LlamaToken(300 + (at * 97 % 900) as i32)
}
