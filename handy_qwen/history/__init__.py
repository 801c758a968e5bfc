r"""What was said, kept on disk: no take is lost, whatever happens after its first block.

    microphone --feed--> inbox --> thread "history" --> takes/*.wav       every block, as it comes
    controller --begin, done, delivered ...-->      \-> history.db       one row per take

``DiskHistory`` is the running program's side of it (the port ``core.ports.History``); ``Archive`` is for
whoever wants to look at entries, change or delete them: the command line, a window. Both may be at
work at once, in two processes.
"""

from handy_qwen.history.disk import DiskHistory
from handy_qwen.history.places import default_folder
from handy_qwen.history.rules import Rules

__all__ = ["DiskHistory", "Rules", "default_folder"]
