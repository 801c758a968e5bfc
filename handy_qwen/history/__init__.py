r"""What was said, kept on disk: no take is lost, whatever happens after its first block.

    microphone --feed--> inbox --> thread "history" --> takes/*.wav       every block, as it comes
    controller --begin, done, delivered ...-->      \-> history.db       one row per take

``disk.DiskHistory`` is the running program's side of it (the port ``core.ports.History``);
``archive.Archive`` is for whoever wants to look at entries, change or delete them: the command line, a
window. Both may be at work at once, in two processes. Nothing is imported here: the command line must be
quick.
"""
