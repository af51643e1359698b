"""Runs one of llama.cpp's converters for gguf-packer: start.py SCRIPT ARGUMENTS…, or start.py --look.

It ends when gguf-packer does, runs no code of a checkpoint's, and says in lines of JSON behind a mark how far it is and why
it failed. --look says what this Python lacks, and imports nothing."""

import importlib.metadata
import importlib.util
import io
import json
import os
import runpy
import sys
import threading
import time

MARK = "@gguf-packer "
# Frames of a failure that are looked through for a file; json's own take four.
DEPTH = 4
NEEDED = ["torch", "transformers", "numpy", "sentencepiece", "google.protobuf", "yaml", "tqdm", "safetensors"]


class NoForeignCode(Exception):
    """A checkpoint wants its own code run."""


def say(**news):
    print(MARK + json.dumps(news), flush=True)


def look():
    missing = []
    for name in NEEDED:
        try:
            found = importlib.util.find_spec(name) is not None
        except ModuleNotFoundError:
            found = False
        if not found:
            missing.append("protobuf" if name == "google.protobuf" else "pyyaml" if name == "yaml" else name)
    say(version=".".join(map(str, sys.version_info[:3])), missing=missing)


def release_of_transformers():
    try:
        return importlib.metadata.version("transformers")
    except importlib.metadata.PackageNotFoundError:
        return None


def tell_other_release(folder):
    """Another release of transformers than upstream's requirements name may give other keys, and so another file."""
    wanted, requirements = None, os.path.join(folder, "requirements")
    for name in sorted(os.listdir(requirements)):
        with open(os.path.join(requirements, name), encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("transformers=="):
                    wanted = line.split("==")[1].strip()
    found = release_of_transformers()
    if wanted and found and found != wanted:
        say(note=f"this Python has transformers {found}, but llama.cpp's converter requires {wanted}: the file may differ")


def end_with_gguf_packer():
    """Its end of our standard input closes with it, however it ends."""

    def wait():
        try:
            while os.read(0, 4096):
                pass
        except OSError:
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def refuse_foreign_code():
    """Upstream lets some tokenizers run the checkpoint's code; whoever wants that runs upstream's script itself."""
    from transformers import dynamic_module_utils as dynamic

    def refuse(*_, **__):
        raise NoForeignCode

    def resolve(_, model_name=None, has_local_code=None, has_remote_code=None, *__, **___):
        if has_remote_code and not has_local_code:
            raise NoForeignCode
        return False

    dynamic.resolve_trust_remote_code = resolve
    dynamic.get_class_from_dynamic_module = refuse
    dynamic.get_class_in_module = refuse


def read_what_transformers_5_wrote():
    """The release that upstream requires knows neither the class nor the list that 5 writes. What matters of both is in
    tokenizer.json."""
    if not (release_of_transformers() or "").startswith("4."):
        return
    import transformers
    from transformers.models.auto import tokenization_auto as auto

    base, named = transformers.PreTrainedTokenizerBase, auto.tokenizer_class_from_name
    name_tokens = base._set_model_specific_special_tokens

    def class_of(name):
        return transformers.PreTrainedTokenizerFast if name.startswith("TokenizersBackend") else named(name)

    def set_tokens(self, special_tokens):
        if isinstance(special_tokens, dict):
            name_tokens(self, special_tokens)

    auto.tokenizer_class_from_name, base._set_model_specific_special_tokens = class_of, set_tokens


def tell_progress():
    import tqdm

    class Bar:
        def __init__(self, *_, total=None, **__):
            self.done, self.total, self.told = 0, total, 0.0

        def update(self, count=1):
            self.done += count
            now = time.monotonic()
            if now - self.told > 0.1 or self.done == self.total:
                self.told = now
                say(done=self.done, total=self.total)

        def reset(self, total=None):
            self.done, self.total = 0, total

        def set_description(self, *_, **__):
            pass

        def close(self):
            pass

    tqdm.tqdm = Bar


def file_at_fault(error, folders):
    """The file that the error names, else the last one of the checkpoint that the failed code had in its hands."""
    if named := getattr(error, "filename", None):
        return str(named)
    trace, frames = error.__traceback__, []
    while trace:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    # Further out are files that were read without a fault.
    for frame in reversed(frames[-DEPTH:]):
        for value in list(frame.f_locals.values()):
            value = value.name if isinstance(value, io.IOBase) and hasattr(value, "name") else value
            if not isinstance(value, (str, os.PathLike)) or not str(value) or "\0" in str(value):
                continue
            for folder in folders:
                for path in [os.path.realpath(value), os.path.join(folder, value)]:
                    if path.startswith(folder + os.sep) and os.path.isfile(path):
                        return path
    return None


def main():
    if sys.argv[1:] == ["--look"]:
        return look()
    end_with_gguf_packer()
    script, arguments = sys.argv[1], sys.argv[2:]
    folders = [os.path.realpath(word) for word in arguments if os.path.isdir(word)]
    sys.argv = [script, *arguments]
    sys.path[0] = os.path.dirname(script)
    try:
        tell_other_release(os.path.dirname(script))
        refuse_foreign_code()
        read_what_transformers_5_wrote()
        tell_progress()
        runpy.run_path(script, run_name="__main__")
    except NoForeignCode:
        say(failed="foreign-code")
        sys.exit(1)
    except Exception as error:
        text = str(error).strip()
        lines = text.splitlines() or [""]
        say(failed=type(error).__name__, text=lines[0], file=file_at_fault(error, folders))
        raise


main()
