"""Qwen3-ASR on ONNX Runtime; MODEL.md explains the model and its traps.

- ``recognizer``: the face, which opens a model folder and implements ``api.Model``
- streaming: ``live`` follows the speaker, ``segmenter`` divides a take, ``segment`` transcribes one part
- sound: ``features`` log-mel, ``vad`` where somebody speaks
- text: ``prompt`` and what is answered, ``tokenizer``
- graphs: ``model`` sizes and the two halves, ``compact`` our package, ``published`` the other layout,
  ``sessions`` ONNX Runtime, ``manifest`` and ``names`` what is in a package
"""
