"""The embedded model, written as safetensors and brought back from S3, says what it said."""

from __future__ import annotations

import json
import time

import pytest
from safetensors.numpy import save_file

from rocamadre.datasets.tokenizer import open_tokenizer
from rocamadre.engines.llama.gguf import dequantise
from rocamadre.training.gguf_base import config_of, write_tokenizer

ROCA_MINI = "rocamadre.roca-mini-v1:0"
QUESTIONS = ("What is the capital of France?", "Is ice cold or hot?", "¿De qué color es la nieve?")


@pytest.mark.covers("bedrock:CreateModelImportJob")
def test_its_weights_answer_alike(checkout, server, boto3_client, needs, tmp_path):
    (file,) = (checkout / "models" / "roca-mini").glob("*.gguf") or [None]
    needs(file is not None, "the model roca-mini is not there")
    weights = dequantise(file)
    (tmp_path / "config.json").write_text(json.dumps(config_of(file, names=frozenset(weights))))
    write_tokenizer(file, open_tokenizer(file), tmp_path)
    save_file(weights, tmp_path / "model.safetensors")
    s3, bedrock, runtime = (boto3_client(name) for name in ("s3", "bedrock", "bedrock-runtime"))
    s3.create_bucket(Bucket="imported-weights")
    for path in tmp_path.iterdir():
        s3.upload_file(str(path), "imported-weights", f"mini/{path.name}")
    job = bedrock.create_model_import_job(
        jobName="import-mini",
        importedModelName="mini-again",
        roleArn="arn:aws:iam::123456789012:role/import",
        modelDataSource={"s3DataSource": {"s3Uri": "s3://imported-weights/mini"}},
    )["jobArn"]
    until = time.monotonic() + 120
    while (told := bedrock.get_model_import_job(jobIdentifier=job))["status"] == "InProgress":
        assert time.monotonic() < until
        time.sleep(0.2)
    assert told["status"] == "Completed", told["failureMessage"]

    def answer(model, question):
        message = {"role": "user", "content": [{"text": question}]}
        settings = {"temperature": 0, "maxTokens": 6}
        said = runtime.converse(modelId=model, messages=[message], inferenceConfig=settings)
        return said["output"]["message"]["content"][0]["text"], said["usage"]["inputTokens"]

    for question in QUESTIONS:
        # Six tokens: later ones may differ, since the embedded file is Q8_0 and what was imported is F16.
        assert answer(told["importedModelArn"], question) == answer(ROCA_MINI, question)
    bedrock.delete_imported_model(modelIdentifier="mini-again")
