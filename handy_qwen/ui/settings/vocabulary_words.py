"""The words of the page Vocabulary."""

from __future__ import annotations

from handy_qwen.core.vocabulary import Fit
from handy_qwen.ui.translation import ntr, tr

WORDS = tr("Words")
WORDS_HELP = tr(
    "Names and terms you use, spelled your way, the most important first. The model reads as many as fit."
)
WORDS_ALSO = tr("custom words vocabulary dictionary names terms spelling")
NEW_WORD, NEW_WORD_HINT = tr("New word"), tr("Type a word, or paste a list")
ADD_WORD = tr("&Add")
FILTER, FILTER_HINT = tr("Find a word"), tr("Find a word")
WORD_LIST = tr("Words, the most important first")
NO_WORDS = tr("No words yet. Add the names that come out wrong.")
NOT_USED = tr("{word} (not used)")
NOT_USED_TIP = tr("There's no room for it. Move it up, or delete others.")
EDIT, UP, DOWN, TO_TOP, DELETE = tr("&Edit"), tr("Move &up"), tr("Move &down"), tr("To &top"), tr("De&lete")
UP_TIP, DOWN_TIP = tr("Alt+Up"), tr("Alt+Down")
TOKENS = tr("{tokens} of {limit} tokens used.")

REPLACEMENTS = tr("Replacements")
REPLACEMENTS_HELP = tr(
    "Write something other than what you say: “Kovács” for “Kovach”. A snippet is written only when you say "
    "its name by itself: your address for “my address”, the date for {date}. Shift+Enter starts a new line."
)
REPLACEMENTS_ALSO = tr("replace snippets text blocks regular expression pattern autocorrect abbreviation")
# Translators: columns of a table: when I say "Kovach", write "Kovács"; the rest are boxes to tick.
HEARD, WRITTEN, CASE, PATTERN = tr("When I say"), tr("Write"), tr("Match case"), tr("Pattern")
ALONE = tr("By itself")
ALONE_TIP = tr(
    "Only where you say it by itself, between pauses. Then {date}, {time} and {clipboard} are filled in."
)
PATTERN_TIP = tr("A regular expression, as in Python")
RULE_TABLE = tr("Replacements")
ADD_RULE, ADD_SNIPPET = tr("Add &replacement"), tr("Add sni&ppet")
DELETE_RULES = tr("Delete replace&ment")
NOTHING = tr("(nothing)")
NOT_SAVED = tr("Row {row} isn't saved. {reason}")
FORMER_APPLIES = tr("Until then, the previous one applies.")
SAY_WHAT_TO_WRITE = tr("Enter what to write.")
WRONG = "⚠ {text}"
WRONG_SPOKEN = tr("{text}, not saved: {reason}")

TRY, TRY_HINT = tr("Tr&y it"), tr("Type or dictate a sentence")
TRY_HELP = tr("Shows what would be inserted, with all text settings applied.")
BECOMES = tr("Inserted: {text}")
BECOMES_NOTHING = tr("Nothing would be inserted.")
UNCHANGED = tr("Inserted unchanged.")
SLOW = tr("Patterns that take too long are left out: row {rows}.")

FILES = tr("Import and export")
FILES_HELP = tr(
    "From a text file with a word on each line, from a table (heard, written and, if wanted, regex, case "
    "and alone), or from Handy."
)
FILES_ALSO = tr("csv txt handy backup file")
IMPORT, IMPORT_HANDY = tr("&Import…"), tr("Import from &Handy")
EXPORT_WORDS, EXPORT_RULES = tr("Export &words…"), tr("Export replaceme&nts…")
IMPORT_TITLE = tr("Import words or replacements")
IMPORT_KINDS = (
    tr("Words, tables and Handy's settings (*.txt *.csv *.tsv *.json)"),
    tr("All files (*)"),
)
# Translators: names of files, without spaces.
WORDS_NAME, RULES_NAME = tr("words"), tr("replacements")
WORDS_KINDS = {".txt": tr("Text (*.txt)"), ".csv": tr("Table (*.csv)")}
RULES_KINDS = {".csv": tr("Table (*.csv)"), ".tsv": tr("Table with tabs (*.tsv)")}
UNDO = tr("Und&o")
LINE_BREAK = "↵"


def tokens(fit: Fit) -> str:
    """How much of what the model reads is used."""
    count = len(fit.left_out)
    rest = (
        ntr("{count} word doesn't fit.", "{count} words don't fit.", count).format(count=count)
        if count
        else ""
    )
    return f"{TOKENS.format(tokens=fit.tokens, limit=fit.limit)} {rest}".strip()


def on_one_line(text: str) -> str:
    """``text`` with a sign for each line break."""
    return text.replace("\n", f" {LINE_BREAK} ").replace("\t", "⇥")
