"""Measures an engine of PyPI: engine.py NAME MODEL PROMPT GENERATED prints its rates, in tokens each second, as JSON.

Each runs in this process with its own defaults: no option of it but the model and the room for the tokens is set.
"""

import json
import random
import sys
import time


def xllamacpp(model, prompt, generated):
    import xllamacpp as engine

    params = engine.CommonParams()
    params.model.path = model
    params.n_ctx = prompt + generated + 64
    params.n_parallel = 1
    server = engine.Server(params)

    def rates(count):
        timings = server.handle_completions({
            "prompt": tokens(prompt), "n_predict": count, "ignore_eos": True, "temperature": 0, "cache_prompt": False,
        })["timings"]
        assert (timings["prompt_n"], timings["predicted_n"]) == (prompt, count), timings
        return timings["prompt_per_second"], timings["predicted_per_second"]

    rates(8)
    return rates(generated)


def llama_cpp_python(model, prompt, generated):
    from llama_cpp import Llama

    llama = Llama(model_path=model, n_ctx=prompt + generated + 64, verbose=False)

    def rates(count):
        llama.reset()
        started = time.perf_counter()
        llama.eval(tokens(prompt))
        read = time.perf_counter()
        for token in tokens(count):
            llama.sample(temp=0.0)
            llama.eval([token])
        return prompt / (read - started), count / (time.perf_counter() - read)

    rates(8)
    return rates(generated)


def tokens(count):
    """Any but the first, which have a meaning."""
    return [random.randrange(300, 1200) for _ in range(count)]


def main():
    name, model, prompt, generated = sys.argv[1:]
    engine = {"xllamacpp": xllamacpp, "llama-cpp-python": llama_cpp_python}[name]
    rates = engine(model, int(prompt), int(generated))
    print("\n" + json.dumps(dict(zip(("prompt", "generation"), rates))), flush=True)


if __name__ == "__main__":
    main()
