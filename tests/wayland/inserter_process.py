"""The app's inserter: takes a text in JSON per line of standard input, prints what became of it."""

import json
import logging
import os
import queue
import sys

from handy_qwen.core.events import Delivered, Failed
from handy_qwen.core.types import Method, Submit
from handy_qwen.system.insert import inserter_for
from handy_qwen.system.session import session_of

logging.basicConfig(level=logging.INFO)
posted = queue.SimpleQueue()
inserter = inserter_for(posted.put, session_of(os.environ))
print("ready", flush=True)
for line in sys.stdin:
    inserter.insert(1, json.loads(line), target=None, method=Method.PASTE, submit=Submit.OFF)
    while not isinstance(event := posted.get(), Delivered | Failed):
        continue  # it also tells of the permission
    print(event.how if isinstance(event, Delivered) else "failed", flush=True)
inserter.close(10)
