"""Names that ``convert`` and the engine share: a package's files, its graphs' inputs and outputs."""

FRONTEND_FILE = "frontend.onnx"
ENCODER_FILE = "encoder.onnx"
DECODER_FILE = "decoder.onnx"
HEAD_FILE = "head.onnx"
EMBEDDING_FILE = "embedding.data"

MEL = "mel"
TOKENS = "tokens"
HIDDEN = "hidden"
FEATURES = "features"
LOGITS = "logits"
EMBEDS = "inputs_embeds"
SEQLENS_K = "seqlens_k"
TOTAL_LENGTH = "total_length"
COUNT = "count"
COSINE, SINE = "cos_cache", "sin_cache"
PAST, PRESENT = "past.", "present."


def cache_names(layer: int) -> list[tuple[str, str]]:
    """Past and present of the keys, then of the values, of a decoder layer."""
    return [(f"{PAST}{part}.{layer}", f"{PRESENT}{part}.{layer}") for part in ("key", "value")]
