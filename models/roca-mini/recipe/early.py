"""Export whatever the newest checkpoint holds, to try the model while it trains: `python early.py`.

The result lies in build/roca-mini/early, outside git.
"""

import export
import loop
import torch
from network import Shape
from optimizer import Optimizer
from run import WORK
from tokenizers import Tokenizer


def main() -> None:
    torch.set_num_threads(1)
    network = loop.make_network(Shape(), seed=1, device=torch.device("cpu"))
    progress = loop.load_checkpoint(WORK, network, Optimizer(network, matrix_rate=0.0, vector_rate=0.0))
    tokenizer = Tokenizer.from_file(str(WORK / "tokenizer.json"))
    folder = WORK / "early"
    summary = export.write_gguf(network, tokenizer, folder, folder / "roca-mini.gguf")
    print(f"step {progress.steps}: {summary}")


if __name__ == "__main__":
    main()
