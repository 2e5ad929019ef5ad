"""The peer of `benchmarks.ingestion`: LangChain and Chroma, in an environment of their own; prints one line of JSON.

`python ingestion_chroma.py FOLDER STORE CHUNK_CHARACTERS [MODEL]`: every file below FOLDER is loaded, cut and added to
a Chroma store on the disk. With MODEL, its vectors come from sentence-transformers with those weights; without, they
are ready before the clock starts.
"""

import json
import os
import sys
import time
from typing import Any

os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))
READY = 4096
TOGETHER = 1000


class Ready:
    """Vectors made before the clock starts."""

    def __init__(self) -> None:
        import numpy

        made = numpy.random.default_rng(7).normal(size=(READY, 384))
        self._vectors = (made / numpy.linalg.norm(made, axis=1, keepdims=True)).tolist()
        self._next = 0

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One after the other, again from the beginning when they are used up."""
        found = []
        for _ in texts:
            found.append(self._vectors[self._next % READY])
            self._next += 1
        return found

    def embed_query(self, text: str) -> list[float]:
        """The first."""
        return self._vectors[0]


def embedder(model: str) -> Any:
    """sentence-transformers as LangChain offers it, with the weights of a folder."""
    from langchain_core.embeddings import Embeddings
    from sentence_transformers import SentenceTransformer, models

    word = models.Transformer(model, max_seq_length=256)
    pooling = models.Pooling(word.get_word_embedding_dimension(), pooling_mode="mean")
    encoder = SentenceTransformer(modules=[word, pooling, models.Normalize()], device="cpu")

    class Local(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return encoder.encode(texts, batch_size=32, show_progress_bar=False).tolist()

        def embed_query(self, text: str) -> list[float]:
            return self.embed_documents([text])[0]

    return Local()


def main() -> None:
    """Load, cut, add, ask."""
    folder, store, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
    from langchain_chroma import Chroma
    from langchain_community.document_loaders import DirectoryLoader, TextLoader
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    if len(sys.argv) > 4:
        import torch

        torch.set_num_threads(THREADS)
    vectors = embedder(sys.argv[4]) if len(sys.argv) > 4 else Ready()
    vectors.embed_documents(["warm"])
    print(json.dumps({"ready": True}), flush=True)
    started, busy = time.perf_counter(), time.process_time()
    loader = DirectoryLoader(folder, glob="**/*", loader_cls=TextLoader, loader_kwargs={"encoding": "utf-8"})
    documents = loader.load()
    pieces = RecursiveCharacterTextSplitter(chunk_size=size, chunk_overlap=0).split_documents(documents)
    chroma = Chroma(collection_name="bench", embedding_function=vectors, persist_directory=store)
    for start in range(0, len(pieces), TOGETHER):
        chroma.add_documents(pieces[start : start + TOGETHER])
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - busy
    assert chroma.similarity_search("river", k=1)
    mean = sum(len(piece.page_content) for piece in pieces) / len(pieces)
    figures = {
        "seconds": seconds,
        "cpu_s": cpu_s,
        "documents": len(documents),
        "chunks": len(pieces),
        "mean_characters": mean,
    }
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
