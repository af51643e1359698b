"""A pytest plugin: llama.cpp's own tests of the server, without a network. See README.md.

The demo model of this repository takes the place of every model that the tests would download, so only what a
test says about the server is tested, not what it says about the words of that model.
"""

import os

import pytest

MODEL = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "models", "llama-demo.gguf"))


def pytest_collection(session):
    import utils

    start = utils.ServerProcess.start

    def start_with_the_demo_model(self, *args, **kwargs):
        if self.model_hf_repo is not None or self.model_hf_file is not None:
            self.model_file, self.model_hf_repo, self.model_hf_file = MODEL, None, None
        return start(self, *args, **kwargs)

    utils.ServerProcess.start = start_with_the_demo_model
    utils.ServerPreset.load_all = staticmethod(lambda: None)
