"""Qwen3-ASR on ONNX Runtime; MODEL.md explains the model and its pitfalls.

- ``recognizer``: the entry point, which opens a model folder and implements ``api.Model``
- streaming: ``live`` follows the speaker, ``segmenter`` divides a take, ``segment`` transcribes one part
- audio: ``features`` log-mel, ``vad`` voice activity detection
- text: ``prompt`` and answers, ``tokenizer``
- graphs: ``model`` sizes and the two halves, ``compact`` our package, ``published`` the other layout,
  ``sessions`` ONNX Runtime, ``manifest`` and ``names`` what is in a package
"""
