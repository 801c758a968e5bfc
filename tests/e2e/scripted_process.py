"""The program, with an engine that hears what a script says: line n of the file named first is take n.

For words that the demo model does not know. Everything but the words is real.
"""

import sys
from dataclasses import replace
from pathlib import Path

from handy_qwen.__main__ import main
from handy_qwen.app import program
from handy_qwen.core.events import Transcribed

SCRIPT = Path(sys.argv.pop(1))


class ScriptedTranscriber(program.EngineTranscriber):
    """Posts the words of the script."""

    def __init__(self, post, *arguments, **more):
        def post_scripted(event):
            if isinstance(event, Transcribed):
                words, _, language = (
                    SCRIPT.read_text(encoding="utf-8").splitlines()[event.take - 1].partition("\t")
                )
                event = replace(event, text=words, language=language or "English")
            post(event)

        super().__init__(post_scripted, *arguments, **more)


program.EngineTranscriber = ScriptedTranscriber
sys.exit(main())
