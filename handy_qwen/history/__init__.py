r"""What was said, kept on disk: no take is lost, whatever happens after its first block.

    microphone --feed--> inbox --> thread "history" --> takes/*.wav       every block, as it comes
    controller --begin, done, delivered ...-->      \-> history.db       one row per take

``disk.DiskHistory`` is used by the running program, ``archive.Archive`` to view or change entries, perhaps in
another process. Nothing is imported here: the command line must be fast.
"""
