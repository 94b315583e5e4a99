"""A real model on real files: the C example agrees with the package that the model comes from."""

import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tritonclient.grpc as triton
from support import files
from support.paths import BIN, EXAMPLE_MODELS, ROOT
from support.server import Up

FILES_AT_LEAST, LABELS_AT_LEAST, SCORE_WITHIN = 60, 25, 1e-4


@pytest.fixture(scope="module")
def magika_python():
    made = subprocess.run(
        [ROOT / "scripts/venv.sh", "magika"], capture_output=True, text=True, check=True
    )
    return made.stdout.strip()


@pytest.fixture(scope="module")
def magika(magika_python, tmp_path_factory, _stubs):
    """A server with magika, the same whose calls run together, and identity; .labels is the file
    that the example reads."""
    models = tmp_path_factory.mktemp("magika_models")
    subprocess.run([ROOT / "scripts/prepare_magika.py", magika_python, models], check=True)
    shutil.copytree(EXAMPLE_MODELS / "identity", models / "identity")
    shutil.copytree(models / "magika", models / "together")
    with open(models / "together/model.yaml", "a") as text:
        text.write("max_batch: 16\n")
    with Up(models, tmp_path_factory.mktemp("magika_server")) as up:
        up.labels = models / "magika/magika.json"
        yield up


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    found = files.made(tmp_path_factory.mktemp("files"))
    found += files.of_repository() + files.found_on_machine()
    return sorted({str(path) for path in found})


@pytest.fixture(scope="module")
def reference(magika_python, corpus):
    ran = subprocess.run(
        [f"{magika_python}/bin/python", ROOT / "tests/e2e/magika_reference.py"],
        input="\n".join(corpus),
        capture_output=True,
        text=True,
        check=True,
    )
    return {entry["path"]: entry for entry in json.loads(ran.stdout)}


@pytest.fixture(scope="module")
def answers(magika, corpus):
    """What the C example prints, as {path: {label, score}}."""
    told = {}
    for start in range(0, len(corpus), 50):
        ran = subprocess.run(
            [BIN / "magika", "--address", magika.grpc, "--config", magika.labels, "--json"]
            + corpus[start : start + 50],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ran.returncode == 0, ran.stderr
        told |= {entry["path"]: entry for entry in json.loads(ran.stdout)}
    return told


def test_the_corpus_is_broad(reference):
    labels = {entry["label"] for entry in reference.values()}
    print(f"{len(reference)} files, {len(labels)} labels: {' '.join(sorted(labels))}")
    assert len(reference) >= FILES_AT_LEAST
    assert len(labels) >= LABELS_AT_LEAST
    assert "empty" in labels


def test_every_file_has_the_packages_label(reference, answers):
    differing = {
        path: (answers.get(path, {}).get("label"), entry["label"])
        for path, entry in reference.items()
        if answers.get(path, {}).get("label") != entry["label"]
    }
    assert not differing
    assert answers.keys() == reference.keys()


def test_every_score_is_the_packages(reference, answers):
    worst = max(abs(answers[path]["score"] - entry["score"]) for path, entry in reference.items())
    print(f"largest difference of scores: {worst:.2e}")
    assert worst <= SCORE_WITHIN


def test_a_batch_by_tritonclient_gives_the_same_as_single_files(magika):
    rows = np.random.default_rng(5).integers(0, 257, (16, 2048), dtype=np.int32)
    client = triton.InferenceServerClient(magika.grpc)

    def ask(values):
        given = triton.InferInput("bytes", list(values.shape), "INT32")
        given.set_data_from_numpy(values)
        return client.infer("magika", [given]).as_numpy("target_label")

    whole = ask(rows)
    assert whole.shape == (16, 214)
    assert np.allclose(whole.sum(axis=1), 1, atol=1e-3)
    for i in range(16):
        assert np.allclose(ask(rows[i : i + 1])[0], whole[i], atol=1e-5)
    client.close()


def test_calls_that_run_together_get_what_they_get_alone(magika):
    """But for the last digits: for other numbers of rows ONNX Runtime adds up in another order."""
    rows = np.random.default_rng(6).integers(0, 257, (96, 2048), dtype=np.int32)
    client = triton.InferenceServerClient(magika.grpc)

    def ask(model, values):
        given = triton.InferInput("bytes", list(values.shape), "INT32")
        given.set_data_from_numpy(values)
        return client.infer(model, [given]).as_numpy("target_label")

    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(lambda i: ask("together", rows[i : i + 1])[0], range(96)))
    alone = [ask("magika", rows[i : i + 1])[0] for i in range(96)]
    runs = int(client.get_inference_statistics("together").model_stats[0].execution_count)
    worst = max(float(abs(a - b).max()) for a, b in zip(told, alone, strict=True))
    client.close()
    print(f"96 calls in {runs} runs; largest difference of scores: {worst:.2e}")
    assert runs < 60
    assert worst <= 1e-6
