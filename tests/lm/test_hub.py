"""A model by its hub name: a small hub on this machine serves it, a process of its own downloads it."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from subprocess import PIPE

import pytest
import torch

from helpers.storyteller import tokenizer

COMMIT = "c0ffee" * 6 + "beef"
WEIGHTS = "model.safetensors"
CHILD = """
import hashlib, json, sys, time
time.sleep = lambda seconds: None  # the hub's waits between two tries, half a minute in all
from helpers import lm
for line in sys.stdin:
    try:
        found = lm.load(line.strip(), device="cpu")
        state = sorted((key, value.numpy().tobytes()) for key, value in found.model.state_dict().items())
        said = {"name": found.name, "source": found.source, "vocabulary": found.tokenizer.get_vocab()}
        said["weights"] = hashlib.sha256(repr(state).encode()).hexdigest()
    except Exception as error:
        said = {"error": type(error).__name__, "message": str(error)}
    print(json.dumps(said), flush=True)
"""


class Hub:
    """Serves `files` as every model of the owner 'tiny'; a child that takes it for the hub loads what it is told to."""

    def __init__(self, home, files):
        self.home, self.files, self.port = home, files, 0
        self.faults = {}  # what becomes of the next downloads of a path: 'half' of it is sent, 'none', or an 'error'
        self.lacks = set()  # paths that are not there
        self.asked = []
        self.start()
        self.child = self.spawn()

    def start(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), type("Here", (Answer,), {"hub": self}))
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.02,)).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    @contextlib.contextmanager
    def stopped(self):
        self.stop()
        try:
            yield
        finally:
            self.start()

    def spawn(self, **more):
        ours = ("HF_", "HUGGING", "TRANSFORMERS_", "DISABLE_SAFETENSORS", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        env = {key: value for key, value in os.environ.items() if not key.upper().startswith(ours)}
        env |= {"HF_ENDPOINT": f"http://127.0.0.1:{self.port}", "HF_HOME": str(self.home), "HF_HUB_DISABLE_XET": "1"}
        env |= {"HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "*", "OMP_NUM_THREADS": "1"} | more
        return subprocess.Popen([sys.executable, "-c", CHILD], stdin=PIPE, stdout=PIPE, env=env, text=True)

    def load(self, name, child=None):
        child = child or self.child
        print(name, file=child.stdin, flush=True)
        return json.loads(child.stdout.readline())


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.hub.asked.append(f"{self.command} {self.path}")
        path = self.path.split("?")[0].removeprefix("/api/models").lstrip("/").removesuffix("/revision/main")
        repo, _, file = path.partition(f"/resolve/{COMMIT}/")
        name = "/".join(repo.split("/")[:2])
        have = {k: v for k, v in self.hub.files.items() if f"{name}/{k}" not in self.hub.lacks}
        fault = self.command == "GET" and next(self.hub.faults.get(f"{repo}/{file}", iter(())), None)
        if fault == "none":
            return
        if not repo.startswith("tiny/"):
            self.say(404, code="RepoNotFound")
        elif repo == "tiny/gated":
            self.say(403, code="GatedRepo")
        elif fault == "error":
            self.say(500)
        elif file in have:
            self.say(200, have[file], half=fault == "half")
        elif repo.endswith(f"/tree/{COMMIT}"):
            self.say(200, json.dumps([{"type": "file", "path": k, "size": len(v), "oid": ""} for k, v in have.items()]))
        elif repo.count("/") == 1 and not file:
            self.say(200, json.dumps({"id": repo, "sha": COMMIT}))
        else:
            self.say(404, code="EntryNotFound")

    do_HEAD = do_GET

    def say(self, status, body=b"", code=None, half=False):
        body = body.encode() if isinstance(body, str) else body
        start = int(self.headers.get("Range", "bytes=0-")[6:-1]) if status == 200 else 0
        self.send_response(206 if start else status)
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{sha256(body).hexdigest()}"'}
        headers |= {"Content-Length": len(body) - start}
        headers |= {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if start else {}
        for key, value in (headers | ({"X-Error-Code": code} if code else {})).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[start : len(body) // 2 if half else None])

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("hub")
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=216, max_position_embeddings=64, **sizes))
    model.save_pretrained(folder / "model")
    tokenizer.build(64).save_pretrained(folder / "model")
    hub = Hub(folder / "home", {path.name: path.read_bytes() for path in (folder / "model").iterdir()})
    state = sorted((key, value.numpy().tobytes()) for key, value in model.state_dict().items())
    hub.good = {"source": "hub", "vocabulary": tokenizer.build(64).get_vocab()}
    hub.good["weights"] = sha256(repr(state).encode()).hexdigest()
    yield hub
    hub.child.communicate()
    hub.stop()


def test_a_model_is_downloaded_once_and_then_needs_no_hub(hub):
    good = hub.good | {"name": "tiny/model"}
    with hub.spawn(HF_HUB_OFFLINE="1") as offline:  # starts up meanwhile
        assert [hub.load("tiny/model"), hub.load("tiny/model")] == [good, good]
        assert hub.asked.count(f"GET /tiny/model/resolve/{COMMIT}/{WEIGHTS}") == 1
        with hub.stopped():
            assert [hub.load("tiny/model"), hub.load("tiny/model", offline)] == [good, good]
            assert hub.load("tiny/never", offline)["error"] == "ConnectionError"
        offline.communicate()


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("other/model", "ValueError", "the hub has no model 'other/model', or it is private; check the name, or give"),
        ("tiny/gated", "PermissionError", "tiny/gated is gated: accept its terms at https://huggingface.co/tiny/gated"),
        ("tiny/pickled", "ValueError", "tiny/pickled has no .safetensors weights on the hub (pickled ones are not"),
        ("tiny/far", "ConnectionError", "'tiny/far' could not be had from the hub: Got: ConnectError"),
    ],
)
def test_what_the_hub_does_not_give(hub, name, error, message):
    hub.lacks.add(f"tiny/pickled/{WEIGHTS}")
    with hub.stopped() if name == "tiny/far" else contextlib.nullcontext():
        said = hub.load(name)
    assert said["error"] == error
    assert said["message"].startswith(message)
    assert said["message"].endswith("model='storyteller', which needs no network")
    assert not any(name in line and "/commits/" in line for line in hub.asked)  # the first step of a conversion


def test_a_download_that_breaks_off_is_taken_up_again(hub):
    hub.faults[f"tiny/shaky/{WEIGHTS}"] = iter(["half"])
    assert hub.load("tiny/shaky") == hub.good | {"name": "tiny/shaky"}
    assert hub.asked.count(f"GET /tiny/shaky/resolve/{COMMIT}/{WEIGHTS}") == 2


@pytest.mark.parametrize(
    ("file", "then"),
    [("config.json", "none"), ("tokenizer_config.json", "none"), ("tokenizer_config.json", "error")]
    + [("tokenizer.json", "error"), (WEIGHTS, "none"), (WEIGHTS, "error")],
)
def test_half_a_file_is_never_taken_for_a_whole_one(hub, file, then):
    name = f"tiny/{file}-{then}"
    hub.faults[f"{name}/{file}"] = iter(["half"] + [then] * 30)
    assert hub.load(name)["error"] == "ConnectionError"
    with hub.stopped():
        assert hub.load(name)["error"] == "ConnectionError"
    blobs = list(hub.home.glob(f"hub/models--tiny--{file}-{then}/blobs/*"))
    names = [sha256(path.read_bytes()).hexdigest() for path in blobs]
    assert [path.name for path in blobs] == names
    assert not {sha256(hub.files[k]).hexdigest() for k in (file, WEIGHTS)} & set(names)  # weights come last
    del hub.faults[f"{name}/{file}"]
    assert hub.load(name) == hub.good | {"name": name}


def test_all_files_are_of_one_commit(hub):
    """No file is asked for by the name of a branch, which may move between two files."""
    name = "tiny/moving"
    assert hub.load(name) == hub.good | {"name": name}
    files = [line for line in hub.asked if name in line and "/resolve/" in line]
    assert files
    assert all(f"/{name}/resolve/{COMMIT}/" in line for line in files)
